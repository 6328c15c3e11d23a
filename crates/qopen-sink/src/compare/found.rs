//! What a comparison finds: kinds of change, their counts, and the predecessor.

use qopen_types::{MarkId, RobotId};
use serde::{Deserialize, Serialize};

/// What happened to an account between two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// Only the later list has the account.
    Added,
    /// Only the earlier list has the account.
    Gone,
    /// `deleted_by_contact` became true.
    Lost,
    /// `deleted_by_staff` became true.
    Removed,
    /// One of the two flags became false, and neither became true.
    Returned,
    /// Anything else differs.
    Changed,
}

impl Change {
    /// Returns the name of the kind, as in a changes file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Gone => "gone",
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::Returned => "returned",
            Self::Changed => "changed",
        }
    }
}

impl ChangeCounts {
    pub(super) fn count(&mut self, change: Change) {
        let count = match change {
            Change::Added => &mut self.added,
            Change::Gone => &mut self.gone,
            Change::Lost => &mut self.lost,
            Change::Removed => &mut self.removed,
            Change::Returned => &mut self.returned,
            Change::Changed => &mut self.changed,
        };
        *count += 1;
    }
}

/// Counts of the changes between two lists of one robot, in accounts.
///
/// An account counts once, under the first kind that applies in the order of `lost`, `removed`, `returned` and
/// `changed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangeCounts {
    /// Accounts that only the later list has.
    pub added: u64,
    /// Accounts that only the earlier list has.
    pub gone: u64,
    /// Accounts whose `deleted_by_contact` became true.
    pub lost: u64,
    /// Accounts whose `deleted_by_staff` became true.
    pub removed: u64,
    /// Accounts of which one of these flags became false, and neither became true.
    pub returned: u64,
    /// Accounts of which anything else differs.
    pub changed: u64,
}

impl ChangeCounts {
    /// Returns the number of accounts that differ.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.each().into_iter().fold(0, u64::saturating_add)
    }

    pub(super) fn checked_total(&self) -> Option<u64> {
        self.each().into_iter().try_fold(0, u64::checked_add)
    }

    fn each(&self) -> [u64; 6] {
        [self.added, self.gone, self.lost, self.removed, self.returned, self.changed]
    }
}

/// What a comparison of one robot's list with its predecessor found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compared {
    /// The robot.
    pub robot_id: RobotId,
    /// The list that it was compared with.
    pub since: Predecessor,
    /// Accounts of that list.
    pub accounts_before: u64,
    /// The changes since then. All zero after [`Predecessor::Baseline`].
    pub counts: ChangeCounts,
}

impl Compared {
    /// A comparison that found these changes.
    #[must_use]
    pub fn new(
        robot_id: RobotId,
        since: Predecessor,
        accounts_before: u64,
        counts: ChangeCounts,
    ) -> Self {
        Self { robot_id, since, accounts_before, counts }
    }
}

/// The list that a list is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Predecessor {
    /// None: the list is the robot's first one at its place, or starts anew.
    Baseline,
    /// The previous complete list. A revision has the same one as the revisions before it.
    List {
        /// The mark of its pull, if the place knows it.
        mark_id: Option<MarkId>,
        /// Its revision, if the place knows it.
        revision: Option<u32>,
    },
}

/// How a list is compared.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CompareOptions {
    /// Whether the list starts anew: the place's last list is not read. Default false.
    pub new_baseline: bool,
}

impl CompareOptions {
    /// Sets whether the list starts anew: the place's last list is not read. Default false.
    #[must_use]
    pub const fn new_baseline(mut self, anew: bool) -> Self {
        self.new_baseline = anew;
        self
    }
}
