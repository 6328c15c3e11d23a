//! The pulls that a service follows, and their last figures.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use qopen_journal::PullId;
use tokio::sync::{Notify, watch};

use crate::progress::Progress;
use crate::status::Status;

/// How many pulls' last figures are remembered after they have ended.
const REMEMBERED: usize = 1024;

/// A followed pull's figures, and how it ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullFigures {
    /// The figures.
    pub progress: Progress,
    /// How the pull ended; `None` while it is open.
    pub ended: Option<Status>,
    /// When the service got the figures, by tokio's clock.
    pub at: Instant,
}

impl PullFigures {
    pub(super) fn now(progress: Progress, ended: Option<Status>) -> Self {
        Self { progress, ended, at: tokio::time::Instant::now().into_std() }
    }
}

/// A pull that a [`PullService`](crate::PullService) follows or has followed.
#[derive(Clone, Debug)]
pub struct FollowedPull {
    figures: watch::Receiver<Option<PullFigures>>,
    cancel: Arc<Notify>,
}

impl FollowedPull {
    /// A pull that is followed from now on, and what shows its figures.
    pub(super) fn new() -> (watch::Sender<Option<PullFigures>>, Self) {
        let (show, figures) = watch::channel(None);
        (show, Self { figures, cancel: Arc::default() })
    }

    /// The latest figures; `None` before the first.
    #[must_use]
    pub fn figures(&self) -> Option<PullFigures> {
        self.figures.borrow().clone()
    }

    /// Waits until the figures change. Returns false if they do not change any more, because this
    /// process has stopped following the pull.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> bool {
        self.figures.changed().await.is_ok()
    }

    /// Whether the pull has not ended, as far as this process knows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !has_ended(&self.figures.borrow())
    }

    /// Ready when the pull has ended, or this process has stopped following it.
    pub(super) async fn ended(&self) {
        // An error says that it is not followed any more.
        let _ = self.figures.clone().wait_for(has_ended).await;
    }

    pub(super) fn cancel(&self) {
        self.cancel.notify_one();
    }

    pub(super) async fn cancelled(&self) {
        self.cancel.notified().await;
    }

    /// Whether both are the same following of a pull.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cancel, &other.cancel)
    }
}

fn has_ended(figures: &Option<PullFigures>) -> bool {
    figures.as_ref().is_some_and(|figures| figures.ended.is_some())
}

/// The pulls that this process follows, and some that it has followed.
#[derive(Default)]
pub(super) struct Followed(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    pulls: BTreeMap<PullId, FollowedPull>,
    /// Those that have ended here, oldest first.
    ended: VecDeque<PullId>,
}

impl Followed {
    /// Held for a map operation, never across an await.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, id: &PullId) -> Option<FollowedPull> {
        self.lock().pulls.get(id).cloned()
    }

    pub(super) fn open(&self) -> BTreeSet<PullId> {
        let inner = self.lock();
        let open = inner.pulls.iter().filter(|(_, pull)| pull.is_open());
        open.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn insert(&self, id: PullId, pull: FollowedPull) {
        self.lock().pulls.insert(id, pull);
    }

    pub(super) fn remove(&self, id: &PullId) {
        self.lock().pulls.remove(id);
    }

    /// Whether this following of the pull is the current one.
    pub(super) fn is_current(&self, id: &PullId, pull: &FollowedPull) -> bool {
        self.lock().pulls.get(id).is_some_and(|current| current.is(pull))
    }

    /// Removes this following of the pull, unless a later one has replaced it.
    pub(super) fn remove_this(&self, id: &PullId, pull: &FollowedPull) {
        let mut inner = self.lock();
        if inner.pulls.get(id).is_some_and(|current| current.is(pull)) {
            inner.pulls.remove(id);
        }
    }

    /// Remembers a pull that has ended, in the place of the oldest.
    pub(super) fn remember(&self, id: PullId) {
        let mut inner = self.lock();
        inner.ended.retain(|ended| *ended != id);
        inner.ended.push_back(id);
        if inner.ended.len() > REMEMBERED
            && let Some(oldest) = inner.ended.pop_front()
            && inner.pulls.get(&oldest).is_some_and(|pull| !pull.is_open())
        {
            inner.pulls.remove(&oldest);
        }
    }
}
