//! The lists whose changes lead from one list to the last one.

use std::ops::Range;

use qopen_types::{ChangeCounts, Digest, MarkId};
use tokio_postgres::Row;

/// Reads a robot's history, oldest first. The last columns tell whether the changes are there.
pub(super) const HISTORY: &str = "
    SELECT number, mark_id, revision, baseline, since_mark_id, since_revision,
        accounts_before, accounts, digest_before, digest,
        added, gone, lost, removed, returned, changed,
        EXISTS (
            SELECT FROM qopen.change AS past
            WHERE past.robot_id = list.robot_id AND past.number = list.number
        )
    FROM qopen.list AS list WHERE robot_id = $1 ORDER BY number";

/// A list in the history.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) number: i64,
    pub(super) mark: String,
    pub(super) revision: i64,
    pub(super) baseline: bool,
    pub(super) since_mark: Option<String>,
    pub(super) since_revision: Option<i64>,
    pub(super) accounts_before: u64,
    pub(super) accounts: u64,
    pub(super) digest_before: Option<Digest>,
    pub(super) digest: Option<Digest>,
    pub(super) counts: ChangeCounts,
    pub(super) has_changes: bool,
}

impl Listed {
    pub(super) fn of(row: &Row) -> Self {
        let figure = |at| row.get::<_, i64>(at).unsigned_abs();
        let digest = |at| row.get::<_, Option<&str>>(at).and_then(|it| it.parse().ok());
        let mut counts = ChangeCounts::default();
        (counts.added, counts.gone, counts.lost) = (figure(10), figure(11), figure(12));
        (counts.removed, counts.returned, counts.changed) = (figure(13), figure(14), figure(15));
        Self {
            number: row.get(0),
            mark: row.get(1),
            revision: row.get(2),
            baseline: row.get(3),
            since_mark: row.get(4),
            since_revision: row.get(5),
            accounts_before: figure(6),
            accounts: figure(7),
            digest_before: digest(8),
            digest: digest(9),
            counts,
            has_changes: row.get(16),
        }
    }
}

/// Why the changes since a list cannot be given. The whole list can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotKept {
    /// The list is not in the history, or changes after it are no longer kept.
    Removed,
    /// A later list starts anew: it was not compared.
    Baseline,
    /// The list was revised since, and has this revision now.
    Revised {
        /// The present revision.
        revision: u32,
    },
}

/// The lists whose changes are wanted, as places in the history.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The robot has no history.
    Unknown,
    NotKept(NotKept),
    /// None, if the list is the last one.
    Steps(Range<usize>),
}

/// Finds the lists after the one of `since`; without it, the last one.
pub(super) fn wanted(history: &[Listed], since: Option<(&MarkId, Option<u32>)>) -> Wanted {
    let end = history.len();
    let Some(last) = end.checked_sub(1) else { return Wanted::Unknown };
    let Some((mark, revision)) = since else {
        return match lacks_changes(&history[last]) {
            true => Wanted::NotKept(NotKept::Removed),
            false => Wanted::Steps(last..end),
        };
    };
    let mark = mark.as_str();
    // A list that retention removed is still named by the one after it.
    let (start, found) = match history.iter().rposition(|it| it.mark == mark) {
        Some(at) => (at + 1, Some(history[at].revision)),
        None => {
            let is_after = |it: &Listed| it.since_mark.as_deref() == Some(mark);
            match history.iter().position(is_after) {
                Some(at) => (at, history[at].since_revision),
                None => return Wanted::NotKept(NotKept::Removed),
            }
        }
    };
    if let Some((asked, found)) = revision.zip(found)
        && i64::from(asked) != found
    {
        let revision = u32::try_from(found).unwrap_or(u32::MAX);
        return Wanted::NotKept(NotKept::Revised { revision });
    }
    let mut before = (mark, found, None);
    for list in &history[start..] {
        if list.baseline {
            return Wanted::NotKept(NotKept::Baseline);
        }
        let (mark, revision, number) = before;
        let follows = list.since_mark.as_deref() == Some(mark)
            && (revision.is_none() || list.since_revision == revision)
            && number.is_none_or(|number| list.number == number + 1);
        // A list that was published without a comparison has no row.
        if !follows || lacks_changes(list) {
            return Wanted::NotKept(NotKept::Removed);
        }
        before = (&list.mark, Some(list.revision), Some(list.number));
    }
    Wanted::Steps(start..end)
}

fn lacks_changes(list: &Listed) -> bool {
    !list.has_changes && list.counts.total() > 0
}
