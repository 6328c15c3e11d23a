//! The pulls of a running service: each claimed, followed to its end, and published.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qopen::assembler::Timing;
use qopen::callback::listener::Listener;
use qopen::journal::{EndState, JournalError, Note, PullId, PullState, Store};
use qopen::types::{Digest, MarkId, RobotId};
use qopen::{
    ClaimedPull, Client, ForwardQueue, Outcome, Progress, PublishOptions, Pull, PullError,
    PullRequest, Status, TakePlaceError, Worker,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::schedule::Counts;
use super::tasks::Tasks;
use crate::exit::Exit;
use crate::output::{Output, Place};
use crate::pull::{is_worth_a_request, may_lack_a_page};
use crate::report::{Came, News, Summary, count};
use crate::say::{one_line, say};
use crate::wiring;

/// How long it takes until a list that could not be published is published again: at first, and twice
/// as long each time, up to a minute.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// How long it takes until a pull that could not be taken up is tried again.
const STUCK: Duration = Duration::from_secs(600);

/// Time limit for an open pull to end before it is deleted, and the time between two looks.
const END: Duration = Duration::from_secs(30);
const END_LOOK: Duration = Duration::from_millis(100);

/// Time limit for a publication in flight after SIGTERM.
const LAST_LIST: Duration = Duration::from_secs(3);

/// Time limit for a place to give a sequence number, and for a deletion to wait for a publication.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time between two looks at what came to the listener.
const LOOK: Duration = Duration::from_secs(1);

/// How many pulls' last figures are remembered after they have ended.
const REMEMBERED: usize = 1024;

/// What is known of a pull while it is under way, and for a while after.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) progress: Progress,
    pub(crate) ended: Option<Ended>,
}

#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) status: EndState,
    pub(crate) why: String,
}

#[derive(Clone)]
pub(crate) struct Followed {
    pub(crate) live: watch::Receiver<Option<Live>>,
    cancel: Arc<Notify>,
}

impl Followed {
    pub(crate) fn is_under_way(&self) -> bool {
        self.live.borrow().as_ref().is_none_or(|live| live.ended.is_none())
    }
}

pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) journal: Arc<dyn Store>,
    output: Option<Output>,
    pub(crate) forward: Option<ForwardQueue>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Callbacks that came while the process was stopping.
    pub(crate) turned_away: AtomicU64,
    /// The pulls that this process has, and some that it had.
    followed: Mutex<BTreeMap<PullId, Followed>>,
    /// Those that it had, oldest first.
    remembered: Mutex<VecDeque<PullId>>,
    /// Pulls that end to be deleted: their lists are not published.
    unwanted: Mutex<BTreeSet<PullId>>,
    /// One lock for each place, so that a hanging place delays no other.
    places: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// The folder of temporary data.
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) guards: Guards,
    pub(crate) tasks: Tasks,
    /// Held while the journal is checked.
    pub(crate) checking: tokio::sync::Mutex<()>,
    pub(crate) schedules: Counts,
}

/// What a list may lack, and where callbacks come from.
pub(crate) struct Guards {
    pub(crate) allow_unidentified: u64,
    pub(crate) options: PublishOptions,
    pub(crate) path: String,
    pub(crate) listener: Listener,
    /// Whether callbacks are lost while this process is away: no other one receives them.
    pub(crate) is_alone: bool,
}

