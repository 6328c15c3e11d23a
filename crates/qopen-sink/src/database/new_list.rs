//! A list on its way to a database, and its comparison with the list that is published of its robot.

use std::fmt;
use std::path::Path;

use qopen_types::{ChangeCounts, Digest, MarkId, RobotId};

use super::last_list::LastList;
use super::spool::Records;
use crate::{ListBasis, ListInfo, ListKind, Moved, Predecessor};

/// A robot's new list.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewList {
    /// The robot.
    pub robot_id: RobotId,
    /// The mark of its pull.
    pub mark: String,
    /// Its revision.
    pub revision: i64,
    /// Its place in the order of lists, if it is known.
    pub order: Option<i64>,
    /// The number of its records, once they are settled.
    pub accounts: i64,
    /// What its completeness rests on.
    pub basis: Option<ListBasis>,
}

impl NewList {
    /// That list, without records.
    #[must_use]
    pub fn of(list: &ListInfo<'_>) -> Self {
        Self {
            robot_id: list.robot_id.clone(),
            mark: list.mark_id.to_string(),
            revision: i64::from(list.revision),
            order: list.order.and_then(|order| i64::try_from(order).ok()),
            accounts: 0,
            basis: None,
        }
    }
}

/// Settled lists.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct NewLists<'a> {
    /// Whether they are complete.
    pub kind: ListKind,
    /// The lists, in the order in which they were begun.
    pub lists: &'a [NewList],
    /// Their records.
    pub records: &'a Records,
    /// The callback for progress.
    pub moved: Option<&'a Moved>,
    /// The folder for temporary files; `None` for the system's.
    pub scratch: Option<&'a Path>,
}

impl fmt::Debug for NewLists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLists").field("lists", &self.lists).finish_non_exhaustive()
    }
}

/// What is published of a robot.
#[derive(Clone, Debug, Default)]
pub struct LastPublished {
    /// Its last complete list.
    pub list: LastList,
    /// A number that each publication of a complete list changes. `None` is the number before the first one.
    pub publication: Option<i64>,
    /// The number of its last list in the history, from 1; 0 without one.
    pub number: i64,
}

impl LastPublished {
    /// Returns the number of the new list in the history, and whether it is a revision of the last one.
    pub(super) fn place(&self) -> (i64, bool) {
        match self.list.history {
            Some(_) => (self.number, true),
            None => (self.number + 1, false),
        }
    }
}

/// A comparison of a new list with the last one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListComparison {
    /// The list with which the new one was compared.
    pub since: Predecessor,
    /// The number of its accounts.
    pub accounts_before: u64,
    /// The number of the new list in the history.
    pub number: i64,
    /// Whether the new list is a revision of the list with that number.
    pub is_revision: bool,
    /// The changes.
    pub counts: ChangeCounts,
    /// The digest of the new list's lines.
    pub digest: Digest,
}

impl ListComparison {
    /// Returns the mark and the revision of the list with which the new one was compared.
    #[must_use]
    pub fn list_before(&self) -> (Option<&str>, Option<u32>) {
        match &self.since {
            Predecessor::List { mark_id, revision } => {
                (mark_id.as_ref().map(MarkId::as_str), *revision)
            }
            Predecessor::Baseline => (None, None),
        }
    }
}
