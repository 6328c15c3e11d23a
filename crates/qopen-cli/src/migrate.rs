//! `qopen migrate`: creates or updates the tables of a journal or of lists.

use crate::args::MigrateArgs;
use crate::database::refuse_password;
use crate::exit::{Exit, Failure};
use crate::output::database::ListDatabase;
use crate::say::say;
use crate::settings::{JOURNAL, Settings};
use crate::values::out::refuse_scheme;

pub(crate) async fn run(args: MigrateArgs, settings: Settings) -> Result<Exit, Failure> {
    if let Some(out) = &args.out {
        let fails = |reason| Failure::usage(format!("--out: {reason}"));
        refuse_scheme(out).map_err(fails)?;
        refuse_password("--out", &out.to_string_lossy())?;
    }
    if settings.get(&JOURNAL).is_none() && args.out.is_none() {
        let message = "nothing to migrate: give --journal URL, QOPEN_JOURNAL, or --out URL";
        return Err(Failure::usage(message));
    }
    if settings.get(&JOURNAL).is_some() {
        let location = settings.journal()?;
        let steps = crate::journal::migrate(&location).await;
        say(
            &format!("the journal in {location}"),
            steps.map_err(|error| {
                Failure::usage_of(format!("the journal in {location} cannot be migrated"), &error)
            })?,
        );
    }
    if let Some(out) = &args.out {
        let Some(database) = ListDatabase::at(out)? else {
            let message = "--out: only a database has tables; give postgres://USER@HOST/DATABASE, or an SQLite file such as lists.db";
            return Err(Failure::usage(message));
        };
        let steps = database.migrate().map_err(|error| Failure::usage_of("--out", &error))?;
        say(&format!("the lists in {}", database.location()), steps);
    }
    Ok(Exit::Complete)
}

fn say(what: &str, steps: usize) {
    match steps {
        0 => say!("qopen: {what}: nothing to do"),
        1 => say!("qopen: {what}: 1 step"),
        steps => say!("qopen: {what}: {steps} steps"),
    }
}
