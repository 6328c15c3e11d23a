//! The engine: it wires journal, driver and requester.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Config, PullOptions, Timing};
use qopen_journal::{Durability, Fencing, Journal, JournalError, MemoryJournal, Note, PullId};
use qopen_sink::Sink;
use qopen_types::MarkId;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::accepted::{Accepted, Incoming, NotKept};
use crate::counts::EngineStats;
use crate::driver::Driver;
use crate::error::PullError;
use crate::handle::DriverHandle;
use crate::intake::{Intake, Strays};
use crate::known::KnownPulls;
use crate::messages::{Start, Watched};
use crate::outcome::PulledList;
use crate::publish;
use crate::pull::{Pull, PullRequest};
use crate::refusals::{RefusalCount, RefusalSource};
use crate::requester::Requester;
use crate::resume::{self, Resumed, options};
use crate::tenure::{self, Tenure};
use crate::under_way::UnderWay;

/// Adopted pulls that wait to be asked for.
const ADOPTED: usize = 256;

/// Why an engine cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// `build` was called outside a tokio runtime, which the engine's driver needs.
    #[error("the engine cannot start: no tokio runtime; build it inside one")]
    NoRuntime,
}

/// Settings of an [`Engine`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct EngineBuilder {
    requester: Arc<dyn Requester>,
    journal: Option<Arc<dyn Journal>>,
    timing: Timing,
    retention: Duration,
    refusals: Option<Arc<dyn RefusalSource>>,
    strays: Strays,
}

impl EngineBuilder {
    /// Keeps pages in this journal. Default: in memory, which is not durable.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets when pulls end that have no timing of their own.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets how long ended pulls are remembered, so that late pages find them. Default 10 min.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets what counts the refusals that pages may have suffered. Default: nothing does.
    pub fn refusals(mut self, refusals: Arc<dyn RefusalSource>) -> Self {
        self.refusals = Some(refusals);
        self
    }

    /// Collects pulls that another system requested. Default: their pages go into quarantine.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.strays.adopt = adopt;
        self
    }

    /// Keeps the pages of pulls that another system requested, for the
    /// [`Worker`](crate::Worker) that shares the journal. Default: as with [`adopt`](Self::adopt).
    pub fn keep_strangers(mut self, keep: bool) -> Self {
        self.strays.keep = keep;
        self
    }

    /// Returns the pages of pulls that another system requested as [`Accepted::External`], unless a
    /// page may belong to an open pull. Default: as with [`adopt`](Self::adopt).
    pub fn hand_back_strangers(mut self, hand_back: bool) -> Self {
        self.strays.hand_back = hand_back;
        self
    }

    /// Makes the engine and starts its driver.
    ///
    /// # Errors
    /// [`EngineError::NoRuntime`], outside a tokio runtime.
    pub fn build(self) -> Result<Engine, EngineError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| EngineError::NoRuntime)?;
        let journal = self.journal.unwrap_or_else(|| Arc::new(MemoryJournal::default()));
        let (driver, inbox) = DriverHandle::new();
        let (adopted, adoptions) = mpsc::channel(ADOPTED);
        let known = Arc::new(KnownPulls::default());
        let mut config = Config::default();
        config.retention = self.retention;
        config.adopt = self.strays.adopt.then(|| PullOptions::default().timing(self.timing));
        let refusals = self.refusals.unwrap_or_else(|| Arc::new(RefusalCount::default()));
        runtime.spawn(Driver::run(
            config,
            Arc::clone(&journal),
            Arc::clone(&known),
            adopted,
            inbox,
            refusals,
        ));
        let stats = EngineStats::default();
        let intake =
            Intake::new(Arc::clone(&journal), driver.facts(), known, stats.clone(), self.strays);
        Ok(Engine {
            inner: Arc::new(Inner {
                driver,
                intake,
                journal,
                requester: self.requester,
                stats,
                timing: self.timing,
                adoptions: tokio::sync::Mutex::new(adoptions),
            }),
        })
    }
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder").field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// Pulls customer lists: a journal, an assembler and the clock that drives it. Cloning is cheap; the
/// driver stops when the last clone is dropped.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    driver: DriverHandle,
    intake: Intake,
    journal: Arc<dyn Journal>,
    requester: Arc<dyn Requester>,
    stats: EngineStats,
    timing: Timing,
    adoptions: tokio::sync::Mutex<mpsc::Receiver<(PullId, Watched)>>,
}

