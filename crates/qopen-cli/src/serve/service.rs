//! The pulls of a running service: each followed to its end, and published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use qopen::journal::{DiskJournal, Note, PullId, PullState};
use qopen::types::MarkId;
use qopen::{Client, ForwardQueue, Outcome, Progress, Pull, PullError, PullRequest};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Place};

/// How long it takes until a list that could not be published is published again.
const AGAIN: Duration = Duration::from_secs(60);

/// How long it takes until a pull that could not be taken up is tried again.
const STUCK: Duration = Duration::from_secs(600);

/// What is known of a pull while it is under way, and after.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) progress: Progress,
    pub(crate) outcome: Option<Arc<Outcome>>,
}

#[derive(Clone)]
pub(crate) struct Followed {
    pub(crate) live: watch::Receiver<Option<Live>>,
    cancel: Arc<Notify>,
}

impl Followed {
    pub(crate) fn is_under_way(&self) -> bool {
        self.live.borrow().as_ref().is_none_or(|live| live.outcome.is_none())
    }
}

pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) journal: Arc<DiskJournal>,
    output: Option<Output>,
    pub(crate) forward: Option<ForwardQueue>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Callbacks that came while the process was stopping.
    pub(crate) turned_away: AtomicU64,
    followed: Mutex<BTreeMap<PullId, Followed>>,
    /// Pulls that could not be taken up, and when that was tried.
    stuck: Mutex<BTreeMap<PullId, Instant>>,
    /// One list is published at a time, and none while a pull is let go.
    publishing: tokio::sync::Mutex<()>,
    following: Mutex<JoinSet<()>>,
}

impl Service {
    pub(crate) fn new(
        client: Client,
        journal: Arc<DiskJournal>,
        output: Option<Output>,
        forward: Option<ForwardQueue>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            client,
            journal,
            output,
            forward,
            stopping,
            turned_away: AtomicU64::new(0),
            followed: Mutex::default(),
            stuck: Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
            following: Mutex::default(),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Held for a map operation, never across an await.
    fn followed(&self) -> MutexGuard<'_, BTreeMap<PullId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &PullId) -> Option<Followed> {
        self.followed().get(id).cloned()
    }

