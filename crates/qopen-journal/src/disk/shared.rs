//! State that readers and the writer of a journal on disk share.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use qopen_types::Digest;

use super::ages;
use super::index::Index;
use crate::{JournalStats, PullId};

/// The journal's folder, and its state in memory.
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) index: Mutex<Index>,
    pub(super) stats: Mutex<JournalStats>,
    pub(super) ages: Mutex<ages::Watch>,
    /// Pages that readers found to be lost, for the writer to note.
    pub(super) lost: Mutex<Vec<(PullId, Digest)>>,
}

impl Shared {
    /// Held to copy it or to add to it.
    pub(super) fn stats(&self) -> MutexGuard<'_, JournalStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held to add to it or to take all of it.
    pub(super) fn lost(&self) -> MutexGuard<'_, Vec<(PullId, Digest)>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held for map operations, never across an await or a disk access.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
