//! The history of a robot's lists in a database, and the lists whose changes lead from one list to the last one.

#[cfg(test)]
mod tests;

use std::ops::Range;

use qopen_types::{ChangeCounts, Digest, MarkId, RobotId};
use serde::Serialize;

use crate::SinkError;

/// What a database has of the changes since a list.
#[derive(Debug)]
#[non_exhaustive]
pub enum FoundChanges<L> {
    /// No list of the robot is in the history.
    Unknown,
    /// The changes cannot be given.
    NotKept(NotKept),
    /// The changes. They are empty if the list is the last one.
    Lines(L),
}

impl<L> FoundChanges<L> {
    /// Replaces the changes by what the function makes of them.
    pub fn map<M>(self, lines: impl FnOnce(L) -> M) -> FoundChanges<M> {
        match self {
            Self::Unknown => FoundChanges::Unknown,
            Self::NotKept(why) => FoundChanges::NotKept(why),
            Self::Lines(found) => FoundChanges::Lines(lines(found)),
        }
    }
}

/// The columns of a table of lists that [`KeptList`] has, in its order, without the last one.
pub const KEPT_LIST: &str = "number, mark_id, revision, baseline, since_mark_id, since_revision,
    accounts_before, accounts, digest_before, digest, added, gone, lost, removed, returned, changed";

/// A list in the history of a database.
#[derive(Clone, Debug, Default)]
pub struct KeptList {
    /// Its number among the robot's lists, from 1.
    pub number: i64,
    /// The mark of its pull.
    pub mark_id: String,
    /// Its revision.
    pub revision: i64,
    /// Whether changes begin with it.
    pub baseline: bool,
    /// The mark of the list before it.
    pub since_mark_id: Option<String>,
    /// The revision of the list before it.
    pub since_revision: Option<i64>,
    /// The accounts of the list before it.
    pub accounts_before: u64,
    /// Its accounts.
    pub accounts: u64,
    /// The digest of the list before it; `None` if an earlier version published that list.
    pub digest_before: Option<Digest>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// The changes that were published with it.
    pub counts: ChangeCounts,
    /// Whether the table of changes has any of them.
    pub has_changes: bool,
}

impl KeptList {
    /// Appends the line that begins its changes in a file of changes.
    ///
    /// # Errors
    /// [`SinkError::Encode`].
    pub fn write_header(&self, robot_id: &RobotId, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let header = Header::of(robot_id.as_str(), self);
        let written = serde_json::to_writer(&mut *out, &header);
        written.map_err(|error| SinkError::Encode(error.into()))?;
        out.push(b'\n');
        Ok(())
    }
}

/// A header, as in a file of changes.
#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    mark_id: &'a str,
    revision: i64,
    since: Option<Before<'a>>,
    until: Side,
    #[serde(flatten)]
    counts: ChangeCounts,
}

/// The list before.
#[derive(Serialize)]
struct Before<'a> {
    mark_id: Option<&'a str>,
    revision: Option<i64>,
    #[serde(flatten)]
    side: Side,
}

/// A list on one side of changes.
#[derive(Serialize)]
struct Side {
    accounts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
}

impl<'a> Header<'a> {
    fn of(robot_id: &'a str, list: &'a KeptList) -> Self {
        let before = Before {
            mark_id: list.since_mark_id.as_deref(),
            revision: list.since_revision,
            side: Side { accounts: list.accounts_before, digest: list.digest_before },
        };
        Self {
            r#type: "changes",
            robot_id,
            mark_id: &list.mark_id,
            revision: list.revision,
            since: (!list.baseline).then_some(before),
            until: Side { accounts: list.accounts, digest: list.digest },
            counts: list.counts,
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

/// The lists of a robot whose changes are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListsSince {
    /// The robot has no history.
    Unknown,
    /// The changes cannot be given.
    NotKept(NotKept),
    /// Places in the history. None, if the list is the last one.
    Lists(Range<usize>),
}

/// Finds the lists after the one of `since` in a robot's history, oldest first; without `since`, the last one.
#[must_use]
pub fn lists_since(history: &[KeptList], since: Option<(&MarkId, Option<u32>)>) -> ListsSince {
    let end = history.len();
    let Some(last) = end.checked_sub(1) else { return ListsSince::Unknown };
    let Some((mark, revision)) = since else {
        return match lacks_changes(&history[last]) {
            true => ListsSince::NotKept(NotKept::Removed),
            false => ListsSince::Lists(last..end),
        };
    };
    let mark = mark.as_str();
    // A list that retention removed is still named by the one after it.
    let (start, found) = match history.iter().rposition(|it| it.mark_id == mark) {
        Some(at) => (at + 1, Some(history[at].revision)),
        None => {
            let is_after = |it: &KeptList| it.since_mark_id.as_deref() == Some(mark);
            match history.iter().position(is_after) {
                Some(at) => (at, history[at].since_revision),
                None => return ListsSince::NotKept(NotKept::Removed),
            }
        }
    };
    if let Some((asked, found)) = revision.zip(found)
        && i64::from(asked) != found
    {
        let revision = u32::try_from(found).unwrap_or(u32::MAX);
        return ListsSince::NotKept(NotKept::Revised { revision });
    }
    let mut before = (mark, found, None);
    for list in &history[start..] {
        if list.baseline {
            return ListsSince::NotKept(NotKept::Baseline);
        }
        let (mark, revision, number) = before;
        let follows = list.since_mark_id.as_deref() == Some(mark)
            && (revision.is_none() || list.since_revision == revision)
            && number.is_none_or(|number| list.number == number + 1);
        // A list that was published without a comparison has no row.
        if !follows || lacks_changes(list) {
            return ListsSince::NotKept(NotKept::Removed);
        }
        before = (&list.mark_id, Some(list.revision), Some(list.number));
    }
    ListsSince::Lists(start..end)
}

fn lacks_changes(list: &KeptList) -> bool {
    !list.has_changes && list.counts.total() > 0
}
