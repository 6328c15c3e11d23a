//! State that the journal shares with its tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qopen_journal::JournalStats;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a write proves health.
const PULSE: Duration = Duration::from_secs(4);

/// Statistics, health and hints.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) stats: Mutex<JournalStats>,
    pub(super) hints: Hints,
    /// The time of the last successful write.
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
    /// Wakes the task that notifies other processes.
    pub(super) outgoing: Notify,
    /// Wakes the worker of this process.
    pub(super) incoming: Arc<Notify>,
}

impl Hints {
    /// Tells every worker that this process kept something.
    pub(super) fn kept(&self) {
        self.outgoing.notify_one();
        self.incoming.notify_one();
    }

    pub(super) async fn wait(&self, most: Duration) {
        // The worker looks after a timeout too.
        let _ = timeout(most, self.incoming.notified()).await;
    }
}
