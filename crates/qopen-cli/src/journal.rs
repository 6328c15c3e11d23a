//! Opening and expiring journals, and texts about times and pulls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use qopen::journal::{
    Backend, EndState, Examined, JournalError, Note, Opened, PullId, PullState, Store,
};
use qopen::types::{MarkId, Upgrade};

use crate::beside;
use crate::exit::Failure;
use crate::output::database::ListDatabase;
use crate::report::count;
use crate::say::say;
use crate::settings::Settings;

/// The location of a journal.
pub(crate) type Location = Arc<dyn Backend>;

/// Opens a journal and prints its damage.
pub(crate) async fn open_at(location: &Location) -> Result<Arc<dyn Store>, Failure> {
    opened(location, location.open().await)
}

/// Prints the damage of an opened journal, and removes the note of its previous service.
pub(crate) fn opened(
    location: &Location,
    opened: Result<Opened, JournalError>,
) -> Result<Arc<dyn Store>, Failure> {
    let opened = opened.map_err(|error| cannot_open(location, &error))?;
    if let Some(folder) = location.as_folder() {
        beside::remove(folder);
    }
    if let Some(doubted) = opened.report.doubted {
        say_doubted(location, doubted);
    }
    for damage in &opened.report.damage {
        if !damage.unfinished {
            say!("qopen: the journal in {location} is damaged: {damage}");
        }
    }
    Ok(opened.journal)
}

/// Creates or updates the tables of a journal, and says if it was restored. Returns the number of steps.
pub(crate) async fn migrate(location: &Location) -> Result<usize, JournalError> {
    // A migration says why the journal cannot be looked at.
    let is_restored =
        location.is_shared() && location.examine().await.is_ok_and(|it| it.is_restored);
    let steps = location.migrate().await?;
    if is_restored {
        say_restored(location, "its unfinished pulls");
    }
    Ok(steps)
}

fn say_restored(location: &Location, pulls: &str) {
    say!(
        "qopen: the journal in {location} was restored from a backup, and may lack pages that were acknowledged after it: {pulls} cannot become complete until `qopen quarantine release` accepts that; pull the robots again"
    );
}

/// Says what a restored journal counts against its pulls.
pub(crate) fn say_doubted(location: &Location, doubted: u64) {
    match doubted {
        0 => say!("qopen: the journal in {location} was restored, and has no unfinished pull"),
        doubted => say_restored(location, &count(doubted, "unfinished pull", "unfinished pulls")),
    }
}

/// Fails if there is no journal.
pub(crate) async fn must_exist(location: &Location) -> Result<(), Failure> {
    if location.exists().await.map_err(|error| cannot_open(location, &error))? {
        return Ok(());
    }
    let message = format!("there is no journal in {location}; {}", elsewhere(location));
    Err(Failure::usage(message))
}

fn elsewhere(location: &Location) -> &'static str {
    match location.is_shared() {
        true => "`qopen migrate` makes its tables, and --journal names another",
        false => "--data-dir names another folder",
    }
}

pub(crate) fn cannot_open(location: &Location, error: &JournalError) -> Failure {
    let control = location.as_folder().and_then(beside::read);
    let what = match (error, control) {
        (JournalError::Locked { .. }, Some(address)) => &format!(
            "cannot be opened; ask the control API of `qopen serve` at http://{address}/v1/pulls, stop that process, or give another folder with --data-dir"
        ),
        (JournalError::Locked { .. }, None) => {
            "cannot be opened; wait for that process, stop it, or give another folder with --data-dir"
        }
        _ if location.is_shared() => "cannot be opened; --journal names another",
        _ => "cannot be opened; --data-dir names another folder",
    };
    Failure::usage_of(format!("the journal in {location} {what}"), error)
}

/// What `qopen doctor` says of the journal.
pub(crate) struct Look {
    pub(crate) line: Result<String, Failure>,
    /// What the first use by this version does to the format. `None` if there is no journal.
    pub(crate) format: Option<Upgrade>,
    /// Whether it was restored from a backup, which no process has counted yet.
    pub(crate) is_restored: bool,
}

/// Looks at the journal for `qopen doctor`. Changes nothing.
pub(crate) async fn examine(settings: &Settings) -> Look {
    let failed = |failure| Look { line: Err(failure), format: None, is_restored: false };
    let location = match settings.journal() {
        Ok(location) => location,
        Err(failure) => return failed(failure),
    };
    match location.examine().await {
        Err(error) => failed(cannot_open(&location, &error)),
        Ok(found) => Look {
            line: line_of(&location, &found).await,
            is_restored: found.is_restored,
            format: found.upgrade.filter(|it| it.found.is_some()),
        },
    }
}

