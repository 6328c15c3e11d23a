//! The task that owns the clock and the assembler: facts in, events out to whoever waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use qopen_assembler::{
    Anomaly, Assembler, Config, Entry, ErrorReport, Event, Failure, Fold, PullKey, StartError,
    Time, Verdict, WaitingFor,
};
use qopen_journal::{Changes, Durability, Fencing, Journal, JournalError, Note, PullId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::classify::key_of;
use crate::error::PullError;
use crate::fact::{Fact, digest_of, fact_of, notes_of};
use crate::handle::Inbox;
use crate::known::KnownPulls;
use crate::messages::{Command, Ended, Lease, Seen, Start, Watched};
use crate::progress::Progress;
use crate::refusals::{RefusalSource, Refused};
use crate::requester::RequestError;
use crate::status::Status;
use crate::tenure::{self, Generation, HUNG, Tenure};

struct Entered {
    pull: PullId,
    /// 0 for an adopted pull: nobody here started it.
    generation: Generation,
    seen: watch::Sender<Seen>,
    /// Held for as long as the assembler remembers the pull.
    _lease: Arc<Lease>,
    not_sent: Option<Arc<RequestError>>,
    /// How long it was under way in processes before this one.
    elapsed: Duration,
    /// The claim that it is followed under.
    tenure: Option<Arc<Tenure>>,
    /// Changes since the published revision, when the pull was resumed.
    changes: Option<Changes>,
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
    /// What was refused, and how much of it the assembler was told of.
    refusals: Arc<dyn RefusalSource>,
    refused: u64,
    /// When the journal answered last, and when it is asked again where it does not.
    heard: Instant,
    away: Option<Instant>,
    /// Ends that could not be noted yet: they are nobody's business before.
    unnoted: BTreeMap<PullKey, Status>,
    /// What waits until the assembler's events are taken.
    waiting: VecDeque<(Time, Fact)>,
}

/// Time begins long before the driver does: what was signed before that has a time too.
const BEFORE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long after it did not answer the journal is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// How many of those are remembered.
const LET_GO: usize = 1024;

impl Driver {
    /// Runs until the client is gone: no commands and no facts can come any more.
    pub(crate) async fn run(
        config: Config,
        journal: Arc<dyn Journal>,
        known: Arc<KnownPulls>,
        adopted: mpsc::Sender<(PullId, Watched)>,
        inbox: Inbox,
        refusals: Arc<dyn RefusalSource>,
    ) {
        let Inbox { mut commands, facts } = inbox;
        let refusing = Arc::clone(&refusals);
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
            refusals,
            refused: 0,
            heard: epoch,
            away: None,
            unnoted: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        loop {
            let due = driver.assembler.poll_timeout();
            // A time too far away to be named never comes.
            let due = due
                .and_then(|due| driver.epoch.checked_add(due.to_duration().saturating_sub(BEFORE)));
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
                () = refusing.more_than(driver.refused) => driver.count_refusals(),
                () = sleep_until(driver.away), if driver.away.is_some() => driver.ask_again().await,
                () = sleep_until(due), if due.is_some() => {
                    let now = driver.now();
                    driver.pass(now).await;
                }
            }
            driver.settle().await;
        }
    }

    fn now(&self) -> Time {
        self.time_of(Instant::now())
    }

    fn time_of(&self, at: Instant) -> Time {
        Time::since_epoch(BEFORE + at.saturating_duration_since(self.epoch))
    }

    /// Tells the assembler what was refused since it was told last.
    fn count_refusals(&mut self) {
        let Refused { count, last, .. } = self.refusals.refused();
        if count > self.refused {
            let at = last.map_or_else(Instant::now, Instant::from_std);
            self.assembler.handle_refusal(self.time_of(at));
            self.refused = count;
        }
    }

    /// Asks the journal, and takes note of whether it answers.
    async fn ask<T>(
        &mut self,
        question: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let asked = Instant::now();
        let answer = question.await;
        let retryable = answer.as_ref().is_err_and(JournalError::is_retryable);
        if retryable || asked.elapsed() > HUNG {
            self.outage_began(self.heard.max(asked - HUNG.min(asked - self.epoch)));
        }
        if !retryable {
            self.outage_ended();
        }
        answer
    }

    fn outage_began(&mut self, since: Instant) {
        if self.away.is_none() {
            tracing::warn!("the journal does not answer: nothing ends by silence until it does");
        }
        self.away = Some(Instant::now() + AGAIN);
        let (now, since) = (self.now(), self.time_of(since));
        self.assembler.handle_outage_began(now, since);
    }

    fn outage_ended(&mut self) {
        self.heard = Instant::now();
        if self.away.take().is_some() {
            tracing::info!("the journal answers again");
            let now = self.now();
            self.assembler.handle_outage_ended(now);
        }
    }

    /// The journal did not answer a while ago: whether it does now.
    async fn ask_again(&mut self) {
        self.away = Some(Instant::now() + AGAIN);
        let journal = Arc::clone(&self.journal);
        let any = self.pulls.values().next().map(|it| it.pull.clone());
        let Some(pull) = any else { return self.outage_ended() };
        if self.ask(async move { journal.knows(&pull).await }).await.is_ok() {
            for (key, status) in std::mem::take(&mut self.unnoted) {
                self.end(&key, status).await;
            }
        }
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
                let mut start = *start;
                let started = match (start.ended, start.fold.take_if(|_| start.ended.is_some())) {
                    (Some((revision, late)), Some(fold)) => {
                        let options = start.options;
                        self.assembler.start_completed(
                            now,
                            key.clone(),
                            options,
                            fold,
                            revision,
                            late,
                        )
                    }
                    _ => self.assembler.start(now, key.clone(), start.options),
                };
                let ours = started.is_ok();
                let id = pull.clone();
                let answer = started.map(|()| self.begin(now, pull, generation, start));
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
            Command::Refused => self.assembler.handle_refusal(now),
            Command::OutageBegan(since) => self.outage_began(since),
            Command::OutageEnded => self.outage_ended(),
            Command::Missing(pull, mut digests, reply) => {
                let key = key_of(&pull);
                let missing = self.assembler.progress(&key).map(|_| {
                    digests.retain(|it| !self.assembler.has_page(&key, digest_of(*it)));
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
            (entered.elapsed, entered.tenure) = (start.elapsed, start.tenure);
            entered.changes = start.changes;
        }
        if let Some(fold) = start.fold.filter(has_anything) {
            // The pull is open, and the fold its own.
            let _ = self.assembler.merge(now, &key, &fold);
        }
        if let Some((code, message)) = start.reported {
            let (robot, mark) = (key.robot().to_owned(), Some(key.mark().to_owned()));
            let report = ErrorReport { robot, mark, code, message, signed: None };
            self.assembler.handle_error(now, report);
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
        self.unnoted.remove(&key);
        // At no later time than it is: nothing else must end by it. It may have ended, and may be
        // forgotten already.
        let _ = self.assembler.cancel(Time::ZERO, &key);
        let _ = self.assembler.forget(Time::ZERO, &key);
    }

    /// Lets time pass up to then. What is followed under a claim may have pages that another process
    /// has kept: whatever would end by it ends only when the journal has nothing else.
    async fn pass(&mut self, now: Time) {
        // What was refused before is no quiet now.
        self.count_refusals();
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
                    // Nothing ends by silence until it answers.
                    Err(error) if error.is_retryable() => {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(%pull, error, "the journal cannot be read");
                        return;
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(%pull, error, "the journal cannot be read; left for now");
                        self.let_go_of(&pull);
                    }
                }
            }
            while let Ok((_, fact)) = self.facts.try_recv() {
                self.take(before, fact);
            }
            if !self.waiting.is_empty() {
                // Nothing is due before what came before it.
                self.settle().await;
            }
        }
    }

    /// The pulls under a claim that end at that time, but for those that were looked at.
    fn ripe(&self, due: Time, looked_at: &BTreeSet<PullKey>) -> Vec<(PullKey, PullId)> {
        let open = self.assembler.open_pulls().filter(|key| !looked_at.contains(key));
        let ripe = open.filter_map(|key| {
            let entered = self.pulls.get(key).filter(|it| it.tenure.is_some())?;
            let progress = self.assembler.progress(key)?;
            let waits = progress.waiting_for == WaitingFor::Acceptance;
            let ripe = !waits && progress.due.is_some_and(|it| it <= due);
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
        let journal = Arc::clone(&self.journal);
        let mut missing = self.ask(journal.digests(pull)).await?;
        missing.retain(|it| !self.assembler.has_page(key, digest_of(*it)));
        if !missing.is_empty() {
            let mut pages = self.ask(journal.pages_of(pull, &missing)).await?;
            while let Some(page) = self.ask(async { pages.next().await.transpose() }).await? {
                self.take(at, fact_of(page));
            }
        }
        if let Some(state) = self.ask(journal.pull(pull)).await? {
            for fact in self.ask(notes_of(&*journal, &state)).await? {
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
            tenure: None,
            changes: None,
        };
        self.pulls.insert(key, entered);
        Watched { seen: watching, lease }
    }

    /// The request failed. The callbacks are the truth: where pages have come, it was taken; where
    /// it may have been, they get the time to come.
    fn not_sent(&mut self, now: Time, pull: &PullId, error: RequestError) {
        let key = key_of(pull);
        let came = self.assembler.fold(&key).is_some_and(has_anything);
        let Some(entered) = self.pulls.get_mut(&key) else { return };
        let wait = came || error.may_have_arrived();
        if wait {
            let error = error.cause() as &dyn std::error::Error;
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
        let at = self.time_of(arrived);
        self.pass(at).await;
        self.take(at, fact);
    }

    /// Hands out every event, and hands in what waited until there was room for its events.
    async fn settle(&mut self) {
        self.speak().await;
        while let Some((at, fact)) = self.waiting.pop_front() {
            self.hand_in(at, fact);
            self.speak().await;
        }
    }

    fn take(&mut self, now: Time, fact: Fact) {
        match self.assembler.is_backlogged() || !self.waiting.is_empty() {
            true => self.waiting.push_back((now, fact)),
            false => self.hand_in(now, fact),
        }
    }

    fn hand_in(&mut self, now: Time, fact: Fact) {
        if let Some(key) = self.held_for(&fact)
            && let Some(held) = self.held.get_mut(&key)
        {
            held.facts.push((now, fact));
            return;
        }
        match fact {
            Fact::Page(pull, digest, page) => {
                let verdict = self.assembler.handle_page(now, page.into_page(digest));
                tracing::debug!(%pull, ?verdict, "page");
                match verdict {
                    // Kept for nobody: it was forgotten meanwhile, or no more can be adopted.
                    Verdict::Unknown => drop(self.released.send(pull)),
                    // Whoever waits until the list is settled learns that it is not.
                    Verdict::Late => self.update(&key_of(&pull), None),
                    _ => self.enter_adopted(&pull),
                }
            }
            Fact::Unreadable(pull, digest) => {
                self.assembler.handle_unreadable_page(now, &key_of(&pull), digest);
                self.enter_adopted(&pull);
            }
            Fact::Owed(pull, digest) => {
                self.assembler.handle_owed_page(now, &key_of(&pull), digest);
                self.enter_adopted(&pull);
            }
            Fact::Released(pull, digest) => {
                self.assembler.handle_released(now, &key_of(&pull), digest);
            }
            Fact::Error(report) => self.assembler.handle_error(now, report),
        }
    }

    /// The pull that is being taken up to which this belongs.
    fn held_for(&self, fact: &Fact) -> Option<PullKey> {
        self.held.keys().find(|key| fact.is_of(key)).cloned()
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
                    tracing::info!(pull = %key, revision, "pages came after the list was complete");
                    self.update(&key, None);
                }
                Event::Reopened { key } => self.reopened(&key).await,
                Event::Forgotten { key } => {
                    if let Some(entered) = self.pulls.remove(&key) {
                        self.known.remove(&entered.pull);
                    }
                }
                // It is kept, or is about to be, and makes a revision.
                Event::Anomaly(anomaly @ Anomaly::UnfoldedAfterEnd { .. }) => {
                    tracing::debug!(?anomaly, "anomaly");
                }
                Event::Anomaly(anomaly) => tracing::warn!(?anomaly, "anomaly"),
                other => tracing::debug!(?other, "an event that this driver does not use"),
            }
        }
    }

    /// A page came after the pull had failed: it is open again, in the journal too.
    async fn reopened(&mut self, key: &PullKey) {
        let Some(entered) = self.pulls.get(key) else { return };
        let (pull, tenure) = (entered.pull.clone(), entered.tenure.clone());
        tracing::info!(%pull, "a page came after the pull had ended; it waits again");
        let journal = Arc::clone(&self.journal);
        let noted = self.ask(tenure::note(&*journal, tenure.as_ref(), &pull, Note::Resumed)).await;
        if let Err(error) = noted {
            // Its end follows, and is noted again.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%pull, error, "that the pull waits again was not journaled");
        }
        self.update(key, None);
    }

    async fn end(&mut self, key: &PullKey, status: Status) {
        self.unnoted.remove(key);
        let Some(entered) = self.pulls.get(key) else {
            return;
        };
        let pull = entered.pull.clone();
        tracing::info!(%pull, status = status.as_str(), "pull ended");
        let progress = self.assembler.progress(key);
        let (accounts, pages) = progress.map_or((0, 0), |it| (it.accounts as u64, it.pages as u64));
        let (why, text) = (status.to_string(), status.as_str().to_owned());
        let note = Note::Ended { status: text, why, accounts, pages };
        let ended_before = matches!(&status, Status::Complete(basis) if basis.earlier);
        if !ended_before {
            let (tenure, journal) = (entered.tenure.clone(), Arc::clone(&self.journal));
            match self.ask(tenure::note(&*journal, tenure.as_ref(), &pull, note)).await {
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
                        // Nobody must take it for done before it is noted.
                        self.unnoted.insert(key.clone(), status);
                        return;
                    }
                }
            }
        }
        // A page may open again what has failed, so that its fold stays where it is.
        let fold = match status {
            Status::Complete(_) => self.assembler.take_fold(key).map(Arc::new),
            _ => self.assembler.share_fold(key),
        };
        let fold = fold.unwrap_or_else(|| Arc::new(Fold::new(key)));
        let changes = self.pulls.get(key).and_then(|it| it.changes);
        self.update(key, Some(Ended { status, fold, changes }));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use qopen_assembler::{PageDigest, PullOptions, Timing};
    use qopen_journal::MemoryJournal;

    use super::*;
    use crate::classify::{Classified, classify};
    use crate::handle::DriverHandle;
    use crate::refusals::RefusalCount;

    /// Where the assembler turns a page away because its events wait, the page is handed in again.
    #[tokio::test]
    async fn a_page_that_meets_a_backlog_of_events_is_not_lost() {
        const PAGES: usize = 50;
        let mut config = Config::default();
        config.limits.queued_events = 1;
        let pull = PullId { robot_id: "r".parse().unwrap(), mark_id: "m".parse().unwrap() };
        let (driver, inbox) = DriverHandle::new();
        let (adopted, _adopted) = mpsc::channel(1);
        let journal = Arc::new(MemoryJournal::default());
        let known = Arc::new(KnownPulls::default());
        let refusals = Arc::new(RefusalCount::default());
        let page = |number: usize| {
            let last = number + 1 == PAGES;
            let text = format!(
                r#"{{"event_type":42016,"robot_id":"r","data":{{"mark_id":"m","has_more":{},"account_list":[{{"account_id":"a{number}"}}]}}}}"#,
                !last
            );
            match classify(text.as_bytes()) {
                Classified::Page(page) => {
                    Fact::Page(pull.clone(), PageDigest::of(text.as_bytes()), page)
                }
                _ => panic!("{text}"),
            }
        };
        // They are there before the driver looks, and are taken one after the other.
        let generation = driver.next_generation();
        tokio::spawn(Driver::run(config, journal, known, adopted, inbox, refusals));
        let _held = driver.hold(&pull, generation).await.unwrap();
        for number in 0..PAGES {
            driver.tell(page(number)).await;
        }
        let timing = Timing::default().settle(Duration::from_millis(100));
        let start = Start::new(PullOptions::default().timing(timing));
        let mut watched = driver.start(&pull, generation, start).await.unwrap();
        let ended = watched.seen.wait_for(|seen| seen.ended.is_some()).await.unwrap();
        let status = &ended.ended.as_ref().unwrap().status;
        assert!(matches!(status, Status::Complete(_)), "{status:?}");
        assert_eq!((ended.progress.pages, ended.progress.accounts), (PAGES, PAGES));
    }
}
