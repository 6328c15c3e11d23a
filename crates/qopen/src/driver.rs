//! The task that owns the clock and the assembler: facts in, events out to whoever waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use qopen_assembler::{
    Assembler, Config, Entry, ErrorReport, Event, Failure, Fold, Page, PageDigest, PullKey,
    PullOptions, StartError, Time, Verdict,
};
use qopen_http::SendError;
use qopen_journal::{Journal, Note, PullId};
use qopen_types::{MarkId, RobotId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::outcome::Status;
use crate::pull::Progress;
use crate::receive::KnownPulls;
use crate::understand::key_of;

/// Something that happened in the world, with the time it did.
pub(crate) enum Fact {
    Page { pull: PullId, digest: PageDigest, has_more: bool, accounts: Vec<Entry> },
    Unreadable { whose: Whose, digest: PageDigest },
    Owed { whose: Whose, digest: PageDigest },
    Error(ErrorReport),
}

impl Fact {
    pub(crate) fn owed(pull: &PullId, digest: PageDigest) -> Self {
        let whose =
            Whose { robot_id: Some(pull.robot_id.clone()), mark_id: Some(pull.mark_id.clone()) };
        Self::Owed { whose, digest }
    }
}

/// What could be read of whose page it is.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) robot_id: Option<RobotId>,
    pub(crate) mark_id: Option<MarkId>,
}

/// Which start of a pull is meant: a mark may be used again when it is forgotten.
pub(crate) type Generation = u64;

/// Something that this side wants or did. Few: bounded by the number of pulls.
pub(crate) enum Command {
    Start {
        pull: PullId,
        generation: Generation,
        options: PullOptions,
        reply: oneshot::Sender<Result<Watched, StartError>>,
    },
    Accepted(PullId, Generation),
    NotSent(PullId, Generation, SendError),
    Cancel(PullId, Generation),
}

/// What a pull's handle watches.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) progress: Progress,
    pub(crate) ended: Option<Ended>,
}

#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// The fold at the end; its first revision is published from it.
    pub(crate) fold: Arc<Fold>,
}

/// A pull's view, and what keeps its pages from being forgotten.
pub(crate) struct Watched {
    pub(crate) seen: watch::Receiver<Seen>,
    pub(crate) lease: Arc<Lease>,
}

/// As long as anyone holds it, the pull's pages stay in the journal.
#[derive(Debug)]
pub(crate) struct Lease {
    pull: PullId,
    released: mpsc::UnboundedSender<PullId>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without a driver there is nobody left to forget it.
        let _ = self.released.send(self.pull.clone());
    }
}

struct Entered {
    pull: PullId,
    /// 0 for an adopted pull: nobody here started it.
    generation: Generation,
    seen: watch::Sender<Seen>,
    /// Held for as long as the assembler remembers the pull.
    _lease: Arc<Lease>,
    not_sent: Option<Arc<SendError>>,
}

pub(crate) struct Driver {
    assembler: Assembler<Entry>,
    epoch: Instant,
    pulls: BTreeMap<PullKey, Entered>,
    journal: Arc<dyn Journal>,
    known: Arc<KnownPulls>,
    released: mpsc::UnboundedSender<PullId>,
}

