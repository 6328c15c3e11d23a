//! What a client counts.

use qopen_callback::{Refusals, RejectReason, receiver};
use qopen_engine::{EngineStats, Stranger};
use qopen_types::Reading;

/// What a client counted since it was made: its receiver's counts and its engine's. Clones share the
/// counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    receiver: receiver::Stats,
    engine: EngineStats,
}

impl Stats {
    pub(crate) fn new(receiver: receiver::Stats, engine: EngineStats) -> Self {
        Self { receiver, engine }
    }

    /// Callbacks that were not answered `success`, by reason; only reasons that occurred.
    #[must_use]
    pub fn rejections(&self) -> Vec<(RejectReason, u64)> {
        self.receiver.rejections()
    }

    /// Callbacks that were not answered `success`.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejections().iter().map(|(_, count)| count).sum()
    }

    /// Requests that reached the callback's path.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.receiver.received()
    }

    /// Callbacks that were verified and opened.
    #[must_use]
    pub fn verified(&self) -> u64 {
        self.receiver.opened()
    }

    /// Of these, callbacks that another pair of keys than the first of the ring opened.
    #[must_use]
    pub fn later_keys(&self) -> u64 {
        self.receiver.later_keys()
    }

    /// Callbacks answered `success`.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.receiver.accepted()
    }

    /// Events of other kinds.
    #[must_use]
    pub fn other_events(&self) -> u64 {
        self.receiver.other_events()
    }

    /// Callbacks whose timestamp was stale.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.receiver.stale()
    }

    /// Pages that the journal had already.
    #[must_use]
    pub fn duplicate_pages(&self) -> u64 {
        self.engine.duplicate_pages()
    }

    /// Pages and error reports of pulls that neither the client nor its journal knows.
    #[must_use]
    pub fn unknown_marks(&self) -> u64 {
        self.engine.unknown_marks()
    }

    /// Callbacks that verified and could not be understood.
    #[must_use]
    pub fn unreadable_pages(&self) -> u64 {
        self.engine.unreadable_pages()
    }

    /// Error reports that belong to no pull that is open, or to several.
    #[must_use]
    pub fn stray_reports(&self) -> u64 {
        self.engine.stray_reports()
    }

    /// Error reports that came before: each counts once.
    #[must_use]
    pub fn repeated_reports(&self) -> u64 {
        self.engine.repeated_reports()
    }

    /// The last pull that a page named and that is not known here.
    #[must_use]
    pub fn last_stranger(&self) -> Option<Stranger> {
        self.engine.last_stranger()
    }

    /// Callbacks that were verified, and that no key opened.
    #[must_use]
    pub fn undecrypted(&self) -> u64 {
        self.receiver.undecrypted()
    }

    /// Callbacks that had to be read otherwise than plainly, by reading; only those that occurred.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        let opened = self.receiver.readings();
        let both = Reading::ALL.iter().map(|reading| {
            let of_envelopes = opened.iter().find(|(known, _)| known == reading);
            let count = of_envelopes.map_or(0, |(_, count)| *count);
            (*reading, count + self.engine.pages_read_as(*reading))
        });
        both.filter(|(_, count)| *count > 0).collect()
    }

    /// What was refused that may have been a page. Give it to the listeners that serve the client's
    /// router.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.receiver.refusals()
    }

    /// The receiver's counts.
    #[must_use]
    pub fn receiver(&self) -> &receiver::Stats {
        &self.receiver
    }

    /// The engine's counts.
    #[must_use]
    pub fn engine(&self) -> &EngineStats {
        &self.engine
    }
}
