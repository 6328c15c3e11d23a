//! The client: it wires sender, receiver, journal and driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use qopen_assembler::{Config, PullOptions, Timing};
use qopen_callback::{Keyring, SharedKeyring, receiver};
use qopen_http::Sender;
use qopen_journal::{Durability, Fencing, Journal, JournalError, MemoryJournal, Note, PullId};
use qopen_sink::Sink;
use qopen_types::{Digest, MarkId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::driver::Driver;
use crate::error::PullError;
use crate::fact::Fact;
use crate::foreign::ForeignHandler;
use crate::messages::{Command, Seen, Start, Watched};
use crate::outcome::{Outcome, PulledList};
use crate::publish;
use crate::pull::CancelOnDrop;
use crate::pull::{Pull, PullRequest};
use crate::receive::{Intake, KnownPulls};
use crate::resume::{self, Resumed, options};
use crate::stats::Stats;
use crate::tenure::{self, Generation, Tenure};
use crate::under_way::{Hold, UnderWay};

/// Facts that may wait for the driver before receivers wait too.
const QUEUE: usize = 256;

/// A client that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// `build` was called outside a tokio runtime, which the client's driver needs.
    #[error("a client is built inside a tokio runtime; there is none here")]
    NoRuntime,
}

/// Settings of a [`Client`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    sender: Sender,
    ring: Keyring,
    journal: Option<Arc<dyn Journal>>,
    timing: Timing,
    retention: Duration,
    receiver: receiver::Config,
    foreign: Option<Arc<dyn ForeignHandler>>,
    adopt: bool,
    keep_strangers: bool,
}

impl ClientBuilder {
    /// Keeps pages in this journal. Default: in memory, which is not durable.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// When pulls end that do not say so themselves.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// How long ended pulls are remembered, so that late pages find them. Default 10 min.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// How callbacks are received.
    pub fn receiver(mut self, config: receiver::Config) -> Self {
        self.receiver = config;
        self
    }

    /// Takes the events that are not customer lists. Default: answered `success` and dropped.
    pub fn foreign_handler(mut self, handler: Arc<dyn ForeignHandler>) -> Self {
        self.foreign = Some(handler);
        self
    }

    /// Collects pulls that someone else requested. Default: their pages go to the handler of other
    /// events, or into quarantine where there is none.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.adopt = adopt;
        self
    }

    /// Keeps the pages of pulls that someone else requested, for whichever
    /// [`Worker`](crate::Worker) shares the journal. Default: as with [`adopt`](Self::adopt).
    pub fn keep_strangers(mut self, keep: bool) -> Self {
        self.keep_strangers = keep;
        self
    }

    /// Makes the client and starts its driver.
    ///
    /// # Errors
    /// [`ClientError::NoRuntime`], outside a tokio runtime.
    pub fn build(self) -> Result<Client, ClientError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
        let journal = self.journal.unwrap_or_else(|| Arc::new(MemoryJournal::default()));
        let (commands, command_queue) = mpsc::unbounded_channel();
        let (facts, fact_queue) = mpsc::channel(QUEUE);
        let (adopted, adoptions) = mpsc::channel(QUEUE);
        let known = Arc::new(KnownPulls::default());
        let mut config = Config::default();
        config.retention = self.retention;
        config.adopt = self.adopt.then(|| PullOptions::default().timing(self.timing));
        let stats = Stats::default();
        let driver = Driver::run(
            config,
            Arc::clone(&journal),
            Arc::clone(&known),
            adopted,
            command_queue,
            fact_queue,
            stats.refusals().clone(),
        );
        runtime.spawn(driver);
        let told = facts.clone();
        let mut intake = Intake::new(Arc::clone(&journal), facts, known, stats.clone());
        (intake.adopt, intake.keep_strangers) = (self.adopt, self.keep_strangers);
        intake.foreign = self.foreign;
        let ring = SharedKeyring::new(self.ring);
        let router =
            receiver::router(ring.clone(), Arc::new(intake), self.receiver, stats.receiver.clone());
        let (sender, timing) = (self.sender, self.timing);
        Ok(Client {
            inner: Arc::new(Inner {
                sender,
                ring,
                journal,
                commands,
                facts: told,
                router,
                stats,
                timing,
                generations: AtomicU64::new(0),
                adoptions: tokio::sync::Mutex::new(adoptions),
            }),
        })
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Pulls customer lists. Cloning is cheap; the driver stops when the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    sender: Sender,
    ring: SharedKeyring,
    journal: Arc<dyn Journal>,
    commands: mpsc::UnboundedSender<Command>,
    facts: mpsc::Sender<(Instant, Fact)>,
    router: axum::Router,
    stats: Stats,
    timing: Timing,
    generations: AtomicU64,
    adoptions: tokio::sync::Mutex<mpsc::Receiver<(PullId, Watched)>>,
}

