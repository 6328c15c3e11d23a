//! Refusals that a page may have suffered on its way to the engine.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::watch;

/// Counts callbacks that were refused before they could be verified: no room, no connection, a
/// timeout. A refusal is not quiet (evidence rule E3): a refused page comes again in its own time.
///
/// The driver reads the count before a pull ends by silence.
#[async_trait]
pub trait RefusalSource: Send + Sync + 'static {
    /// The refusals so far.
    fn refused(&self) -> Refused;

    /// Ready when more than `count` refusals are counted. Dropping the future loses nothing.
    async fn more_than(&self, count: u64);
}

/// The number of refusals so far, and the time of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// When the last one was, by tokio's clock; `None` before the first.
    pub last: Option<Instant>,
}

impl Refused {
    /// That many, the last of them at that time.
    #[must_use]
    pub fn new(count: u64, last: Option<Instant>) -> Self {
        Self { count, last }
    }
}

/// A count of refusals, for a source of pages that has none of its own. Clones share the count.
#[derive(Clone, Debug)]
pub struct RefusalCount(Arc<watch::Sender<Refused>>);

impl Default for RefusalCount {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Refused::default())))
    }
}

impl RefusalCount {
    /// Counts a refusal.
    pub fn note(&self) {
        self.0.send_modify(|refused| {
            refused.count += 1;
            refused.last = Some(tokio::time::Instant::now().into_std());
        });
    }
}

#[async_trait]
impl RefusalSource for RefusalCount {
    fn refused(&self) -> Refused {
        *self.0.borrow()
    }

    async fn more_than(&self, count: u64) {
        // The sender is here.
        let _ = self.0.subscribe().wait_for(|refused| refused.count > count).await;
    }
}
