//! The counts of a client.

use qopen_callback::{Refusals, receiver};
use qopen_engine::EngineStats;
use qopen_types::Reading;

/// Counts of a client since it was built. Clones share them.
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

    /// Envelopes and pages that needed a tolerated spelling, by spelling. Contains only spellings
    /// that occurred.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        let count = |it| self.receiver.read_as(it) + self.engine.read_as(it);
        let counts = Reading::ALL.iter().map(|reading| (*reading, count(*reading)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Refusals that pages may have suffered. Share them with the listeners that serve the client's
    /// router.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.receiver.refusals()
    }
}