impl Client {
    /// Begins with what requests are sent by and what callbacks are opened with.
    pub fn builder(sender: Sender, ring: Keyring) -> ClientBuilder {
        ClientBuilder {
            sender,
            ring,
            journal: None,
            timing: Timing::default(),
            retention: Duration::from_secs(600),
            receiver: receiver::Config::default(),
            foreign: None,
            adopt: false,
            keep_strangers: false,
        }
    }

    /// The route that the platform's callbacks must reach, to serve or to merge into your own.
    /// It must be served before the first pull.
    pub fn callback_router(&self) -> axum::Router {
        self.inner.router.clone()
    }

    /// Opens callbacks with this ring from now on, those that are on their way included. To rotate
    /// keys without a gap, give a ring with both pairs, change the platform's console, and give one
    /// with the new pair alone.
    pub fn replace_keyring(&self, ring: Keyring) {
        self.inner.ring.replace(ring);
    }

    /// The ring that callbacks are opened with now.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.inner.ring.get()
    }

    /// What was received so far, by kind.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// Starts a pull: journals it, sends the request in the background, and returns the handle.
    /// Any number may be under way at once. Dropping the handle cancels the pull.
    ///
    /// # Errors
    /// [`PullError`], when the pull could not be started; nothing was sent then. That the platform
    /// refused is an outcome, not an error.
    pub async fn pull(&self, request: PullRequest) -> Result<Pull, PullError> {
        self.start_pull(request, None).await
    }

    async fn start_pull(
        &self,
        request: PullRequest,
        order: Option<Note>,
    ) -> Result<Pull, PullError> {
        let inner = &self.inner;
        let id = inner.name(&request).await?;
        let started = request.started(inner.timing);
        let under_way = self.under_way(id.clone());
        let start = Start::new(options(&started).await_acceptance());
        let watched = inner.start(&id, under_way.generation, start).await?;
        let need_tag_info = started.need_tag_info;
        let note = Note::Started(started);
        for note in std::iter::once(note).chain(order) {
            inner.journal.note(&id, note).await.map_err(PullError::Journal)?;
        }
        inner.send(&under_way, None, need_tag_info);
        Ok(handle(id, watched, Arc::clone(&inner.journal), None, under_way.cancel))
    }

    /// As [`pull`](Self::pull), for a list that `sink` will publish: takes the sink's next sequence number
    /// before it sends the request.
    ///
    /// # Errors
    /// As [`pull`](Self::pull); [`PullError::Place`], when the sink does not answer.
    pub async fn pull_in_order(
        &self,
        request: PullRequest,
        sink: Arc<dyn Sink>,
    ) -> Result<Pull, PullError> {
        let order = publish::next_order(sink).await.map_err(PullError::Place)?;
        self.start_pull(request, order).await
    }

    /// Journals that a pull is wanted. Whichever [`Worker`](crate::Worker) shares the journal takes it
    /// up, and sends the request.
    ///
    /// # Errors
    /// [`PullError`], when that could not be kept, or there is such a pull already.
    pub async fn announce(&self, request: PullRequest) -> Result<PullId, PullError> {
        let inner = &self.inner;
        let id = inner.name(&request).await?;
        let mut started = request.started(inner.timing);
        started.unsent = true;
        inner.journal.note(&id, Note::Started(started)).await.map_err(PullError::Journal)?;
        Ok(id)
    }

    /// The list of a pull that has ended, folded from what the journal has, for somebody who reads it:
    /// nothing is awaited, noted or published. Its revision is 0 where it is not complete. `None` where
    /// there is no such pull, or it has not ended.
    ///
    /// # Errors
    /// [`PullError::Journal`], when the journal cannot be read.
    pub async fn list(&self, id: &PullId) -> Result<Option<PulledList>, PullError> {
        let journal = &self.inner.journal;
        let state = journal.pull(id).await.map_err(PullError::Journal)?;
        let Some(state) = state.filter(|it| it.ended().is_some()) else { return Ok(None) };
        let list = resume::list_of(journal, &state, self.inner.timing).await;
        list.map_err(PullError::Journal)
    }

    /// The next pull that was adopted, as soon as a page of it has come; `None` when the client's
    /// driver has stopped. Dropping its handle does not end it. At most 256 wait to be asked for;
    /// more go on unseen. Several callers take turns, and a caller that goes away loses nothing.
    pub async fn adopted(&self) -> Option<Pull> {
        let (id, watched) = self.inner.adoptions.lock().await.recv().await?;
        // Nobody here has started it: its generation is 0.
        let mut cancel = UnderWay::new(self.inner.commands.clone(), id.clone(), 0).cancel;
        cancel.disarm();
        Some(handle(id, watched, Arc::clone(&self.inner.journal), None, cancel))
    }

    /// Takes up a pull that another process has left, or that ended without a complete list: its
    /// pages are folded again from the journal, and what is missing is awaited.
    ///
    /// A request whose answer was never seen, and of which no page came, is sent again under the
    /// same mark. The deadline goes on from when the pull was started, but leaves time for two idle
    /// timeouts; one that had ended begins anew. The quiet that completes the list is as long as the
    /// idle timeout, if that is longer: what the platform could not deliver meanwhile needs time to
    /// come again. A pull that was complete is so again at once. Dropping the handle cancels the
    /// pull.
    ///
    /// # Errors
    /// [`PullError`], when there is no such pull, it is under way already, or the journal cannot be
    /// read.
    pub async fn resume(&self, id: &PullId) -> Result<Pull, PullError> {
        self.resume_as(id, None).await
    }

    pub(crate) async fn resume_as(
        &self,
        id: &PullId,
        tenure: Option<&Arc<Tenure>>,
    ) -> Result<Pull, PullError> {
        let inner = &self.inner;
        let noted = |noted: Result<Fencing, JournalError>| match noted {
            Ok(Fencing::Fenced) => Err(PullError::Fenced),
            noted => noted.map(drop).map_err(PullError::Journal),
        };
        let under_way = self.under_way(id.clone());
        // From here on, what comes is held until the fold is there: the journal is read after.
        let _hold = inner.hold(id, under_way.generation).await?;
        let state = inner.journal.pull(id).await.map_err(PullError::Journal)?;
        let state = state.ok_or(PullError::NotInJournal)?;
        let resumed = resume::prepare(&*inner.journal, &state, inner.timing).await;
        let Resumed { mut start, send_again, anew } = resumed.map_err(PullError::Journal)?;
        start.tenure = tenure.map(Arc::clone);
        let watched = inner.start(id, under_way.generation, start).await?;
        if let Some(tenure) = tenure {
            tenure.is_taken_up_as(under_way.generation);
        }
        // From here on, what goes wrong is the journal's doing: then it is let go of, not cancelled.
        let letting_go = LetGo { client: self, tenure };
        if tenure.is_some_and(|tenure| tenure.is_lost()) {
            return Err(PullError::Fenced);
        }
        let note = |note| tenure::note(&*inner.journal, tenure, id, note);
        let cancelled = state.is_cancel_requested() && !anew;
        if anew {
            noted(note(Note::Resumed).await)?;
        }
        if state.is_strange() && tenure.is_some() {
            noted(note(Note::Adopted).await)?;
        }
        if let Some(need_tag_info) = send_again.filter(|_| !cancelled) {
            if state.is_unsent() {
                noted(note(Note::Requested).await)?;
            }
            inner.send(&under_way, tenure.map(Arc::clone), need_tag_info);
        }
        if cancelled {
            under_way.cancel.call();
        }
        letting_go.not_after_all();
        let journal = Arc::clone(&inner.journal);
        Ok(handle(id.clone(), watched, journal, tenure.map(Arc::clone), under_way.cancel))
    }

    /// The driver forgets a pull that it followed under a claim.
    pub(crate) fn let_go(&self, tenure: &Tenure) {
        if tenure.generation() == 0 {
            // It was not taken up.
            return;
        }
        let let_go = Command::LetGo(tenure.pull().clone(), tenure.generation());
        // Without a driver nothing is known.
        let _ = self.inner.commands.send(let_go);
    }

    /// The journal has not answered since then.
    pub(crate) fn outage_began(&self, since: Instant) {
        // Without a driver nothing ends.
        let _ = self.inner.commands.send(Command::OutageBegan(since));
    }

    /// The journal answers again.
    pub(crate) fn outage_ended(&self) {
        let _ = self.inner.commands.send(Command::OutageEnded);
    }

    /// Another process has refused what may have been a page.
    pub(crate) fn refused(&self) {
        let _ = self.inner.commands.send(Command::Refused);
    }

    /// Ends a pull that is followed under a claim with what is there.
    pub(crate) fn cancel(&self, tenure: &Tenure) {
        let cancel = Command::Cancel(tenure.pull().clone(), tenure.generation());
        // Without a driver there is nothing to end.
        let _ = self.inner.commands.send(cancel);
    }

    /// Which of a pull's pages the driver was not told of; `None` where it does not have it open.
    pub(crate) async fn missing(&self, pull: &PullId, kept: Vec<Digest>) -> Option<Vec<Digest>> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(Command::Missing(pull.clone(), kept, reply)).ok()?;
        answer.await.ok()?
    }

    /// Tells the driver what another process has kept.
    pub(crate) async fn tell(&self, fact: Fact) {
        // Without a driver nobody wants to know.
        let _ = self.inner.facts.send((Instant::now(), fact)).await;
    }

    /// Lets go of a pull that has ended, here and in the journal. A page that comes of it later is a
    /// stranger's. A pull that nobody knows is no error.
    ///
    /// # Errors
    /// [`PullError::UnderWay`]; [`PullError::Journal`], when the journal cannot be written.
    pub async fn forget(&self, id: &PullId) -> Result<(), PullError> {
        let (reply, answer) = oneshot::channel();
        let forget = Command::Forget(id.clone(), reply);
        self.inner.commands.send(forget).map_err(|_| PullError::Closed)?;
        answer.await.map_err(|_| PullError::Closed)??;
        self.inner.journal.forget(id).await.map_err(PullError::Journal)
    }

    /// From here on, a caller that goes away takes the pull with it.
    fn under_way(&self, id: PullId) -> UnderWay {
        let generation = 1 + self.inner.generations.fetch_add(1, Ordering::Relaxed);
        UnderWay::new(self.inner.commands.clone(), id, generation)
    }
}

