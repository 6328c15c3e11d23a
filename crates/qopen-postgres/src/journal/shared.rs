//! What the journal in PostgreSQL and its tasks have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use qopen_journal::JournalStats;

/// How long nothing is written until it is tried whether anything can be.
const PULSE: Duration = Duration::from_secs(4);

/// Statistics, health and hints.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) stats: Mutex<JournalStats>,
    pub(super) hints: Hints,
    /// When something could be written last.
    wrote: Mutex<Option<Instant>>,
}

impl Shared {
    /// Held to copy it or to add to it.
    pub(super) fn stats(&self) -> MutexGuard<'_, JournalStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a write or its failure. Only writes decide health.
    pub(super) fn wrote(&self, done: bool) {
        self.stats().healthy = done;
        if done {
            *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether the last successful write is too old to prove health.
    pub(super) fn is_doubtful(&self) -> bool {
        let wrote = *self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        !self.stats().healthy || wrote.is_none_or(|at| at.elapsed() > PULSE)
    }
}

#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Something is to be said to the others.
    pub(super) outgoing: Notify,
    /// Something is to be looked at.
    pub(super) incoming: Arc<Notify>,
}

impl Hints {
    /// Something was kept here.
    pub(super) fn kept(&self) {
        self.outgoing.notify_one();
        self.incoming.notify_one();
    }

    pub(super) async fn wait(&self, most: Duration) {
        // Either way somebody looks.
        let _ = timeout(most, self.incoming.notified()).await;
    }
}