async fn line_of(location: &Location, found: &Examined) -> Result<String, Failure> {
    must_be_current(location).await?;
    if !location.exists().await.map_err(|error| cannot_open(location, &error))? {
        return Ok(match location.as_folder().is_some_and(|it| it.is_dir()) {
            true => format!("{location} holds no journal yet; the first pull makes one"),
            false => format!("{location} will be made"),
        });
    }
    if let Some(holder) = &found.holder {
        return Ok(format!("{location}: in use ({holder})"));
    }
    let report = &found.report;
    let damage: Vec<_> = report.damage.iter().filter(|it| !it.unfinished).collect();
    let pulls = count(report.pulls, "pull", "pulls");
    match damage.first() {
        None if location.is_shared() => Ok(format!("{location}: {pulls}")),
        None => Ok(format!("{location}: {pulls}, {} MiB", report.bytes.div_ceil(1 << 20))),
        Some(first) => {
            let places = count(damage.len() as u64, "place", "places");
            Err(Failure::usage(format!("{location}: damaged in {places}, the first: {first}")))
        }
    }
}

/// Fails if a shared journal has no tables, or those of another version.
async fn must_be_current(location: &Location) -> Result<(), Failure> {
    match location.exists().await.map_err(|error| cannot_open(location, &error))? {
        false if location.is_shared() => {
            Err(Failure::usage(format!("{location}: {}", elsewhere(location))))
        }
        _ => Ok(()),
    }
}

/// Deletes pulls and events older than `retain`, except the pulls in `spare`. Returns the deleted pulls.
pub(crate) async fn expire(
    journal: &dyn Store,
    retain: Duration,
    spare: &BTreeSet<PullId>,
) -> Vec<PullId> {
    match journal.expire(retain, spare).await {
        Ok(gone) => {
            if !gone.pulls.is_empty() {
                let pulls = count(gone.pulls.len() as u64, "pull", "pulls");
                say!("qopen: deleted {pulls} older than --retain");
            }
            if gone.events > 0 {
                let events = count(gone.events, "old event", "old events");
                say!("qopen: deleted {events}, which could not be forwarded in time");
            }
            gone.pulls
        }
        Err(error) => {
            let error = crate::exit::chain("old pulls could not be deleted", &error);
            say!("qopen: {error}");
            Vec::new()
        }
    }
}

/// Removes the lists of deleted pulls from the history of a database. Each robot's last list stays.
pub(crate) async fn forget(database: ListDatabase, pulls: Vec<PullId>) {
    let location = database.location();
    let forgotten = tokio::task::spawn_blocking(move || database.sink().forget(&pulls)).await;
    match forgotten {
        Ok(Ok(0)) => {}
        Ok(Ok(lists)) => {
            let lists = count(lists, "list", "lists");
            say!("qopen: removed {lists} older than --retain from the history in {location}");
        }
        Ok(Err(error)) => {
            let what = format!("old lists stay in the history in {location}");
            say!("qopen: {}", crate::exit::chain(&what, &error));
        }
        // The process ends.
        Err(_) => {}
    }
}

/// Returns the pulls of a mark: one, unless marks were chosen by hand.
pub(crate) async fn of_mark(journal: &dyn Store, mark: &str) -> Result<Vec<PullState>, Failure> {
    marked(all(journal).await?, mark, |state| state.pull.mark_id.as_str())
}

/// Minimum length of an abbreviated mark or item name, in characters.
pub(crate) const ENOUGH: usize = 4;

/// Maximum number of marks in a message.
const LISTED: usize = 10;

/// Returns the elements of the only mark that is `wanted` or begins with it.
pub(crate) fn marked<T>(
    mut all: Vec<T>,
    wanted: &str,
    mark: impl Fn(&T) -> &str,
) -> Result<Vec<T>, Failure> {
    // A terminal shows a long mark up to there.
    let wanted = wanted.strip_suffix('…').unwrap_or(wanted);
    MarkId::new(wanted)
        .map_err(|error| Failure::usage_of(format!("the mark {wanted:?}"), &error))?;
    if all.iter().any(|it| mark(it) == wanted) {
        all.retain(|it| mark(it) == wanted);
        return Ok(all);
    }
    let there = "`qopen pulls list` shows all marks";
    if wanted.chars().count() < ENOUGH {
        let message = format!(
            "the journal has no pull of mark {wanted}; the beginning of a mark has at least {ENOUGH} characters; {there}"
        );
        return Err(Failure::usage(message));
    }
    all.retain(|it| mark(it).starts_with(wanted));
    let marks: BTreeSet<&str> = all.iter().map(&mark).collect();
    match marks.len() {
        0 => {
            let message =
                format!("the journal has no pull whose mark begins with {wanted}; {there}");
            Err(Failure::usage(message))
        }
        1 => Ok(all),
        count => {
            let mut message = format!("{count} marks begin with {wanted}; give more of one:");
            for mark in marks.iter().take(LISTED) {
                message.push_str("\n  ");
                message.push_str(mark);
            }
            if count > LISTED {
                message.push_str(&format!("\n  and {} more; {there}", count - LISTED));
            }
            Err(Failure::usage(message))
        }
    }
}

