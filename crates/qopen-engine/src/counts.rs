//! The counts of an engine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use qopen_journal::PullId;
use qopen_types::{Reading, Readings};

use crate::status_kind::StatusKind;

/// Counts of an engine since it was built. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct EngineStats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    duplicate_pages: AtomicU64,
    unknown_marks: AtomicU64,
    unreadable: AtomicU64,
    stray_reports: AtomicU64,
    repeated_reports: AtomicU64,
    ended: [AtomicU64; StatusKind::ALL.len()],
    readings: [AtomicU64; Reading::ALL.len()],
    /// The last unknown pull that a page named, and the known one that resembles it most.
    last_unknown: Mutex<Option<UnknownPull>>,
}

/// A pull that a page named, and that this engine did not request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownPull {
    /// The pull as the page names it.
    pub named: PullId,
    /// A pull that differs from it only in the case of the mark's letters, or in the robot.
    pub near: Option<PullId>,
}

impl EngineStats {
    /// Pages that the journal had already.
    #[must_use]
    pub fn duplicate_pages(&self) -> u64 {
        self.0.duplicate_pages.load(Ordering::Relaxed)
    }

    /// Pages of pulls that neither the engine nor its journal knows.
    #[must_use]
    pub fn unknown_marks(&self) -> u64 {
        self.0.unknown_marks.load(Ordering::Relaxed)
    }

    /// Payloads that went into quarantine.
    #[must_use]
    pub fn unreadable_pages(&self) -> u64 {
        self.0.unreadable.load(Ordering::Relaxed)
    }

    /// Error reports that belong to no open pull, or to several.
    #[must_use]
    pub fn stray_reports(&self) -> u64 {
        self.0.stray_reports.load(Ordering::Relaxed)
    }

    /// Error reports that came before: each counts once.
    #[must_use]
    pub fn repeated_reports(&self) -> u64 {
        self.0.repeated_reports.load(Ordering::Relaxed)
    }

    /// Pulls that ended in this way. A pull that late pages open again, or that is resumed without a list,
    /// counts at each of its ends.
    #[must_use]
    pub fn ended(&self, kind: StatusKind) -> u64 {
        self.0.ended[kind as usize].load(Ordering::Relaxed)
    }

    /// The last pull that a page named and that is not known here.
    #[must_use]
    pub fn last_unknown_pull(&self) -> Option<UnknownPull> {
        self.0.last_unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pages that needed this tolerated spelling.
    #[must_use]
    pub fn read_as(&self, reading: Reading) -> u64 {
        self.0.readings[reading as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count_end(&self, kind: StatusKind) {
        self.0.ended[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_readings(&self, readings: Readings) {
        for reading in readings.iter() {
            self.0.readings[reading as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_duplicate(&self) {
        self.0.duplicate_pages.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_unreadable(&self) {
        self.0.unreadable.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stray_report(&self) {
        self.0.stray_reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_repeated_report(&self) {
        self.0.repeated_reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_unknown_pull(&self, named: PullId, near: Option<PullId>) {
        self.0.unknown_marks.fetch_add(1, Ordering::Relaxed);
        let unknown = Some(UnknownPull { named, near });
        *self.0.last_unknown.lock().unwrap_or_else(PoisonError::into_inner) = unknown;
    }
}
