//! Comparison of two lists: what changed since the last complete one.

mod change;
mod changes;
mod fields;
mod lines;
mod list;
mod pass;
mod place;
mod previous;
mod problem;

use qopen_types::{ChangeCounts, MarkId, RobotId};

pub use change::{Change, ChangesHeader, ChangesSince};
pub use changes::ListChanges;
use fields::Members;
pub use list::ListDigest;
pub use place::compare_lists;
pub(crate) use place::{Announced, Comparison, Identity, Place};
pub use problem::ListProblem;

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

/// The number of accounts that differ, unless it overflows.
fn checked_total(counts: &ChangeCounts) -> Option<u64> {
    counts.named().iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))
}
