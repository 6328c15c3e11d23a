//! The items of quarantine of a pull.

use std::time::SystemTime;

/// How many items of quarantine a pull has, and when the last one came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Items {
    pub(super) count: u64,
    pub(super) last: Option<SystemTime>,
}

impl Items {
    pub(super) fn add(&mut self, noted: SystemTime) {
        self.count += 1;
        self.last = self.last.max(Some(noted));
    }
}
