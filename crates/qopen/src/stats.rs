//! What a client counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use qopen_callback::{Refusals, RejectReason, receiver};
use qopen_journal::PullId;
use qopen_types::Reading;

/// What a client's receiver counted since the client was made. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub(crate) receiver: receiver::Stats,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    duplicate_pages: AtomicU64,
    unknown_marks: AtomicU64,
    unreadable: AtomicU64,
    stray_reports: AtomicU64,
    repeated_reports: AtomicU64,
    /// A pull that was named and is not known, and the known one that is most like it.
    stranger: Mutex<Option<Stranger>>,
}

/// A pull that a page named, and that nobody here asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stranger {
    /// What the page named.
    pub named: PullId,
    /// A pull that differs from it only in the case of the mark's letters, or in the robot.
    pub near: Option<PullId>,
}

impl Stats {
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
        self.counts.duplicate_pages.load(Ordering::Relaxed)
    }

    /// Pages and error reports of pulls that neither the client nor its journal knows.
    #[must_use]
    pub fn unknown_marks(&self) -> u64 {
        self.counts.unknown_marks.load(Ordering::Relaxed)
    }

    /// Callbacks that verified and could not be understood.
    #[must_use]
    pub fn unreadable_pages(&self) -> u64 {
        self.counts.unreadable.load(Ordering::Relaxed)
    }

    /// Error reports that belong to no pull that is open, or to several.
    #[must_use]
    pub fn stray_reports(&self) -> u64 {
        self.counts.stray_reports.load(Ordering::Relaxed)
    }

    /// Error reports that came before: each counts once.
    #[must_use]
    pub fn repeated_reports(&self) -> u64 {
        self.counts.repeated_reports.load(Ordering::Relaxed)
    }

    /// The last pull that a page named and that is not known here.
    #[must_use]
    pub fn last_stranger(&self) -> Option<Stranger> {
        self.counts.stranger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Callbacks that were verified, and that no key opened.
    #[must_use]
    pub fn undecrypted(&self) -> u64 {
        self.receiver.undecrypted()
    }

    /// Callbacks that had to be read otherwise than plainly, by reading; only those that occurred.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        self.receiver.readings()
    }

    /// What was refused that may have been a page. Give it to the listeners that serve the client's
    /// router.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.receiver.refusals()
    }

    /// What the receiver counted.
    #[must_use]
    pub fn receiver(&self) -> &receiver::Stats {
        &self.receiver
    }

    pub(crate) fn count_duplicate(&self) {
        self.counts.duplicate_pages.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_unreadable(&self) {
        self.counts.unreadable.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stray_report(&self) {
        self.counts.stray_reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_repeated_report(&self) {
        self.counts.repeated_reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stranger(&self, named: PullId, near: Option<PullId>) {
        self.counts.unknown_marks.fetch_add(1, Ordering::Relaxed);
        let stranger = Some(Stranger { named, near });
        *self.counts.stranger.lock().unwrap_or_else(PoisonError::into_inner) = stranger;
    }
}
