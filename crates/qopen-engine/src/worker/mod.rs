//! A worker: claims pulls that the journal wants done, and keeps the claims.

mod claimed;
mod keeper;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::{WorkerId, Workload};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;
use uuid::Uuid;

pub use self::claimed::{ClaimedPull, TakePlaceError};
use crate::engine::Engine;
use keeper::Keeper;

/// Settings of a [`Worker`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The worker's name, different from every other worker's. Default: a new UUID.
    pub id: WorkerId,
    /// How long a claim lasts without renewal. The worker renews its claims three times as often.
    /// Default 15 s.
    pub lease: Duration,
    /// Maximum number of pulls that the worker holds. Default 256.
    pub most: usize,
    /// Time limit of one step of a publication. A publication without progress for longer loses its
    /// claim to another worker. Default 150 s, longer than the steps of the sinks in `qopen-sink`.
    pub stalled: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let id = WorkerId::new(Uuid::now_v7().to_string());
        let (lease, stalled) = (Duration::from_secs(15), Duration::from_secs(150));
        Self { id, lease, most: 256, stalled }
    }
}

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
    pub fn start(engine: &Engine, journal: Arc<dyn Workload>, options: WorkerOptions) -> Self {
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
    pub async fn close(&self) {
        let mut claimed = self.claimed.lock().await;
        claimed.close();
        while let Some(claimed) = claimed.recv().await {
            // On failure another worker gets it when the lease ends.
            let _ = claimed.leave().await;
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
