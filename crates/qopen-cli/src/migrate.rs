//! `qopen migrate`: creates or updates the tables of a journal or of lists.

use crate::args::MigrateArgs;
use crate::database::refuse_password;
use crate::exit::{Exit, Failure};
use crate::lang::{Phrase, phrase};
use crate::output::database::ListDatabase;
use crate::report::Noun;
use crate::say::say;
use crate::settings::{JOURNAL, Settings};
use crate::values::out::refuse_scheme;

pub(crate) async fn run(args: MigrateArgs, settings: Settings) -> Result<Exit, Failure> {
    if let Some(out) = &args.out {
        let fails = |why| Failure::usage(Phrase::about("--out", why));
        refuse_scheme(out).map_err(fails)?;
        refuse_password("--out", &out.to_string_lossy())?;
    }
    if settings.get(&JOURNAL).is_none() && args.out.is_none() {
        return Err(Failure::usage(phrase!(
            "nothing to migrate: give --journal URL, QOPEN_JOURNAL, or --out URL",
            "没有可迁移的内容：请给出 --journal URL、QOPEN_JOURNAL 或 --out URL",
        )));
    }
    if settings.get(&JOURNAL).is_some() {
        let location = settings.journal()?;
        let steps = crate::journal::migrate(&location).await;
        let steps = steps.map_err(|error| {
            let what = phrase!(
                "the journal in {location} cannot be migrated",
                "{location} 中的持久化存储无法迁移",
                location = location,
            );
            Failure::usage_of(what, &error)
        })?;
        let what = phrase!("the journal in {it}", "{it} 中的持久化存储", it = location);
        say(&what, steps);
    }
    if let Some(out) = &args.out {
        let Some(database) = ListDatabase::at(out)? else {
            return Err(Failure::usage(phrase!(
                "--out: only a database has tables; give postgres://USER@HOST/DATABASE, or an SQLite file such as lists.db",
                "--out：只有数据库才有表；请给出 postgres://USER@HOST/DATABASE，或 SQLite 文件，例如 lists.db",
            )));
        };
        let steps = database.migrate().map_err(|error| Failure::usage_of("--out", &error))?;
        let what = phrase!("the lists in {it}", "{it} 中的列表", it = database.location());
        say(&what, steps);
    }
    Ok(Exit::Complete)
}

fn say(what: &Phrase, steps: usize) {
    let done = match steps {
        0 => phrase!("nothing to do", "无需更新"),
        steps => Noun::new("step", "steps", "步").count(steps as u64),
    };
    say!("qopen: {}", Phrase::about(what, done).shown());
}
