//! A worker: claims pulls that the journal wants done, and keeps the claims.

mod claimed;
mod keeper;
mod options;

use std::fmt;
use std::sync::Arc;

use qopen_journal::ClaimQueue;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

pub use self::claimed::{ClaimedPull, TakePlaceError};
pub use self::options::WorkerOptions;
use crate::engine::Engine;
use keeper::Keeper;

/// Claims pulls of a journal for an engine, renews the claims, and tells the engine's driver what other
/// processes receive of a pull. [`PullService`](crate::PullService) also follows and publishes them.
///
/// At any time one of the workers that share a journal has a pull. [`Engine::enqueue`] makes a pull
/// claimable. So does a page, a report or an item of quarantine that comes after the pull's end.
pub struct Worker {
    claimed: Mutex<mpsc::Receiver<ClaimedPull>>,
    keeper: AbortHandle,
}

impl Worker {
    /// Begins to claim. `journal` must be the engine's own.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(engine: &Engine, journal: Arc<dyn ClaimQueue>, options: WorkerOptions) -> Self {
        let (sender, claimed) = mpsc::channel(options.most.max(1));
        let keeper = Keeper::new(engine.clone(), journal, options);
        let keeper = tokio::spawn(keeper.run(sender)).abort_handle();
        Self { claimed: Mutex::new(claimed), keeper }
    }

    /// The next claimed pull; `None` after [`close`](Self::close). Several callers take turns.
    ///
    /// Dropping the future loses nothing.
    pub async fn claimed(&self) -> Option<ClaimedPull> {
        self.claimed.lock().await.recv().await
    }

    /// Stops claiming, and gives back pulls that no caller has received yet. The worker still renews the
    /// claims of the others.
    ///
    /// Waits while another task waits in [`claimed`](Self::claimed). Drop that future first.
    pub async fn close(&self) {
        let mut claimed = self.claimed.lock().await;
        claimed.close();
        while let Some(claimed) = claimed.recv().await {
            // On failure another worker gets it when the lease ends.
            let _ = claimed.give_back().await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