impl Driver {
    /// Runs until the client is gone: no commands and no facts can come any more.
    pub(crate) async fn run(
        config: Config,
        journal: Arc<dyn Journal>,
        known: Arc<KnownPulls>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut facts: mpsc::Receiver<(Instant, Fact)>,
    ) {
        let (released, mut releases) = mpsc::unbounded_channel();
        let assembler = Assembler::new(config);
        let epoch = Instant::now();
        let mut driver =
            Self { assembler, epoch, pulls: BTreeMap::new(), journal, known, released };
        loop {
            let due = driver.assembler.poll_timeout();
            // A time too far away to be named never comes.
            let due = due.and_then(|due| driver.epoch.checked_add(due.to_duration()));
            // What has arrived comes before what is due: a page that waited in the queue is not late.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => {
                        // What arrived before the command happened before it.
                        while let Ok((arrived, fact)) = facts.try_recv() {
                            driver.take(arrived, fact);
                        }
                        driver.obey(command);
                    }
                    None => break,
                },
                Some((arrived, fact)) = facts.recv() => driver.take(arrived, fact),
                Some(pull) = releases.recv() => driver.forget(pull).await,
                () = sleep_until(due), if due.is_some() => {
                    let now = driver.now();
                    driver.assembler.handle_timeout(now);
                }
            }
            driver.speak().await;
        }
    }

    fn now(&self) -> Time {
        Time::since_epoch(self.epoch.elapsed())
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Start { pull, generation, options, reply } => {
                let key = key_of(&pull);
                let started = self.assembler.start(now, key.clone(), options);
                let ours = started.is_ok();
                let answer = started.map(|()| self.enter(pull, generation));
                if reply.send(answer).is_err() && ours {
                    // Whoever asked has gone; nobody waits for it. It was open a moment ago.
                    let _ = self.assembler.cancel(now, &key);
                }
            }
            Command::Accepted(pull, generation) => {
                if self.is_current(&pull, generation) {
                    self.assembler.handle_accepted(now, &key_of(&pull));
                }
            }
            Command::NotSent(pull, generation, error) => {
                if self.is_current(&pull, generation) {
                    self.not_sent(now, &pull, error);
                }
            }
            Command::Cancel(pull, generation) => {
                if self.is_current(&pull, generation) {
                    // Ended before, most likely: a handle cancels when it is dropped.
                    let _ = self.assembler.cancel(now, &key_of(&pull));
                }
            }
        }
    }

    fn is_current(&self, pull: &PullId, generation: Generation) -> bool {
        self.pulls.get(&key_of(pull)).is_some_and(|entered| entered.generation == generation)
    }

    fn enter(&mut self, pull: PullId, generation: Generation) -> Watched {
        let key = key_of(&pull);
        let lease = Arc::new(Lease { pull: pull.clone(), released: self.released.clone() });
        let progress = self.progress(&key, &pull);
        let (seen, watching) = watch::channel(Seen { progress, ended: None });
        self.known.insert(&pull);
        let entered =
            Entered { pull, generation, seen, _lease: Arc::clone(&lease), not_sent: None };
        self.pulls.insert(key, entered);
        Watched { seen: watching, lease }
    }

    /// The request failed. The callbacks are the truth: where pages have come, it was taken; where
    /// it may have been, they get the time to come.
    fn not_sent(&mut self, now: Time, pull: &PullId, error: SendError) {
        let key = key_of(pull);
        let came = |fold: &Fold| fold.pages() + fold.unreadable() + fold.owed() > 0;
        let came = self.assembler.fold(&key).is_some_and(came);
        let Some(entered) = self.pulls.get_mut(&key) else { return };
        let wait = came || error.may_have_arrived();
        if wait {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%pull, error, "the request failed, and may have been taken; going on");
            self.assembler.handle_accepted(now, &key);
        }
        entered.not_sent = Some(Arc::new(error));
        if !wait {
            // An error that it had ended already stands.
            let _ = self.assembler.cancel(now, &key);
        }
    }

    fn take(&mut self, arrived: Instant, fact: Fact) {
        let now = Time::since_epoch(arrived.saturating_duration_since(self.epoch));
        match fact {
            Fact::Page { pull, digest, has_more, accounts } => {
                let page = Page { key: key_of(&pull), digest, has_more, accounts };
                let verdict = self.assembler.handle_page(now, page);
                tracing::debug!(%pull, has_more, ?verdict, "page");
                if verdict == Verdict::Unknown {
                    // Kept for nobody: it was forgotten meanwhile, or no more can be adopted.
                    let _ = self.released.send(pull);
                } else {
                    self.enter_adopted(&pull);
                }
            }
            Fact::Unreadable { whose, digest } => {
                if let Some(pull) = self.resolve(&whose) {
                    self.assembler.handle_unreadable_page(now, &key_of(&pull), digest);
                    self.enter_adopted(&pull);
                }
            }
            Fact::Owed { whose, digest } => {
                if let Some(pull) = self.resolve(&whose) {
                    self.assembler.handle_owed_page(now, &key_of(&pull), digest);
                    self.enter_adopted(&pull);
                }
            }
            Fact::Error(report) => self.assembler.handle_error(now, report),
        }
    }

    /// The pull that is named, or the only open one that fits what could be read: as with an error
    /// report without a mark, several are none.
    fn resolve(&self, whose: &Whose) -> Option<PullId> {
        if let Whose { robot_id: Some(robot_id), mark_id: Some(mark_id) } = whose {
            return Some(PullId { robot_id: robot_id.clone(), mark_id: mark_id.clone() });
        }
        let fits = |key: &&PullKey| {
            whose.robot_id.as_ref().is_none_or(|robot| robot.as_str() == key.robot())
                && whose.mark_id.as_ref().is_none_or(|mark| mark.as_str() == key.mark())
        };
        let mut open = self.assembler.open_pulls().filter(fits);
        match (open.next(), open.next()) {
            (Some(key), None) => self.pulls.get(key).map(|entered| entered.pull.clone()),
            _ => None,
        }
    }

    /// A pull that the assembler has opened by itself, because pulls are adopted.
    fn enter_adopted(&mut self, pull: &PullId) {
        let key = key_of(pull);
        if !self.pulls.contains_key(&key) && self.assembler.progress(&key).is_some() {
            drop(self.enter(pull.clone(), 0));
        }
    }

    /// Hands every event to whom it concerns.
    async fn speak(&mut self) {
        while let Some(event) = self.assembler.poll_event() {
            match event {
                Event::Progressed { key } => self.update(&key, None),
                Event::Completed { key, basis, .. } => {
                    self.end(&key, Status::Complete(basis)).await
                }
                Event::Failed { key, failure, .. } => {
                    let not_sent =
                        self.pulls.get_mut(&key).and_then(|entered| entered.not_sent.take());
                    let status = match (not_sent, failure) {
                        (Some(error), Failure::Silent | Failure::Cancelled)
                            if error.is_refusal() =>
                        {
                            Status::Refused(error)
                        }
                        (Some(error), Failure::Silent | Failure::Cancelled) => {
                            Status::NotSent(error)
                        }
                        (_, failure) => Status::of(failure),
                    };
                    self.end(&key, status).await;
                }
                Event::Revised { key, revision, .. } => {
                    tracing::warn!(pull = %key, revision, "a page came after the list was complete");
                    self.update(&key, None);
                }
                Event::Forgotten { key } => {
                    if let Some(entered) = self.pulls.remove(&key) {
                        self.known.remove(&entered.pull);
                    }
                }
                Event::Anomaly(anomaly) => tracing::warn!(?anomaly, "anomaly"),
                other => tracing::debug!(?other, "an event that this driver does not use"),
            }
        }
    }

    async fn end(&mut self, key: &PullKey, status: Status) {
        let Some(entered) = self.pulls.get(key) else {
            return;
        };
        let pull = entered.pull.clone();
        tracing::info!(%pull, status = status.as_str(), "pull ended");
        let note = Note::Ended { status: status.as_str().to_owned() };
        if let Err(error) = self.journal.note(&pull, note).await {
            // The pages are what counts, and they are kept: the end follows from them again.
            tracing::error!(%pull, error = &error as &dyn std::error::Error, "the end was not journaled");
        }
        let fold = self.assembler.take_fold(key).unwrap_or_else(|| Fold::new(key));
        self.update(key, Some(Ended { status, fold: Arc::new(fold) }));
    }

    fn update(&mut self, key: &PullKey, ended: Option<Ended>) {
        let Some(entered) = self.pulls.get(key) else {
            return;
        };
        let progress = self.progress(key, &entered.pull);
        entered.seen.send_modify(|seen| {
            seen.progress = progress;
            seen.ended = ended.or(seen.ended.take());
        });
    }

    fn progress(&self, key: &PullKey, pull: &PullId) -> Progress {
        // Asked only of pulls that are open or remembered.
        Progress::new(pull, self.assembler.progress(key), self.now())
    }

    /// Nobody holds the pull any more, neither the assembler's memory nor a caller.
    async fn forget(&mut self, pull: PullId) {
        if self.pulls.contains_key(&key_of(&pull)) {
            // The mark is in use again, and what is kept under it is wanted.
            return;
        }
        if let Err(error) = self.journal.forget(&pull).await {
            tracing::warn!(%pull, error = &error as &dyn std::error::Error, "not forgotten");
        }
    }
}

/// Pending where nothing is due; the branch is disabled then.
async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due).await;
    }
}