impl Engine {
    /// Begins with what requests lists.
    pub fn builder(requester: Arc<dyn Requester>) -> EngineBuilder {
        EngineBuilder {
            requester,
            journal: None,
            timing: Timing::default(),
            retention: Duration::from_secs(600),
            refusals: None,
            strays: Strays::default(),
        }
    }

    /// Takes a verified payload, from anywhere: [`Intake::accept`].
    ///
    /// # Errors
    /// [`NotKept`]: the payload must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn accept(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        self.inner.intake.accept(incoming).await
    }

    /// The way in for payloads, which does not keep the driver alive.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.inner.intake
    }

    /// What the engine counted so far.
    #[must_use]
    pub fn stats(&self) -> &EngineStats {
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
        let watched = inner.driver.start(&id, under_way.generation, start).await?;
        let need_tag_info = started.need_tag_info;
        let note = Note::Started(started);
        for note in std::iter::once(note).chain(order) {
            inner.journal.note(&id, note).await.map_err(PullError::Journal)?;
        }
        inner.send(&under_way, None, need_tag_info);
        Ok(Pull::new(id, watched, Arc::clone(&inner.journal), None, under_way.cancel))
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

    /// The next pull that was adopted, as soon as a page of it has come; `None` when the
    /// engine's driver has stopped. Dropping its handle does not end it. At most 256 wait to be asked for;
    /// more go on unseen. Several callers take turns, and a caller that goes away loses nothing.
    pub async fn adopted(&self) -> Option<Pull> {
        let (id, watched) = self.inner.adoptions.lock().await.recv().await?;
        // Nobody here has started it: its generation is 0.
        let cancel = UnderWay::new(self.inner.driver.clone(), id.clone(), 0).cancel;
        cancel.disarm();
        Some(Pull::new(id, watched, Arc::clone(&self.inner.journal), None, cancel))
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
        let _hold = inner.driver.hold(id, under_way.generation).await?;
        let state = inner.journal.pull(id).await.map_err(PullError::Journal)?;
        let state = state.ok_or(PullError::NotInJournal)?;
        let resumed = resume::prepare(&*inner.journal, &state, inner.timing).await;
        let Resumed { mut start, send_again, anew } = resumed.map_err(PullError::Journal)?;
        start.tenure = tenure.map(Arc::clone);
        let watched = inner.driver.start(id, under_way.generation, start).await?;
        if let Some(tenure) = tenure {
            tenure.is_taken_up_as(under_way.generation);
        }
        // From here on, what goes wrong is the journal's doing: then it is let go of, not cancelled.
        let letting_go = LetGo { driver: &inner.driver, tenure };
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
        Ok(Pull::new(id.clone(), watched, journal, tenure.map(Arc::clone), under_way.cancel))
    }

    pub(crate) fn driver(&self) -> &DriverHandle {
        &self.inner.driver
    }

    /// Lets go of a pull that has ended, here and in the journal. A page that comes of it later is a
    /// stranger's. A pull that nobody knows is no error.
    ///
    /// # Errors
    /// [`PullError::UnderWay`]; [`PullError::Journal`], when the journal cannot be written.
    pub async fn forget(&self, id: &PullId) -> Result<(), PullError> {
        self.inner.driver.forget(id).await?;
        self.inner.journal.forget(id).await.map_err(PullError::Journal)
    }

    /// From here on, a caller that goes away takes the pull with it.
    fn under_way(&self, id: PullId) -> UnderWay {
        let driver = &self.inner.driver;
        UnderWay::new(driver.clone(), id, driver.next_generation())
    }
}

/// Lets go of a pull under a claim when it is dropped: before whoever was taking it up cancels it.
struct LetGo<'a> {
    driver: &'a DriverHandle,
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
            self.driver.let_go(tenure);
        }
    }
}

impl Inner {
    fn send(&self, pull: &UnderWay, tenure: Option<Arc<Tenure>>, need_tag_info: bool) {
        let (requester, journal) = (Arc::clone(&self.requester), Arc::clone(&self.journal));
        pull.send(requester, journal, tenure, need_tag_info);
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
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("stats", &self.inner.stats).finish_non_exhaustive()
    }
}

/// A mark that nobody has used and nobody can guess.
fn new_mark() -> Result<MarkId, PullError> {
    // The text of a UUID is always an identifier.
    MarkId::new(Uuid::now_v7().to_string()).map_err(|_| PullError::Closed)
}
