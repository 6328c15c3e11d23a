//! A lookup of customers that a signal ends.

use std::sync::Arc;

use async_trait::async_trait;
use qopen::engine::{AccountLookup, LookupError};
use qopen::types::{AccountId, RobotId};
use tokio::sync::watch;

use crate::wiring;

/// Looks up customers until the process should stop. The publication then fails, and removes its temporary
/// files.
pub(crate) struct Stoppable {
    lookup: Arc<dyn AccountLookup>,
    stopping: watch::Receiver<bool>,
}

impl Stoppable {
    pub(crate) fn new(lookup: Arc<dyn AccountLookup>) -> Self {
        Self { lookup, stopping: wiring::interruption() }
    }
}

#[async_trait]
impl AccountLookup for Stoppable {
    async fn look_up(
        &self,
        robot_id: &RobotId,
        ids: &[AccountId],
    ) -> Result<Vec<AccountId>, LookupError> {
        tokio::select! {
            found = self.lookup.look_up(robot_id, ids) => found,
            () = wiring::told(self.stopping.clone()) => Err(LookupError::new("interrupted by a signal")),
        }
    }
}
