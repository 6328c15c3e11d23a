//! The pulls that the driver follows or remembers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use qopen_journal::PullId;
use qopen_types::{MarkId, RobotId};

/// The pulls that the assembler knows, open or remembered, by mark. Looked at before the journal is.
#[derive(Debug, Default)]
pub(crate) struct KnownPulls(Mutex<BTreeMap<MarkId, Vec<RobotId>>>);

impl KnownPulls {
    /// Held for a map operation, never across an await.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MarkId, Vec<RobotId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, pull: &PullId) {
        let mut known = self.lock();
        let robots = known.entry(pull.mark_id.clone()).or_default();
        if !robots.contains(&pull.robot_id) {
            robots.push(pull.robot_id.clone());
        }
    }

    pub(crate) fn remove(&self, pull: &PullId) {
        let mut known = self.lock();
        if let Some(robots) = known.get_mut(&pull.mark_id) {
            robots.retain(|robot| *robot != pull.robot_id);
            if robots.is_empty() {
                known.remove(&pull.mark_id);
            }
        }
    }

    pub(crate) fn contains(&self, pull: &PullId) -> bool {
        self.lock().get(&pull.mark_id).is_some_and(|robots| robots.contains(&pull.robot_id))
    }
}
