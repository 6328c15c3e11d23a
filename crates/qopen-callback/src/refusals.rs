//! Refusals that a genuine callback may have suffered: whoever decides on completeness is told.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// What a receiver and its listeners refused without knowing whether it was genuine: no room, no
/// connection, timed out, too large, compressed, stale, shutting down, not kept.
///
/// A refusal is not quiet: a page may be among what was refused, and comes again in its own time.
/// Clones share the count.
#[derive(Clone, Debug)]
pub struct Refusals(Arc<watch::Sender<Refused>>);

/// How many callbacks were refused so far, and when the last one was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// When the last one was; `None` before the first.
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

    /// What was refused so far.
    #[must_use]
    pub fn get(&self) -> Refused {
        *self.0.borrow()
    }

    /// Sees every change from now on, several in one step where they come fast.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Refused> {
        self.0.subscribe()
    }
}
