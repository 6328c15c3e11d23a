//! What a client counts.

use qopen_callback::{Refusals, receiver};
use qopen_engine::EngineStats;
use qopen_types::Reading;

/// What a client counted since it was made. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    receiver: receiver::ReceiverStats,
    engine: EngineStats,
}

impl Stats {
    pub(crate) fn new(receiver: receiver::ReceiverStats, engine: EngineStats) -> Self {
        Self { receiver, engine }
    }

    /// The receiver's counts: requests, and how they were answered.
    #[must_use]
    pub fn receiver(&self) -> &receiver::ReceiverStats {
        &self.receiver
    }

    /// The engine's counts: pages and error reports, and which pulls they belong to.
    #[must_use]
    pub fn engine(&self) -> &EngineStats {
        &self.engine
    }

    /// Envelopes and pages that had to be read otherwise than plainly, by reading. Contains only
    /// readings that occurred.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        let count = |it| self.receiver.read_as(it) + self.engine.read_as(it);
        let counts = Reading::ALL.iter().map(|reading| (*reading, count(*reading)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// What was refused that may have been a page. Give it to the listeners that serve the client's
    /// router.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.receiver.refusals()
    }
}
