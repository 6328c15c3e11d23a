//! Counts of changes between two lists.

use serde::{Deserialize, Serialize};

/// Counts of the customers that changed between two lists of a robot. Each customer counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChangeCounts {
    /// Customers that the earlier list lacks.
    pub added: u64,
    /// Customers that the later list lacks.
    pub gone: u64,
    /// Customers who removed the robot: `deleted_by_contact` became true.
    pub lost: u64,
    /// Customers whom the robot's side removed: `deleted_by_staff` became true.
    pub removed: u64,
    /// Customers for whom one of the two flags became false and neither became true.
    pub returned: u64,
    /// Other customers with a field that differs.
    pub changed: u64,
}

impl ChangeCounts {
    /// The counts with their names, in their order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        let Self { added, gone, lost, removed, returned, changed } = *self;
        [
            ("added", added),
            ("gone", gone),
            ("lost", lost),
            ("removed", removed),
            ("returned", returned),
            ("changed", changed),
        ]
    }

    /// The number of customers that changed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
