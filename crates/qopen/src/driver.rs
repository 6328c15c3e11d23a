//! The task that owns the clock and the assembler: facts in, events out to whoever waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use qopen_assembler::{
    Assembler, Config, Entry, ErrorReport, Event, Failure, Fold, Page, PageDigest, PullKey,
    StartError, Time, Verdict, WaitingFor,
};
use qopen_http::SendError;
use qopen_journal::{Durability, Fencing, Journal, JournalError, Note, PullId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::messages::{Command, Ended, Fact, Generation, Lease, Seen, Start, Watched, Whose};
use crate::outcome::Status;
use crate::pull::{Progress, PullError};
use crate::receive::KnownPulls;
use crate::tenure::{self, Tenure};
use crate::understand::key_of;
use crate::worker::{fact_of, notes_of};

struct Entered {
    pull: PullId,
    /// 0 for an adopted pull: nobody here started it.
    generation: Generation,
    seen: watch::Sender<Seen>,
    /// Held for as long as the assembler remembers the pull.
    _lease: Arc<Lease>,
    not_sent: Option<Arc<SendError>>,
    /// How long it was under way in processes before this one.
    elapsed: Duration,
    /// Its revision when this process took it up, where it was complete then.
    ended: Option<u32>,
    /// The claim that it is followed under.
    tenure: Option<Arc<Tenure>>,
    /// The quiet that ends it: with the last page seen, and without.
    patience: (Duration, Duration),
}

/// What came of a pull that is being taken up.
struct Held {
    generation: Generation,
    facts: Vec<(Time, Fact)>,
}

pub(crate) struct Driver {
    assembler: Assembler<Entry>,
    epoch: Instant,
    pulls: BTreeMap<PullKey, Entered>,
    /// Where pulls are named that were adopted.
    adopted: mpsc::Sender<(PullId, Watched)>,
    /// What came of pulls that are being taken up, until their fold is there.
    held: BTreeMap<PullKey, Held>,
    journal: Arc<dyn Journal>,
    known: Arc<KnownPulls>,
    released: mpsc::UnboundedSender<PullId>,
    facts: mpsc::Receiver<(Instant, Fact)>,
    /// Pulls that the caller let go of: a page of theirs may still be on its way.
    let_go: BTreeSet<PullId>,
}

/// How many of those are remembered.
const LET_GO: usize = 1024;

impl Driver {
    /// Runs until the client is gone: no commands and no facts can come any more.
    pub(crate) async fn run(
        config: Config,
        journal: Arc<dyn Journal>,
        known: Arc<KnownPulls>,
        adopted: mpsc::Sender<(PullId, Watched)>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        facts: mpsc::Receiver<(Instant, Fact)>,
    ) {
        let (released, mut releases) = mpsc::unbounded_channel();
        let assembler = Assembler::new(config);
        let epoch = Instant::now();
        let (pulls, held) = (BTreeMap::new(), BTreeMap::new());
        let let_go = BTreeSet::new();
        let mut driver = Self {
            assembler,
            epoch,
            pulls,
            adopted,
            held,
            journal,
            known,
            released,
            facts,
            let_go,
        };
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
                        while let Ok((arrived, fact)) = driver.facts.try_recv() {
                            driver.take_at(arrived, fact).await;
                        }
                        let now = driver.now();
                        driver.pass(now).await;
                        driver.obey(now, command);
                    }
                    None => break,
                },
                Some((arrived, fact)) = driver.facts.recv() => driver.take_at(arrived, fact).await,
                Some(pull) = releases.recv() => driver.forget(pull).await,
                () = sleep_until(due), if due.is_some() => {
                    let now = driver.now();
                    driver.pass(now).await;
                }
            }
            driver.speak().await;
        }
    }

    fn now(&self) -> Time {
        Time::since_epoch(self.epoch.elapsed())
    }

    fn obey(&mut self, now: Time, command: Command) {
        match command {
            Command::Hold { pull, generation, reply } => {
                let key = key_of(&pull);
                let taken = self.pulls.contains_key(&key) || self.held.contains_key(&key);
                if !taken {
                    self.known.insert(&pull);
                    self.held.insert(key, Held { generation, facts: Vec::new() });
                }
                // Whoever asked releases it, or has.
                let _ = reply.send(if taken { Err(StartError::Known) } else { Ok(()) });
            }
            Command::Release(pull, generation) => {
                let key = key_of(&pull);
                // What came meanwhile is in the journal.
                if self.held.get(&key).is_some_and(|held| held.generation == generation) {
                    self.held.remove(&key);
                    self.forget_unstarted(&pull);
                }
            }
            Command::Start { pull, generation, start, reply } => {
                let key = key_of(&pull);
                let held = self.held.remove(&key).map(|held| held.facts).unwrap_or_default();
                let started = self.assembler.start(now, key.clone(), start.options);
                let ours = started.is_ok();
                let id = pull.clone();
                let answer = started.map(|()| self.begin(now, pull, generation, *start));
                self.forget_unstarted(&id);
                held.into_iter().for_each(|(at, fact)| self.take(at, fact));
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
            Command::LetGo(pull, generation) => {
                if self.is_current(&pull, generation) {
                    self.let_go_of(&pull);
                }
            }
            Command::Disturbed(pull, generation) => {
                let key = key_of(&pull);
                let open = self.assembler.open_pulls().any(|open| *open == key);
                if open && self.is_current(&pull, generation) {
                    self.let_go_of(&pull);
                }
            }
            Command::Missing(pull, mut digests, reply) => {
                let key = key_of(&pull);
                let open = self.assembler.open_pulls().any(|open| *open == key);
                let missing = self.assembler.fold(&key).filter(|_| open).map(|fold| {
                    digests.retain(|it| !fold.has_page(PageDigest::from_u128(it.to_u128())));
                    digests
                });
                // Whoever asked may have gone.
                let _ = reply.send(missing);
            }
            Command::Forget(pull, reply) => {
                let key = key_of(&pull);
                let under_way = self.held.contains_key(&key)
                    || self.assembler.open_pulls().any(|open| *open == key);
                if !under_way {
                    // Where it is not remembered, that is as it should be.
                    let _ = self.assembler.forget(now, &key);
                    self.pulls.remove(&key);
                    self.known.remove(&pull);
                    if self.let_go.len() >= LET_GO {
                        self.let_go.clear();
                    }
                    self.let_go.insert(pull);
                }
                // Whoever asked may have gone.
                let _ = reply.send(if under_way { Err(PullError::UnderWay) } else { Ok(()) });
            }
            Command::Cancel(pull, generation) => {
                if self.is_current(&pull, generation) {
                    // Ended before, most likely: a handle cancels when it is dropped.
                    let _ = self.assembler.cancel(now, &key_of(&pull));
                }
            }
        }
    }

    /// A pull that was only held is no longer known.
    fn forget_unstarted(&self, pull: &PullId) {
        if !self.pulls.contains_key(&key_of(pull)) {
            self.known.remove(pull);
        }
    }

    /// A pull that was started a moment ago goes on from where it was.
    fn begin(&mut self, now: Time, pull: PullId, generation: Generation, start: Start) -> Watched {
        let key = key_of(&pull);
        let watched = self.enter(pull, generation);
        if let Some(entered) = self.pulls.get_mut(&key) {
            (entered.elapsed, entered.ended) = (start.elapsed, start.ended);
            entered.tenure = start.tenure;
            entered.patience = (start.options.timing.settle, start.options.timing.idle_timeout);
        }
        if let Some(fold) = start.fold.filter(has_anything) {
            // The pull is open, and the fold its own.
            let _ = self.assembler.merge(now, &key, &fold);
        }
        if let Some((code, message)) = start.reported {
            let (robot, mark) = (key.robot().to_owned(), Some(key.mark().to_owned()));
            self.assembler.handle_error(now, ErrorReport { robot, mark, code, message });
        } else if start.ended.is_some() {
            // Open still, unless a limit has ended it.
            let _ = self.assembler.declare_finished(now, &key);
        }
        watched
    }

    /// Another worker has it, or nobody needs to: nothing of it is known here any more.
    fn let_go_of(&mut self, pull: &PullId) {
        let key = key_of(pull);
        if let Some(entered) = self.pulls.remove(&key) {
            entered.seen.send_modify(|seen| seen.gone = true);
        }
        self.known.remove(pull);
        // At no later time than it is: nothing else must end by it. It may have ended, and may be
        // forgotten already.
        let _ = self.assembler.cancel(Time::ZERO, &key);
        let _ = self.assembler.forget(Time::ZERO, &key);
    }

    /// Lets time pass up to then. What is followed under a claim may have pages that another process
    /// has kept: whatever would end by it ends only when the journal has nothing else.
    async fn pass(&mut self, now: Time) {
        let mut looked_at = BTreeSet::new();
        while let Some(due) = self.assembler.poll_timeout().filter(|due| *due <= now) {
            let ripe = self.ripe(due, &looked_at);
            if ripe.is_empty() {
                self.assembler.handle_timeout(due);
                continue;
            }
            // What is found was there the moment before, and so was what waits to be taken.
            let before =
                Time::since_epoch(due.to_duration().saturating_sub(Duration::from_nanos(1)));
            self.assembler.handle_timeout(before);
            for (key, pull) in ripe {
                match self.look_at(before, &key, &pull).await {
                    Ok(()) => drop(looked_at.insert(key)),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(%pull, error, "the journal cannot be read; left for now");
                        self.let_go_of(&pull);
                    }
                }
            }
            while let Ok((_, fact)) = self.facts.try_recv() {
                self.take(before, fact);
            }
        }
    }

    /// The pulls under a claim that end at that time, but for those that were looked at.
    fn ripe(&self, due: Time, looked_at: &BTreeSet<PullKey>) -> Vec<(PullKey, PullId)> {
        let open = self.assembler.open_pulls().filter(|key| !looked_at.contains(key));
        let ripe = open.filter_map(|key| {
            let entered = self.pulls.get(key).filter(|it| it.tenure.is_some())?;
            let progress = self.assembler.progress(key)?;
            let (settle, idle) = entered.patience;
            let patience = match progress.waiting_for {
                WaitingFor::Acceptance => return None,
                WaitingFor::Quiet => settle,
                _ => idle,
            };
            let ripe = progress.last_activity + patience <= due;
            ripe.then(|| (key.clone(), entered.pull.clone()))
        });
        ripe.collect()
    }

    /// Takes what the journal has of a pull and the driver has not.
    async fn look_at(
        &mut self,
        at: Time,
        key: &PullKey,
        pull: &PullId,
    ) -> Result<(), JournalError> {
        let mut missing = self.journal.digests(pull).await?;
        if let Some(fold) = self.assembler.fold(key) {
            missing.retain(|it| !fold.has_page(PageDigest::from_u128(it.to_u128())));
        }
        if !missing.is_empty() {
            let mut pages = self.journal.pages_of(pull, &missing).await?;
            while let Some(page) = pages.next().await {
                self.take(at, fact_of(page?));
            }
        }
        if let Some(state) = self.journal.pull(pull).await? {
            for fact in notes_of(&*self.journal, &state).await? {
                self.take(at, fact);
            }
        }
        Ok(())
    }

    fn is_current(&self, pull: &PullId, generation: Generation) -> bool {
        self.pulls.get(&key_of(pull)).is_some_and(|entered| entered.generation == generation)
    }

    fn enter(&mut self, pull: PullId, generation: Generation) -> Watched {
        let key = key_of(&pull);
        let lease = Arc::new(Lease { pull: pull.clone(), released: self.released.clone() });
        let progress = self.progress(&key, &pull);
        let (seen, watching) = watch::channel(Seen { progress, ended: None, gone: false });
        self.known.insert(&pull);
        self.let_go.remove(&pull);
        let entered = Entered {
            pull,
            generation,
            seen,
            _lease: Arc::clone(&lease),
            not_sent: None,
            elapsed: Duration::ZERO,
            ended: None,
            tenure: None,
            patience: (Duration::MAX, Duration::MAX),
        };
        self.pulls.insert(key, entered);
        Watched { seen: watching, lease }
    }

    /// The request failed. The callbacks are the truth: where pages have come, it was taken; where
    /// it may have been, they get the time to come.
    fn not_sent(&mut self, now: Time, pull: &PullId, error: SendError) {
        let key = key_of(pull);
        let came = self.assembler.fold(&key).is_some_and(has_anything);
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

    async fn take_at(&mut self, arrived: Instant, fact: Fact) {
        let at = Time::since_epoch(arrived.saturating_duration_since(self.epoch));
        self.pass(at).await;
        self.take(at, fact);
    }

    fn take(&mut self, now: Time, fact: Fact) {
        if let Some(key) = self.held_for(&fact)
            && let Some(held) = self.held.get_mut(&key)
        {
            held.facts.push((now, fact));
            return;
        }
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

    /// The pull that is being taken up to which this belongs.
    fn held_for(&self, fact: &Fact) -> Option<PullKey> {
        let fits = |key: &&PullKey| match fact {
            Fact::Page { pull, .. } => key_of(pull) == **key,
            Fact::Unreadable { whose, .. } | Fact::Owed { whose, .. } => whose.fits(key),
            Fact::Error(report) => {
                report.robot == key.robot()
                    && report.mark.as_ref().is_none_or(|mark| mark == key.mark())
            }
        };
        self.held.keys().find(fits).cloned()
    }

    /// The pull that is named, or the only open one that fits what could be read: as with an error
    /// report without a mark, several are none.
    fn resolve(&self, whose: &Whose) -> Option<PullId> {
        if let Some(pull) = whose.pull() {
            return Some(pull);
        }
        let mut open = self.assembler.open_pulls().filter(|key| whose.fits(key));
        match (open.next(), open.next()) {
            (Some(key), None) => self.pulls.get(key).map(|entered| entered.pull.clone()),
            _ => None,
        }
    }

    /// A pull that the assembler has opened by itself, because pulls are adopted.
    fn enter_adopted(&mut self, pull: &PullId) {
        let key = key_of(pull);
        if !self.pulls.contains_key(&key) && self.assembler.progress(&key).is_some() {
            let watched = self.enter(pull.clone(), 0);
            // Where nobody asks for them, they go on unseen.
            let _ = self.adopted.try_send((pull.clone(), watched));
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
        let progress = self.assembler.progress(key);
        let (accounts, pages) = progress.map_or((0, 0), |it| (it.accounts as u64, it.pages as u64));
        let (why, text) = (status.to_string(), status.as_str().to_owned());
        let note = Note::Ended { status: text, why, accounts, pages };
        let ended_before = entered.ended.is_some() && matches!(status, Status::Complete(_));
        if !ended_before {
            let tenure = entered.tenure.clone();
            match tenure::note(&*self.journal, tenure.as_ref(), &pull, note).await {
                Ok(Fencing::Fenced) => {
                    tracing::warn!(%pull, "another worker has taken the pull over");
                    return self.let_go_of(&pull);
                }
                Ok(_) => {}
                Err(error) => {
                    // The pages are what counts, and they are kept: the end follows from them again.
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(%pull, error, "the end was not journaled");
                    if tenure.is_some() {
                        // Nobody must take it for done.
                        return self.let_go_of(&pull);
                    }
                }
            }
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
        let mut progress = Progress::new(pull, self.assembler.progress(key), self.now());
        if let Some(entered) = self.pulls.get(key) {
            progress.elapsed += entered.elapsed;
            if progress.revision > 0 {
                progress.revision += entered.ended.unwrap_or(1).saturating_sub(1);
            }
        }
        progress
    }

    /// Nobody holds the pull any more, neither the assembler's memory nor a caller.
    async fn forget(&mut self, pull: PullId) {
        if self.pulls.contains_key(&key_of(&pull)) {
            // The mark is in use again, and what is kept under it is wanted.
            return;
        }
        if self.journal.durability() != Durability::Memory {
            // What is on a disk stays for as long as its keeper wants it; but not a page that was on
            // its way when the keeper let go of the rest.
            if !self.let_go.contains(&pull) {
                return;
            }
        }
        if let Err(error) = self.journal.forget(&pull).await {
            tracing::warn!(%pull, error = &error as &dyn std::error::Error, "not forgotten");
        }
    }
}

/// Whether any page is known to have come.
fn has_anything(fold: &Fold) -> bool {
    fold.pages() + fold.unreadable() + fold.owed() > 0
}

/// Pending where nothing is due; the branch is disabled then.
async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due).await;
    }
}