/// Lets go of a pull under a claim when it is dropped: before whoever was taking it up cancels it.
struct LetGo<'a> {
    client: &'a Client,
    tenure: Option<&'a Arc<Tenure>>,
}

impl LetGo<'_> {
    fn not_after_all(mut self) {
        self.tenure = None;
    }
}

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        if let Some(tenure) = self.tenure {
            self.client.let_go(tenure);
        }
    }
}

impl Inner {
    fn send(&self, pull: &UnderWay, tenure: Option<Arc<Tenure>>, need_tag_info: bool) {
        pull.send(self.sender.clone(), Arc::clone(&self.journal), tenure, need_tag_info);
    }

    /// The name of a pull that is new.
    async fn name(&self, request: &PullRequest) -> Result<PullId, PullError> {
        let mark_id = match request.mark_id.clone() {
            None => new_mark()?,
            Some(mark_id) => mark_id,
        };
        let id = PullId { robot_id: request.robot_id.clone(), mark_id };
        // The journal in memory forgets what this process has forgotten.
        if request.mark_id.is_some()
            && self.journal.durability() != Durability::Memory
            && self.journal.pull(&id).await.map_err(PullError::Journal)?.is_some()
        {
            return Err(PullError::InJournal);
        }
        Ok(id)
    }

    async fn hold(&self, id: &PullId, generation: Generation) -> Result<Hold, PullError> {
        let (reply, answer) = oneshot::channel();
        let hold = Command::Hold { pull: id.clone(), generation, reply };
        self.commands.send(hold).map_err(|_| PullError::Closed)?;
        let (commands, id) = (self.commands.clone(), id.clone());
        let hold = Hold { commands, id, generation };
        answer.await.map_err(|_| PullError::Closed)?.map_err(PullError::Start)?;
        Ok(hold)
    }

