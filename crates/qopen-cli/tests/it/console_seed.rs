//! Journals with a past, for tests of the console.

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, StreamExt as _};
use qopen::journal::{
    Comparison, DiskJournal, EndState, Evidence, Maintenance as _, Note, Noted, PullId, Started,
};
use qopen::types::ChangeCounts;

/// Seconds of a day.
const DAY: u64 = 86_400;

pub(crate) fn pull_id(robot: &str, mark: &str) -> PullId {
    PullId { robot_id: robot.parse().unwrap(), mark_id: mark.parse().unwrap() }
}

pub(crate) fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(days * DAY)
}

/// A list with its customers, and the number of those that were added and are gone.
pub(crate) struct List {
    pub accounts: u64,
    /// `None` for a first list.
    pub changes: Option<(u64, u64)>,
    pub at: SystemTime,
}

pub(crate) fn started() -> Note {
    let second = Duration::from_secs(1);
    Note::Started(Started::new(second * 3, second * 60, second * 1800))
}

pub(crate) fn ended(status: EndState, why: &str, accounts: u64) -> Note {
    let mut evidence = Evidence::default();
    evidence.quiet_ms = Some(3000);
    let evidence = (status == EndState::Complete).then_some(evidence);
    Note::Ended { status, why: why.to_owned(), accounts, pages: 0, evidence, reason: None }
}

/// The notes of a pull that published a list.
pub(crate) fn published(List { accounts, changes, at }: &List) -> Vec<Noted> {
    let compared = match changes {
        None => Comparison::baseline(),
        Some((added, gone)) => {
            let mut counts = ChangeCounts::default();
            (counts.added, counts.gone, counts.changed) = (*added, *gone, added / 2);
            Comparison::new(None, counts)
        }
    };
    let publication = Note::Published {
        revision: 1,
        accounts: *accounts,
        pages: 0,
        location: "/var/lib/qopen/lists/list.jsonl".to_owned(),
        set_aside: 0,
        changes: None,
        compared: Some(compared),
        evidence: None,
    };
    let complete = ended(EndState::Complete, "the last page and 3 s of quiet", *accounts);
    noted(*at, [started(), complete, publication])
}

/// Notes one second apart, from a time on.
pub(crate) fn noted(at: SystemTime, notes: impl IntoIterator<Item = Note>) -> Vec<Noted> {
    let notes = notes.into_iter().zip(0..);
    notes.map(|(note, second)| Noted { at: at + Duration::from_secs(second), note }).collect()
}

/// Makes a journal in a folder with these pulls, in this order.
pub(crate) async fn seed(folder: &Path, pulls: impl IntoIterator<Item = (PullId, Vec<Noted>)>) {
    restored(folder, pulls, 1).await;
}

/// Makes a journal with very many pulls, in any order.
pub(crate) async fn seed_many(
    folder: &Path,
    pulls: impl IntoIterator<Item = (PullId, Vec<Noted>)>,
) {
    // One group commit holds the notes of many pulls.
    restored(folder, pulls, 512).await;
}

async fn restored(
    folder: &Path,
    pulls: impl IntoIterator<Item = (PullId, Vec<Noted>)>,
    at_once: usize,
) {
    let journal = DiskJournal::open(folder).unwrap();
    let restored = stream::iter(pulls).map(|(pull, notes)| {
        let journal = &journal;
        async move {
            for noted in notes {
                journal.restore(&pull, noted).await.unwrap();
            }
        }
    });
    restored.buffered(at_once).for_each(async |()| {}).await;
}

/// Lists of a robot, one a day.
pub(crate) fn lists_of(robot: &str, count: u64) -> Vec<(PullId, Vec<Noted>)> {
    let list = |day: u64| {
        let changes = (day > 1).then_some((day, day + 1));
        let list = List { accounts: 1000 + day, changes, at: days_ago(count + 1 - day) };
        (pull_id(robot, &format!("{robot}-{day}")), published(&list))
    };
    (1..=count).map(list).collect()
}