impl Service {
    pub(crate) fn new(
        client: Client,
        journal: Arc<dyn Store>,
        output: Option<Output>,
        forward: Option<ForwardQueue>,
        stopping: watch::Receiver<bool>,
        scratch: Option<PathBuf>,
        guards: Guards,
    ) -> Self {
        Self {
            client,
            journal,
            output,
            forward,
            stopping,
            turned_away: AtomicU64::new(0),
            followed: Mutex::default(),
            remembered: Mutex::default(),
            unwanted: Mutex::default(),
            places: Mutex::default(),
            scratch,
            guards,
            tasks: Tasks::default(),
            checking: tokio::sync::Mutex::default(),
            schedules: Counts::default(),
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

    /// The pulls that this process has and that have not ended.
    pub(crate) fn under_way(&self) -> BTreeSet<PullId> {
        let followed = self.followed();
        let open = followed.iter().filter(|(_, it)| it.is_under_way());
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Has workers look at what was left under way, or complete and unpublished, whoever left it.
    pub(crate) async fn want_what_is_left(&self) {
        let all = crate::journal::all(&*self.journal).await.unwrap_or_default();
        let mut open = 0_u64;
        let under_way = self.under_way();
        let left = |it: &&PullState| self.wants(it) && !under_way.contains(&it.pull);
        for state in all.iter().filter(left) {
            open += u64::from(state.ended().is_none());
            if let Err(error) = self.journal.want(&state.pull).await {
                let what = format!("{} cannot be taken up", state.pull);
                say!("qopen: {}", crate::exit::chain(&what, &error));
            }
        }
        if open > 0 {
            say!(
                "qopen: {} under way",
                count(open, "pull continues that was", "pulls continue that were")
            );
        }
    }

    /// Whether there is anything to do for a pull: it is open, or complete with pages that are not in
    /// what was published of it, and there is a place for its list.
    fn wants(&self, state: &PullState) -> bool {
        let complete = state.is_complete() && !state.is_superseded();
        let newer = complete && state.has_newer_pages()
            || crate::journal::is_unpublished(state)
            || state.is_publication_requested();
        // A page that came after all, or a release, may complete what had failed by silence.
        let from_outside = state.reported().is_some() || state.is_cancel_requested();
        let revived = !complete && !from_outside && state.is_changed_since_end();
        state.ended().is_none() || (newer || revived) && self.output_of(state).is_some()
    }

    /// The place of a pull's list, unless the place cannot name it: to try again does not help.
    fn output_of(&self, state: &PullState) -> Option<Output> {
        self.place_of(state).filter(|output| why_unnamed(state, output).is_none())
    }

    /// Where a pull's list goes: as it was said when it was started, else where all of them go.
    fn place_of(&self, state: &PullState) -> Option<Output> {
        // A file may be several robots' together, and what is relative, another process's.
        let place = Place::of(state).filter(Place::is_for_anybody);
        match place.map(|place| place.output()) {
            Some(Ok(output)) => Some(output.in_folder(self.scratch.as_deref())),
            Some(Err(failure)) => {
                say!("qopen: {}: {failure}", state.pull);
                None
            }
            None => self.output.clone(),
        }
    }

    /// Why the default output cannot hold a list of that robot.
    pub(crate) fn cannot_name(&self, robot: &RobotId) -> Option<String> {
        let output = self.output.as_ref()?;
        tokio::task::block_in_place(|| output.cannot_name(robot.as_str()))
    }

    /// The lock that serialises publications to a place.
    fn turn_at(&self, output: &Output) -> Arc<tokio::sync::Mutex<()>> {
        // A folder that hangs must not take a thread from those who wait for others.
        let place = tokio::task::block_in_place(|| output.place());
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(places.entry(place).or_default())
    }

    /// Does what is to be done for each pull that is claimed, until the process is to stop.
    pub(crate) async fn work(self: Arc<Self>, worker: Worker) {
        let mut working = JoinSet::new();
        loop {
            tokio::select! {
                claimed = worker.claimed() => {
                    // The worker has stopped claiming.
                    let Some(claimed) = claimed else { return };
                    // What has ended is cleared away as others begin.
                    while working.try_join_next().is_some() {}
                    working.spawn(Arc::clone(&self).do_work(claimed));
                }
                () = wiring::told(self.stopping.clone()) => break,
            }
        }
        worker.close().await;
        while working.join_next().await.is_some() {}
    }

    /// Whatever the journal wants done for a pull.
    async fn do_work(self: Arc<Self>, claimed: ClaimedPull) {
        let id = claimed.id().clone();
        if let Err(error) = self.try_to(claimed).await {
            // It is given to somebody again when the lease ends.
            tracing::warn!(pull = %id, error = &error as &dyn std::error::Error, "left for now");
        }
    }

    async fn try_to(&self, claimed: ClaimedPull) -> Result<(), JournalError> {
        let state = claimed.state().await?;
        let Some(state) = state.filter(|state| self.wants(state)) else {
            return claimed.finish().await.map(drop);
        };
        let output = self.output_of(&state);
        if output.is_none()
            && let Some(why) = self.place_of(&state).and_then(|it| why_unnamed(&state, &it))
        {
            let mark = &state.pull.mark_id;
            say!(
                "qopen: the list of mark {mark} will not be published: {why}; `qopen pulls export {mark} --out FILE` writes it"
            );
        }
        if let Some(output) = &output
            && state.ended().is_none()
        {
            let sink = output.sink(state.pull.robot_id.as_str());
            let placed = tokio::time::timeout(PATIENCE, claimed.take_place(sink)).await;
            let why = match placed {
                Ok(Err(TakePlaceError::Journal(error))) => return Err(error),
                Ok(Err(error)) => Some(crate::exit::chain("", &error)),
                Err(_) => Some("it does not answer".to_owned()),
                Ok(Ok(())) => None,
            };
            if let Some(why) = why {
                // Its list is later than all others when it is published: what is lost is only the order
                // of lists that other journals publish there meanwhile.
                tracing::warn!(pull = %state.pull, why, "its list has no place in the order of lists");
            }
        }
        if state.is_strange() {
            say!("qopen: collecting {}, which somebody else requested", state.pull);
        }
        match claimed.take_up().await {
            Ok(pull) => self.follow(claimed, pull, output, &state).await,
            Err(PullError::Journal(error)) if error.is_retryable() => Err(error),
            Err(PullError::Fenced) => Ok(()),
            Err(PullError::Start(_)) => {
                // What this process had of it before is just being let go of.
                tokio::time::sleep(AGAIN).await;
                claimed.leave().await
            }
            Err(error) => {
                let what = format!("{} cannot be taken up", state.pull);
                say!("qopen: {}", crate::exit::chain(&what, &error));
                // Held, so that nobody tries at once what will go wrong again.
                tokio::select! {
                    () = tokio::time::sleep(STUCK) => {}
                    () = claimed.lost() => {}
                    () = wiring::told(self.stopping.clone()) => {}
                }
                claimed.leave().await
            }
        }
    }

    /// Journals that a pull is wanted; a worker takes it up.
    pub(crate) async fn start(
        &self,
        request: PullRequest,
        place: Option<&Place>,
    ) -> Result<PullId, PullError> {
        let mut request = request;
        request.allow_unidentified = request.allow_unidentified.max(self.guards.allow_unidentified);
        let request = match place {
            Some(place) => request.label(place.label()),
            None => request,
        };
        let id = self.client.announce(request).await?;
        // A deleted pull may have had the same names.
        self.unwanted().remove(&id);
        Ok(id)
    }

    /// The pulls of that mark, of one robot or all: in the journal, which knows every one that was started.
    pub(crate) async fn of_mark(
        &self,
        mark: &MarkId,
        robot: Option<&str>,
    ) -> Result<Vec<PullState>, JournalError> {
        let found = self.journal.pulls_marked(mark).await?;
        let is_wanted =
            |it: &PullState| robot.is_none_or(|robot| it.pull.robot_id.as_str() == robot);
        Ok(found.into_iter().filter(is_wanted).collect())
    }

    /// Ends a pull that is open, whichever process has it.
    pub(crate) async fn cancel(&self, id: &PullId) -> Result<(), PullError> {
        // Noted in any case: who has it here may not have it any more.
        let note = self.journal.note(id, Note::CancelRequested).await;
        note.map_err(PullError::Journal)?;
        if let Some(followed) = self.find(id) {
            followed.cancel.notify_one();
        }
        Ok(())
    }

    /// Ends an open pull without publishing its list. Returns false if it has not ended within 30 s.
    ///
    /// Another process that has the pull publishes what is there.
    pub(crate) async fn end_unpublished(&self, id: &PullId) -> Result<bool, PullError> {
        self.unwanted().insert(id.clone());
        self.cancel(id).await?;
        let ended = async {
            loop {
                let followed = self.find(id).filter(Followed::is_under_way);
                if let Some(Followed { mut live, cancel }) = followed {
                    cancel.notify_one();
                    let ended = |live: &Option<Live>| {
                        live.as_ref().is_some_and(|live| live.ended.is_some())
                    };
                    // An error says that it is followed no more: the journal knows the end.
                    let _ = live.wait_for(ended).await;
                }
                let is_open = |state: PullState| state.ended().is_none();
                let state = self.journal.facts_of(id).await.map_err(PullError::Journal)?;
                if !state.is_some_and(is_open) {
                    return Ok(true);
                }
                tokio::time::sleep(END_LOOK).await;
            }
        };
        tokio::time::timeout(END, ended).await.unwrap_or(Ok(false))
    }

    fn unwanted(&self) -> MutexGuard<'_, BTreeSet<PullId>> {
        self.unwanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resumes a pull that has ended: folds the kept pages, waits for missing ones, publishes the list.
    pub(crate) async fn resume(&self, state: &PullState) -> Result<(), PullError> {
        self.unwanted().remove(&state.pull);
        let done = match state.end_state() {
            None => self.journal.want(&state.pull).await,
            // Complete stays complete.
            Some(EndState::Complete) => {
                self.journal.note(&state.pull, Note::PublicationRequested).await
            }
            _ => self.journal.note(&state.pull, Note::Resumed).await,
        };
        done.map_err(PullError::Journal)
    }

    /// Deletes a pull and its data. Returns false while a publication to its place is running.
    pub(crate) async fn purge(&self, id: &PullId) -> Result<bool, PullError> {
        let state = self.journal.facts_of(id).await.map_err(PullError::Journal)?;
        let output = state.and_then(|state| self.output_of(&state));
        {
            // A list that is just being published must not outlive its pull.
            let turn = output.as_ref().map(|output| self.turn_at(output));
            let _turn = match &turn {
                Some(turn) => match tokio::time::timeout(PATIENCE, turn.lock()).await {
                    Ok(turn) => Some(turn),
                    Err(_) => return Ok(false),
                },
                None => None,
            };
            self.client.forget(id).await?;
            self.followed().remove(id);
            self.unwanted().remove(id);
        }
        if let Some(output) = output {
            tokio::task::block_in_place(|| output.sweep(id.robot_id.as_str()));
        }
        self.journal.compact(0).await.map(|_| true).map_err(PullError::Journal)
    }

    /// Until the pull has ended and its list is published, or somebody else has it.
    async fn follow(
        &self,
        claimed: ClaimedPull,
        pull: Pull,
        output: Option<Output>,
        before: &PullState,
    ) -> Result<(), JournalError> {
        let (live, watching) = watch::channel(None);
        let cancel = Arc::new(Notify::new());
        let followed = Followed { live: watching, cancel: Arc::clone(&cancel) };
        let id = pull.id().clone();
        self.followed().insert(id.clone(), followed);
        let end = self.follow_to_the_end(&claimed, pull, live, &cancel, output, before).await;
        match end {
            End::Done => {
                self.remember(id.clone());
                let requested = requests(before);
                claimed.finish().await?;
                // A resume requested just before this point was consumed by the old claim.
                match self.journal.facts_of(&id).await? {
                    Some(state) if state.ended().is_none() || requests(&state) > requested => {
                        self.journal.want(&id).await
                    }
                    _ => Ok(()),
                }
            }
            End::Stopping => claimed.leave().await,
            End::Lost => {
                {
                    let mut followed = self.followed();
                    if followed.get(&id).is_some_and(|it| Arc::ptr_eq(&it.cancel, &cancel)) {
                        followed.remove(&id);
                    }
                }
                // Where somebody else has it, this changes nothing.
                claimed.leave().await
            }
        }
    }

    /// Keeps the last figures of a pull that has ended, in the place of the oldest.
    fn remember(&self, id: PullId) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|it| *it != id);
        remembered.push_back(id);
        if remembered.len() > REMEMBERED
            && let Some(oldest) = remembered.pop_front()
        {
            let mut followed = self.followed();
            if followed.get(&oldest).is_some_and(|it| !it.is_under_way()) {
                followed.remove(&oldest);
            }
        }
    }

    /// Whether it is still this following of the pull that counts.
    fn is_followed(&self, id: &PullId, cancel: &Arc<Notify>) -> bool {
        self.find(id).is_some_and(|it| Arc::ptr_eq(&it.cancel, cancel))
    }

    async fn follow_to_the_end(
        &self,
        claimed: &ClaimedPull,
        mut pull: Pull,
        live: watch::Sender<Option<Live>>,
        cancel: &Arc<Notify>,
        output: Option<Output>,
        before: &PullState,
    ) -> End {
        let stopping = || wiring::told(self.stopping.clone());
        loop {
            tokio::select! {
                progress = pull.progress() => match progress {
                    Some(progress) => {
                        live.send_replace(Some(Live { progress, ended: None }));
                    }
                    None => break,
                },
                () = cancel.notified() => pull.cancel(),
                () = claimed.lost() => return End::Lost,
                () = stopping() => {
                    // The next process takes it up.
                    pull.leave();
                    return End::Stopping;
                }
            }
        }
        let Ok(outcome) = pull.outcome().await else { return End::Lost };
        // Late pages that come one after another make one revision.
        tokio::select! {
            () = outcome.list.settled() => {}
            () = claimed.lost() => return End::Lost,
            () = stopping() => return End::Stopping,
        }
        let outcome = outcome.refreshed();
        let is_doubtful = self.guards.is_alone && may_lack_a_page(&outcome.status);
        let is_unwanted = || self.unwanted().contains(claimed.id());
        let is_worth_one = is_doubtful || is_worth_a_request(&outcome.status);
        if is_interrupted(before) && is_worth_one && !is_unwanted() {
            self.request_anew(before, &outcome.status).await;
        }
        let (status, why) = (outcome.status.end_state(), outcome.status.to_string());
        let (progress, ended) = (outcome.progress.clone(), Some(Ended { status, why }));
        live.send_replace(Some(Live { progress, ended }));
        if output.is_none() {
            say!("qopen: {}", Summary::of(&outcome, &self.came()).to_line());
        }
        let Some(output) = output.filter(|_| !is_unwanted()) else { return End::Done };
        let mut again = AGAIN;
        loop {
            {
                let turn = self.turn_at(&output);
                let _turn = tokio::select! {
                    turn = turn.lock() => turn,
                    () = claimed.lost() => return End::Lost,
                    () = stopping() => return End::Stopping,
                };
                // What is left out when the process is to stop, the next one takes up.
                if self.is_stopping() {
                    return End::Stopping;
                }
                if is_unwanted() {
                    return End::Done;
                }
                if !self.is_followed(claimed.id(), cancel) {
                    return End::Lost;
                }
                // A hanging place delays neither shutdown nor another worker. A publication cut off here is
                // repeated, or found done.
                tokio::select! {
                    done = self.publish(&output, &outcome) => if done { return End::Done },
                    () = claimed.lost() => return End::Lost,
                    () = async { stopping().await; tokio::time::sleep(LAST_LIST).await } => {
                        return End::Stopping;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(again) => again = (again * 2).min(AGAIN_AT_MOST),
                () = claimed.lost() => return End::Lost,
                () = stopping() => return End::Stopping,
            }
        }
    }

    fn came(&self) -> Came {
        Came::of(self.client.stats(), &self.guards.listener, &self.guards.path)
    }

    /// Says what comes to the listener and is no page: the first of each kind.
    pub(crate) async fn tell_of_troubles(&self) {
        let mut news = News::default();
        loop {
            news.of(&self.came(), Instant::now()).iter().for_each(|it| say!("qopen: {it}"));
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = wiring::told(self.stopping.clone()) => return,
            }
        }
    }

    /// Requests a list anew whose interrupted pull did not complete, or may lack a page. The new mark follows from the old
    /// one, so that a repetition is no second request.
    async fn request_anew(&self, state: &PullState, status: &Status) {
        let Some((_, started)) = state.started() else { return };
        let PullId { robot_id, mark_id } = &state.pull;
        let mark = Digest::of(format!("after {robot_id} {mark_id}").as_bytes()).to_string();
        // A digest is always an identifier.
        let Ok(mark) = MarkId::new(mark) else { return };
        let timing = Timing::default()
            .settle(started.settle)
            .idle_timeout(started.idle_timeout)
            .deadline(started.deadline);
        let mut request = PullRequest::new(robot_id.clone())
            .mark_id(mark.clone())
            .need_tag_info(started.need_tag_info)
            .allow_unidentified(started.allow_unidentified)
            .timing(timing);
        (request.expect_accounts, request.label) = (started.expect_accounts, started.label.clone());
        match self.client.announce(request).await {
            Ok(_) => {
                say!(
                    "qopen: {} was interrupted and is {}: {}; requesting the list anew, mark {mark}",
                    state.pull,
                    status.end_state(),
                    one_line(&status.to_string())
                );
            }
            Err(PullError::InJournal) => {}
            Err(error) => {
                let what = format!("{}: its list cannot be requested anew", state.pull);
                say!("qopen: {}", crate::exit::chain(&what, &error));
            }
        }
    }

    /// Publishes what came of a pull, and says so. False where it could not be.
    async fn publish(&self, output: &Output, outcome: &Outcome) -> bool {
        let id = &outcome.progress.pull;
        let Ok(state) = self.journal.pull(id).await else { return false };
        let revision = outcome.list.revision();
        let is_done = |state: &PullState| {
            let done = tokio::task::block_in_place(|| published_at(state, output));
            let done = done.is_some_and(|done| done >= revision);
            done && !state.has_newer_pages() && !state.is_publication_requested()
        };
        if state.as_ref().is_some_and(is_done) {
            return true;
        }
        let (options, came) = (self.guards.options, self.came());
        let outcomes = std::slice::from_ref(outcome);
        let summaries = crate::pull::publish(output, outcomes, true, &came, options).await;
        for summary in &summaries {
            say!("qopen: {}", summary.to_line());
        }
        !summaries.iter().any(|summary| summary.exit == Exit::Output)
    }
}

/// Whether another process, or a claim that was lost, has sent the request of an open pull.
fn is_interrupted(state: &PullState) -> bool {
    let resumed = state.notes.iter().any(|it| it.note == Note::Resumed);
    state.started().is_some() && state.ended().is_none() && !state.is_unsent() && !resumed
}

/// Why a place cannot name a pull's list.
fn why_unnamed(state: &PullState, output: &Output) -> Option<String> {
    tokio::task::block_in_place(|| output.cannot_name(state.pull.robot_id.as_str()))
}

/// How often a publication of a pull was requested.
fn requests(state: &PullState) -> usize {
    state.notes.iter().filter(|it| it.note == Note::PublicationRequested).count()
}

/// How the following of a pull ends.
enum End {
    /// There is nothing more to do for it.
    Done,
    /// The process is to stop.
    Stopping,
    /// Somebody else has it, or nobody.
    Lost,
}

/// The revision of a pull's list that was published where its robot's lists go.
fn published_at(state: &PullState, output: &Output) -> Option<u32> {
    match &state.published()?.note {
        Note::Published { revision, location, .. } => {
            output.sink(state.pull.robot_id.as_str()).is_at(location).then_some(*revision)
        }
        _ => None,
    }
}
