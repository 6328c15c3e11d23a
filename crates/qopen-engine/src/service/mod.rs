//! A service of pulls: claims each pull that the journal wants done, follows it and publishes its list.

mod blocking;
mod control;
mod destination;
mod event;
mod follow;
mod followed;
mod need;
mod places;
mod policy;
mod publish;
mod repeat;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qopen_journal::{PullId, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::destination::{Destination, Target};
pub use self::event::{RepeatReason, ServiceEvent, ServiceObserver};
pub use self::followed::{FollowedPull, PullFigures};
pub use self::policy::PullPolicy;
use crate::engine::Engine;
use crate::publish::PublishOptions;
use crate::worker::{Worker, WorkerOptions};
use followed::Followed;
use places::Places;

/// Settings of a [`PullService`].
#[derive(Clone)]
#[must_use]
pub struct ServiceOptions {
    policy: PullPolicy,
    allow_unidentified: u64,
    lone_receiver: bool,
    observer: Arc<dyn ServiceObserver>,
}

impl ServiceOptions {
    /// Sets how lists are published.
    pub fn publish(mut self, options: PublishOptions) -> Self {
        self.policy.publish = options;
        self
    }

    /// Sets how lists are published, and when they are pulled again.
    pub fn policy(mut self, policy: PullPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how many accounts without a readable id each list may lack. A request may allow more.
    /// Default 0.
    pub fn allow_unidentified(mut self, accounts: u64) -> Self {
        self.allow_unidentified = accounts;
        self
    }

    /// Says whether callbacks are lost while this process is away, because no other process receives
    /// them. The list of an interrupted pull is then requested anew if only quiet completes it.
    /// Default false.
    pub fn lone_receiver(mut self, lone: bool) -> Self {
        self.lone_receiver = lone;
        self
    }

    /// Tells the observer what happens. Default: nothing is told.
    pub fn observer(mut self, observer: impl ServiceObserver) -> Self {
        self.observer = Arc::new(observer);
        self
    }
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            policy: PullPolicy::default(),
            allow_unidentified: 0,
            lone_receiver: false,
            observer: Arc::new(|_: ServiceEvent<'_>| {}),
        }
    }
}

impl fmt::Debug for ServiceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceOptions")
            .field("policy", &self.policy)
            .field("allow_unidentified", &self.allow_unidentified)
            .field("lone_receiver", &self.lone_receiver)
            .finish_non_exhaustive()
    }
}

/// Claims the pulls of a journal, follows each to its end and publishes its list.
///
/// A pull begins with [`enqueue`](Self::enqueue), in this process or in another one that shares the
/// journal. A publication that fails is repeated after 1 s, then after twice as long each time, up to
/// 60 s. Publications to one [place](Destination::place) run one at a time.
///
/// Cloning is cheap; the clones are one service.
#[derive(Clone)]
pub struct PullService {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    journal: Arc<dyn Store>,
    destination: Arc<dyn Destination>,
    options: ServiceOptions,
    stopping: watch::Sender<bool>,
    followed: Followed,
    /// Pulls that end for deletion. Their lists are not published.
    discarded: Mutex<BTreeSet<PullId>>,
    places: Places,
}

impl PullService {
    /// Makes a service. `journal` must be the engine's own.
    #[must_use]
    pub fn new(
        engine: Engine,
        journal: Arc<dyn Store>,
        destination: Arc<dyn Destination>,
        options: ServiceOptions,
    ) -> Self {
        let inner = Inner {
            engine,
            journal,
            destination,
            options,
            stopping: watch::Sender::new(false),
            followed: Followed::default(),
            discarded: Mutex::default(),
            places: Places::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Claims pulls and works on them until `stop` is ready. Then it leaves its pulls to the next
    /// process, and gives a publication in flight 3 s to end. Call it once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// Dropping the future stops the work at once. Its pulls continue elsewhere when their leases
    /// end.
    pub async fn run(&self, options: WorkerOptions, stop: impl Future<Output = ()>) {
        let inner = &self.inner;
        let worker = Worker::start(&inner.engine, Arc::clone(&inner.journal) as _, options);
        let mut working = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                claimed = worker.claimed() => {
                    // The worker has stopped claiming.
                    let Some(claimed) = claimed else { return };
                    // Drop the results of tasks that have ended.
                    while working.try_join_next().is_some() {}
                    working.spawn(Arc::clone(inner).work_on(claimed));
                }
                () = &mut stop => break,
            }
        }
        inner.stopping.send_replace(true);
        worker.close().await;
        while working.join_next().await.is_some() {}
    }

    /// A pull that this process follows, or has followed: the last 1024 are remembered.
    #[must_use]
    pub fn find(&self, id: &PullId) -> Option<FollowedPull> {
        self.inner.followed.find(id)
    }

    /// The pulls that this process follows and that have not ended.
    #[must_use]
    pub fn open_pulls(&self) -> BTreeSet<PullId> {
        self.inner.followed.open()
    }
}

impl Inner {
    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ready when the service stops.
    async fn stopped(&self) {
        // The sender is here.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn tell(&self, event: ServiceEvent<'_>) {
        self.options.observer.observe(event);
    }

    /// Held for a set operation, never across an await.
    fn discarded(&self) -> MutexGuard<'_, BTreeSet<PullId>> {
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PullService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullService").field("options", &self.inner.options).finish_non_exhaustive()
    }
}