pub(crate) async fn all(journal: &dyn Store) -> Result<Vec<PullState>, Failure> {
    let pulls = journal.pulls().await;
    pulls.map_err(|error| Failure::unexpected("the journal cannot be read", &error))
}

/// Returns the status of a pull in one word.
pub(crate) fn status(state: &PullState) -> &str {
    state.end_state().map_or("open", EndState::as_str)
}

/// Returns the reason why a pull's list is not complete.
pub(crate) fn why_incomplete(state: &PullState) -> String {
    match state.ended().map(|noted| &noted.note) {
        Some(Note::Ended { status, why, .. }) if *status != EndState::Complete => why.clone(),
        Some(_) => "pages are lost that the list was made from".to_owned(),
        None => "the pull has not ended".to_owned(),
    }
}

/// Refuses a list that is not complete, on the command line and over the control API.
pub(crate) fn needs_partial(why: &str) -> String {
    format!(
        "the list is not complete: {why}; --partial, or ?partial=true of the control API, gives the incomplete list"
    )
}

/// Refuses to accept a list that was not held.
pub(crate) const NOT_HELD: &str =
    "no list of this pull is held; --max-gone, --verify-gone and --confirm hold lists";

/// Refuses to accept a list that a later one replaced.
pub(crate) const SUPERSEDED: &str = "the list of this pull is superseded: the list of a later pull was published, and an earlier one must not replace it; pull again for the current list";

/// Refuses to resume a pull whose list is held.
pub(crate) fn held(pull: &PullId) -> String {
    let mark = &pull.mark_id;
    format!("the list of {pull} is held; `qopen pulls accept {mark}` publishes it")
}

/// Whether a pull is complete and its list was never published. A held list waits for a person.
pub(crate) fn is_unpublished(state: &PullState) -> bool {
    let is_decided = state.is_superseded() || state.held().is_some();
    state.is_complete() && state.published().is_none() && !is_decided
}

/// Formats a time in UTC, to the second.
pub(crate) fn time(at: SystemTime) -> String {
    match Timestamp::try_from(at) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::marked;
    use crate::exit::Exit;

    #[test]
    fn a_mark_is_named_by_an_unambiguous_beginning() {
        let marks = ["0199-aaaa", "0199-aabb", "0199-aa", "tiny", "müßig-1", "0199-aabb"];
        let find = |wanted| marked(marks.to_vec(), wanted, |it| it);
        assert_eq!(find("0199-aaa").unwrap(), ["0199-aaaa"]);
        assert_eq!(find("0199-aab").unwrap(), ["0199-aabb"; 2], "one mark of two robots");
        assert_eq!(find("0199-aa").unwrap(), ["0199-aa"], "exact, and the beginning of others");
        assert_eq!(find("müßi").unwrap(), ["müßig-1"]);
        assert_eq!(find("0199-aaa…").unwrap(), ["0199-aaaa"], "cut by a table");
        assert_eq!(marked(vec!["abc"], "abc", |it| it).unwrap(), ["abc"], "exact and short");
        for (wanted, what) in [
            ("0199", "3 marks begin with 0199; give more of one:\n  0199-aa\n  0199-aaaa\n"),
            ("019", "at least 4 characters"),
            ("0200", "no pull whose mark begins with 0200"),
            ("0199-aaaa-more", "no pull whose mark begins with"),
            ("", "cannot be empty"),
        ] {
            let failure = find(wanted).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains(what), "{failure}");
        }
        let many: Vec<String> = (0..12).map(|it| format!("many-{it:02}")).collect();
        let failure = marked(many, "many", |it| it).unwrap_err().to_string();
        assert!(failure.contains("many-09\n  and 2 more") && !failure.contains("many-10"));
    }
}
