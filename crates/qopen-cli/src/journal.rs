//! The journal as the command line opens it, and how it speaks of times and pulls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use qopen::journal::{JournalError, Location, Note, PullId, PullState, Store};
use qopen::types::MarkId;

use crate::exit::Failure;
use crate::say::say;
use crate::settings::Settings;

/// Opens a journal, and says what is wrong with it.
pub(crate) async fn open_at(location: &Location) -> Result<Arc<dyn Store>, Failure> {
    let opened = location.open().await.map_err(|error| cannot_open(location, &error))?;
    for damage in &opened.report.damage {
        if !damage.unfinished {
            say!("qopen: the journal in {location} is damaged: {damage}");
        }
    }
    Ok(opened.journal)
}

/// Opens it where it is there: looking must not make one.
pub(crate) async fn open_existing(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let location = settings.journal()?;
    if !location.exists().await.map_err(|error| cannot_open(&location, &error))? {
        let message = format!("there is no journal in {location}; {}", elsewhere(&location));
        return Err(Failure::usage(message));
    }
    open_at(&location).await
}

fn elsewhere(location: &Location) -> &'static str {
    match location.is_shared() {
        true => "`qopen migrate` makes its tables, and --journal names another",
        false => "--data-dir names another folder",
    }
}

pub(crate) fn cannot_open(location: &Location, error: &JournalError) -> Failure {
    let what = match error {
        JournalError::Locked { .. } => {
            "cannot be opened; wait for that process, ask its control API if it is `qopen serve`, or give another folder with --data-dir"
        }
        _ if location.is_shared() => "cannot be opened; --journal names another",
        _ => "cannot be opened; --data-dir names another folder",
    };
    Failure::usage_of(&format!("the journal in {location} {what}"), error)
}

/// What `qopen doctor` says of it.
pub(crate) async fn examine(settings: &Settings) -> Result<String, Failure> {
    let location = settings.journal()?;
    if !location.exists().await.map_err(|error| cannot_open(&location, &error))? {
        return match location.is_shared() {
            true => Err(Failure::usage(format!("{location}: {}", elsewhere(&location)))),
            false if location.as_folder().is_some_and(|it| it.is_dir()) => {
                Ok(format!("{location} holds no journal yet; the first pull makes one"))
            }
            false => Ok(format!("{location} will be made")),
        };
    }
    let opened = match location.open().await {
        Err(JournalError::Locked { holder }) => {
            return Ok(format!("{location}: in use ({holder})"));
        }
        opened => opened.map_err(|error| cannot_open(&location, &error))?,
    };
    let pulls = opened.journal.holdings().await;
    let pulls = pulls.map_err(|error| cannot_open(&location, &error))?.pulls;
    let report = opened.report;
    let damage: Vec<_> = report.damage.iter().filter(|it| !it.unfinished).collect();
    match damage.first() {
        None if location.is_shared() => Ok(format!("{location}: {pulls} pulls")),
        None => Ok(format!("{location}: {pulls} pulls, {} MiB", report.bytes.div_ceil(1 << 20))),
        Some(first) => Err(Failure::usage(format!(
            "{location}: damaged in {} places, the first: {first}",
            damage.len()
        ))),
    }
}

/// Forgets what is older than that, but for what is to be spared.
pub(crate) async fn expire(journal: &dyn Store, retain: Duration, spare: &BTreeSet<PullId>) {
    match journal.expire(retain, spare).await {
        Ok(gone) => {
            if !gone.pulls.is_empty() {
                let pulls = gone.pulls.len();
                say!("qopen: {pulls} pulls were kept long enough and are deleted");
            }
            if gone.events > 0 {
                let events = gone.events;
                say!("qopen: {events} events waited too long to be forwarded and are deleted");
            }
        }
        Err(error) => {
            let error = crate::exit::chain("old pulls could not be deleted", &error);
            say!("qopen: {error}");
        }
    }
}

/// The pulls of that mark: one, unless marks were chosen by hand.
pub(crate) async fn of_mark(journal: &dyn Store, mark: &str) -> Result<Vec<PullState>, Failure> {
    let mark = MarkId::new(mark)
        .map_err(|error| Failure::usage_of(&format!("the mark {mark:?}"), &error))?;
    let all = all(journal).await?;
    let found: Vec<_> = all.into_iter().filter(|it| it.pull.mark_id == mark).collect();
    if found.is_empty() {
        let message =
            format!("the journal has no pull of mark {mark}; `qopen pulls list` shows them all");
        return Err(Failure::usage(message));
    }
    Ok(found)
}

pub(crate) async fn all(journal: &dyn Store) -> Result<Vec<PullState>, Failure> {
    let pulls = journal.pulls().await;
    pulls.map_err(|error| Failure::unexpected("the journal cannot be read", &error))
}

/// Where a pull stands, in a word.
pub(crate) fn status(state: &PullState) -> &str {
    match state.ended().map(|noted| &noted.note) {
        Some(Note::Ended { status, .. }) => status,
        _ => "open",
    }
}

/// Whether a pull is complete and its list was never published.
pub(crate) fn is_unpublished(state: &PullState) -> bool {
    status(state) == "complete" && state.published().is_none() && !state.is_superseded()
}

/// A time as people write it, in UTC, to the second.
pub(crate) fn time(at: SystemTime) -> String {
    match Timestamp::try_from(at) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "?".to_owned(),
    }
}
