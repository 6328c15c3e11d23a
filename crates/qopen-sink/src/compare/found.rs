//! What a comparison finds: kinds of change, their counts, and the predecessor.

use qopen_types::{ChangeCounts, MarkId, RobotId};
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
    /// Returns its name in JSON, such as `added`.
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

    /// Adds one account to the number of its kind.
    pub fn count(self, counts: &mut ChangeCounts) {
        let count = match self {
            Self::Added => &mut counts.added,
            Self::Gone => &mut counts.gone,
            Self::Lost => &mut counts.lost,
            Self::Removed => &mut counts.removed,
            Self::Returned => &mut counts.returned,
            Self::Changed => &mut counts.changed,
        };
        *count += 1;
    }
}

/// The number of accounts that differ, unless it overflows.
pub(super) fn checked_total(counts: &ChangeCounts) -> Option<u64> {
    counts.named().iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))
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