    /// The pulls that are followed and have not ended.
    pub(crate) fn under_way(&self) -> BTreeSet<PullId> {
        let followed = self.followed();
        let open = followed.iter().filter(|(_, it)| it.is_under_way());
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Takes up what an earlier process has left under way, or complete and unpublished.
    pub(crate) async fn take_up_what_is_left(self: &Arc<Self>) {
        let left = |state: &PullState| {
            state.ended().is_none()
                || crate::journal::is_unpublished(state) && self.output_of(state).is_some()
        };
        let taken = self.take_up_all(left).await;
        if taken > 0 {
            eprintln!("qopen: {taken} pulls were under way and go on");
        }
    }

    /// Takes up lists that have pages which were not published with them, or could not be published:
    /// they are published again.
    pub(crate) async fn take_up_revised(self: &Arc<Self>) {
        let newer = |state: &PullState| {
            let complete = crate::journal::status(state) == "complete";
            let newer =
                complete && state.has_newer_pages() || crate::journal::is_unpublished(state);
            newer && self.output_of(state).is_some()
        };
        self.take_up_all(newer).await;
    }

    /// Where a pull's list goes: as it was said when it was started, else where all of them go.
    pub(crate) fn output_of(&self, state: &PullState) -> Option<Output> {
        // A file may be several robots' together, and what is relative, another process's.
        let place = Place::of(state).filter(Place::is_for_anybody);
        place.map(|place| place.output()).or_else(|| self.output.clone())
    }

    /// The mark of a later pull of the same robot whose list stands where this one's would go.
    fn successor<'a>(&self, all: &'a [PullState], state: &PullState) -> Option<&'a PullId> {
        let output = self.output_of(state)?;
        let began = crate::journal::began(state);
        let later = all.iter().filter(|it| {
            it.pull.robot_id == state.pull.robot_id && crate::journal::began(it) > began
        });
        let mut published = later.filter(|it| published_at(it, &output).is_some());
        published.next().map(|it| &it.pull)
    }

    async fn take_up_all(self: &Arc<Self>, which: impl Fn(&PullState) -> bool) -> usize {
        let all = crate::journal::all(&self.journal).await.unwrap_or_default();
        let mut taken = 0;
        for state in &all {
            if !which(state) || self.find(&state.pull).is_some() || self.is_stuck(&state.pull) {
                continue;
            }
            if state.ended().is_some() && self.successor(&all, state).is_some() {
                continue;
            }
            match self.take_up(&state.pull, self.output_of(state)).await {
                Ok(_) => taken += 1,
                Err(error) => {
                    self.stuck().insert(state.pull.clone(), Instant::now());
                    let what = format!("{} cannot be taken up", state.pull);
                    eprintln!("qopen: {}", crate::exit::chain(&what, &error));
                }
            }
        }
        taken
    }

    /// Held for a map operation, never across an await.
    fn stuck(&self) -> MutexGuard<'_, BTreeMap<PullId, Instant>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was tried in vain a short while ago.
    fn is_stuck(&self, id: &PullId) -> bool {
        let mut stuck = self.stuck();
        stuck.retain(|_, at| at.elapsed() < STUCK);
        stuck.contains_key(id)
    }

    /// Follows every pull that was adopted.
    pub(crate) async fn follow_adopted(self: &Arc<Self>) {
        while let Some(pull) = self.client.adopted().await {
            eprintln!("qopen: collecting {}, which somebody else requested", pull.id());
            self.follow_to(pull, self.output.clone());
        }
    }

    /// The pull as it is followed, taken up from the journal where it is not yet; then its list goes
    /// there, or nowhere.
    pub(crate) async fn take_up(
        self: &Arc<Self>,
        id: &PullId,
        output: Option<Output>,
    ) -> Result<Followed, PullError> {
        if let Some(followed) = self.find(id) {
            return Ok(followed);
        }
        match self.client.resume(id).await {
            Ok(pull) => Ok(self.follow_to(pull, output)),
            // Somebody else was faster.
            Err(PullError::Start(error)) => self.find(id).ok_or(PullError::Start(error)),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn start(self: &Arc<Self>, request: PullRequest) -> Result<PullId, PullError> {
        self.start_to(request, None).await
    }

    /// Starts a pull whose list goes somewhere else than the others'.
    pub(crate) async fn start_to(
        self: &Arc<Self>,
        request: PullRequest,
        place: Option<&Place>,
    ) -> Result<PullId, PullError> {
        let request = match place {
            Some(place) => request.label(place.label()),
            None => request,
        };
        let pull = self.client.pull(request).await?;
        let id = pull.id().clone();
        self.follow_to(pull, place.map(Place::output).or_else(|| self.output.clone()));
        Ok(id)
    }

    /// The pulls of that mark: in the journal, which knows every one that was started.
    pub(crate) async fn of_mark(&self, mark: &MarkId) -> Result<Option<PullState>, Failure> {
        let all = crate::journal::all(&self.journal).await?;
        Ok(all.into_iter().find(|it| it.pull.mark_id == *mark))
    }

    /// Ends a pull that is open.
    pub(crate) fn cancel(&self, id: &PullId) {
        if let Some(followed) = self.find(id) {
            followed.cancel.notify_one();
        }
    }

    /// Lets go of a pull, and of everything that is kept of it.
    pub(crate) async fn purge(&self, id: &PullId) -> Result<(), PullError> {
        {
            let _turn = self.publishing.lock().await;
            self.client.forget(id).await?;
            self.followed().remove(id);
        }
        self.journal.compact(0).await.map(drop).map_err(PullError::Journal)
    }

    fn follow_to(self: &Arc<Self>, pull: Pull, output: Option<Output>) -> Followed {
        let (live, watching) = watch::channel(None);
        let followed = Followed { live: watching, cancel: Arc::default() };
        self.followed().insert(pull.id().clone(), followed.clone());
        let (service, cancel) = (Arc::clone(self), Arc::clone(&followed.cancel));
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is cleared away as others begin.
        while following.try_join_next().is_some() {}
        following.spawn(async move {
            let id = pull.id().clone();
            service.follow_to_the_end(pull, live, &cancel, output).await;
            // Its figures are in the journal, and what was folded need not be kept any more.
            let mut followed = service.followed();
            if followed.get(&id).is_some_and(|it| Arc::ptr_eq(&it.cancel, &cancel)) {
                followed.remove(&id);
            }
        });
        followed
    }

    /// Whether it is still this following of the pull that counts.
    fn is_followed(&self, id: &PullId, cancel: &Arc<Notify>) -> bool {
        self.find(id).is_some_and(|it| Arc::ptr_eq(&it.cancel, cancel))
    }

    /// Until the pull has ended and is no longer remembered: no page makes it another list then.
    async fn follow_to_the_end(
        &self,
        mut pull: Pull,
        live: watch::Sender<Option<Live>>,
        cancel: &Arc<Notify>,
        output: Option<Output>,
    ) {
        let stopping = || super::told(self.stopping.clone());
        loop {
            tokio::select! {
                progress = pull.next() => match progress {
                    Some(progress) => {
                        live.send_replace(Some(Live { progress, outcome: None }));
                    }
                    None => break,
                },
                () = cancel.notified() => pull.cancel(),
                () = stopping() => {
                    // The next process takes it up.
                    pull.leave();
                    return;
                }
            }
        }
        let Ok(outcome) = pull.await else { return };
        let outcome = Arc::new(outcome);
        let progress = outcome.progress.clone();
        live.send_replace(Some(Live { progress, outcome: Some(Arc::clone(&outcome)) }));
        let mut revision = outcome.list.revision();
        loop {
            let mut done = true;
            if let Some(output) = &output {
                let _turn = self.publishing.lock().await;
                // What is left out when the process is to stop, the next one takes up.
                if self.is_stopping() || !self.is_followed(&outcome.progress.pull, cancel) {
                    return;
                }
                (done, revision) = self.publish(output, &outcome, revision).await;
            }
            // Pages that come late make another revision, which takes the place of the last.
            tokio::select! {
                newer = outcome.list.revised_after(revision) => match newer {
                    Some(newer) => revision = newer,
                    None => return,
                },
                () = tokio::time::sleep(AGAIN), if !done => {}
                () = stopping() => return,
            }
        }
    }

    /// Publishes what came of a pull, and says so. Gives whether it could be, and the revision.
    async fn publish(&self, output: &Output, outcome: &Outcome, revision: u32) -> (bool, u32) {
        let id = &outcome.progress.pull;
        let Ok(all) = crate::journal::all(&self.journal).await else { return (false, revision) };
        let state = all.iter().find(|state| state.pull == *id);
        let is_done = |state: &PullState| {
            let done = published_at(state, output).is_some_and(|done| done >= revision);
            done && !state.has_newer_pages()
        };
        if state.is_some_and(is_done) {
            // Taken up again, to be read perhaps.
            return (true, revision);
        }
        if let Some(later) = state.and_then(|state| self.successor(&all, state)) {
            let mark = &later.mark_id;
            eprintln!("qopen: the list of {id} is not published: that of mark {mark} is later");
            return (true, revision);
        }
        let rejections = self.client.stats().rejections();
        let outcomes = std::slice::from_ref(outcome);
        let summaries = crate::pull::publish(output, outcomes, true, &rejections).await;
        for summary in &summaries {
            eprint!("{}", summary.to_text());
        }
        let summary = summaries.first();
        let failed = summary.is_some_and(|it| it.exit == Exit::Output);
        (!failed, summary.map_or(revision, |it| it.revision.max(revision)))
    }

    /// Waits until nobody follows a pull any more.
    pub(crate) async fn leave_all(&self) {
        let mut following = {
            let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *following)
        };
        while following.join_next().await.is_some() {}
    }
}

/// The revision of a pull's list that was published where its robot's lists go.
fn published_at(state: &PullState, output: &Output) -> Option<u32> {
    match &state.published()?.note {
        Note::Published { revision, location, .. } => {
            output.is_at(location, state.pull.robot_id.as_str()).then_some(*revision)
        }
        _ => None,
    }
}
