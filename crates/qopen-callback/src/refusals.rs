//! Refusals that a genuine callback may have suffered, for the code that decides on completeness.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// Counts what a receiver and its listeners refused that may have been genuine: no room, no
/// connection, timed out, too large, compressed, stale, shutting down, not kept.
///
/// A refusal is not quiet: a refused page comes again in its own time. Clones share the count.
#[derive(Clone, Debug)]
pub struct Refusals(Arc<watch::Sender<Refused>>);

/// Refusals so far, and the time of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Refusals so far.
    pub count: u64,
    /// Time of the last refusal; `None` before the first.
    pub last: Option<Instant>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Refused::default())))
    }
}

impl Refusals {
    /// Counts a refusal.
    pub fn note(&self) {
        self.0.send_modify(|refused| {
            refused.count += 1;
            refused.last = Some(Instant::now());
        });
    }

    /// The refusals so far.
    #[must_use]
    pub fn get(&self) -> Refused {
        *self.0.borrow()
    }

    /// Watches the count from now on. Fast changes may arrive as one.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Refused> {
        self.0.subscribe()
    }
}