    async fn start(
        &self,
        id: &PullId,
        generation: Generation,
        start: Start,
    ) -> Result<Watched, PullError> {
        let (reply, answer) = oneshot::channel();
        let start = Command::Start { pull: id.clone(), generation, start: Box::new(start), reply };
        self.commands.send(start).map_err(|_| PullError::Closed)?;
        answer.await.map_err(|_| PullError::Closed)?.map_err(PullError::Start)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("sender", &self.inner.sender).finish_non_exhaustive()
    }
}

/// A mark that nobody has used and nobody can guess.
fn new_mark() -> Result<MarkId, PullError> {
    // The text of a UUID is always an identifier.
    MarkId::new(Uuid::now_v7().to_string()).map_err(|_| PullError::Closed)
}

fn handle(
    id: PullId,
    watched: Watched,
    journal: Arc<dyn Journal>,
    tenure: Option<Arc<Tenure>>,
    cancel: CancelOnDrop,
) -> Pull {
    let Watched { seen, lease } = watched;
    let progress = stream::unfold(seen.clone(), |mut seen| async move {
        if seen.borrow().ended.is_some() {
            return None;
        }
        seen.changed().await.ok()?;
        if seen.borrow().gone {
            return None;
        }
        let progress = seen.borrow_and_update().progress.clone();
        Some((progress, seen))
    });
    let list = PulledList::new(id.clone(), journal, tenure, seen.clone(), lease);
    let outcome = ended(seen, list);
    Pull { id, progress: progress.boxed(), outcome: outcome.boxed(), cancel }
}

async fn ended(mut seen: watch::Receiver<Seen>, list: PulledList) -> Result<Outcome, PullError> {
    let over = |seen: &Seen| seen.ended.is_some() || seen.gone;
    let seen = seen.wait_for(over).await.map_err(|_| PullError::Closed)?.clone();
    if seen.gone && seen.ended.is_none() {
        return Err(PullError::Fenced);
    }
    let ended = seen.ended.ok_or(PullError::Closed)?;
    Ok(Outcome { status: ended.status, progress: seen.progress, list })
}
