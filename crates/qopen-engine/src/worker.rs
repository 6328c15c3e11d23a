//! A worker: claims pulls of the journal, renews the claims, and tells the driver the news.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use qopen_journal::{Claim, Fencing, JournalError, PullId, PullState, WorkerId, Workload};
use qopen_sink::{Sink, SinkError};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::engine::Engine;
use crate::error::PullError;
use crate::fact::Unseen;
use crate::held_claim::{HUNG, HeldClaim};
use crate::publish;
use crate::pull::Pull;

/// The longest time between two looks: hints may be lost.
const POLL: Duration = Duration::from_secs(1);

/// The shortest, however many hints there are.
const PAUSE: Duration = Duration::from_millis(50);

/// Settings of a [`Worker`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// Its name, unique among all workers. Default: a unique one.
    pub id: WorkerId,
    /// How long it may be out of touch with the journal until its pulls are given to others. Renewed
    /// three times as often. Default 15 s.
    pub lease: Duration,
    /// Pulls that it has at a time. Default 256.
    pub most: usize,
    /// Time limit of one step of a publication. After it the worker gives the pull up for another one.
    /// Default 150 s, longer than the steps of the sinks in `qopen-sink`.
    pub stalled: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let id = WorkerId::new(Uuid::now_v7().to_string());
        let (lease, stalled) = (Duration::from_secs(15), Duration::from_secs(150));
        Self { id, lease, most: 256, stalled }
    }
}

/// Claims pulls of a journal for an engine, renews the claims for as long as it lives, and tells
/// the engine's driver what other processes receive.
///
/// Of any number of workers that share a journal, one has a pull at a time. A pull wants a worker
/// after [`Engine::enqueue`], or when the journal keeps something of it after its end.
pub struct Worker {
    claimed: Mutex<mpsc::Receiver<ClaimedPull>>,
    keeper: AbortHandle,
}

impl Worker {
    /// Begins to claim. `journal` must be the engine's own. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(engine: &Engine, journal: Arc<dyn Workload>, options: WorkerOptions) -> Self {
        let (sender, claimed) = mpsc::channel(options.most.max(1));
        let (held, heard) = (Vec::new(), Instant::now());
        let keeper =
            Keeper { engine: engine.clone(), journal, options, held, heard, refusals: None };
        let keeper = tokio::spawn(keeper.run(sender)).abort_handle();
        Self { claimed: Mutex::new(claimed), keeper }
    }

    /// The next claimed pull. Several callers take turns.
    ///
    /// # Cancellation
    /// Dropping the future loses no pull.
    pub async fn claimed(&self) -> Option<ClaimedPull> {
        self.claimed.lock().await.recv().await
    }

    /// Stops claiming, and releases claimed pulls that no caller has. The callers' pulls stay
    /// claimed.
    pub async fn close(&self) {
        let mut claimed = self.claimed.lock().await;
        claimed.close();
        while let Some(claimed) = claimed.recv().await {
            // If releasing fails, another worker gets it when the lease ends.
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

/// Why a pull has no sequence number.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakePlaceError {
    /// It could not be noted.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The place did not give one.
    #[error("no sequence number from the place of the list")]
    Sink(#[from] SinkError),
}

/// A pull that this worker has claimed. If it is dropped, another worker gets it when the lease
/// ends.
#[must_use = "no other worker gets it until it is finished or left"]
pub struct ClaimedPull {
    held_claim: Arc<HeldClaim>,
    engine: Engine,
}

impl ClaimedPull {
    /// The pull.
    #[must_use]
    pub fn id(&self) -> &PullId {
        self.held_claim.pull()
    }

    /// The pull's state in the journal.
    ///
    /// # Errors
    /// [`JournalError`], if the journal cannot be read.
    pub async fn state(&self) -> Result<Option<PullState>, JournalError> {
        self.held_claim.journal().pull(self.id()).await
    }

    /// Takes the sink's next sequence number for the pull, before its request is sent. Does nothing if it
    /// has one, or the sink keeps no order.
    ///
    /// # Errors
    /// [`JournalError`], when that cannot be noted; [`SinkError`], when the sink does not answer.
    pub async fn take_place(&self, sink: Arc<dyn Sink>) -> Result<(), TakePlaceError> {
        let state = self.held_claim.journal().facts_of(self.id()).await?;
        if state.is_some_and(|state| publish::order_at(&state, &*sink).is_some()) {
            return Ok(());
        }
        if let Some(note) = publish::next_order(sink).await? {
            self.held_claim.note(note).await?;
        }
        Ok(())
    }

    /// Resumes the pull, as [`Engine::resume`] does: folds everything that is kept of it, and sends
    /// its request if no process has. Notes and publications of the pull from here on depend on the
    /// claim; when the claim no longer counts, the pull's outcome is [`PullError::Fenced`]. While
    /// the journal does not answer, nothing ends by silence.
    ///
    /// # Errors
    /// As [`Engine::resume`].
    pub async fn resume(&self) -> Result<Pull, PullError> {
        self.engine.resume_as(self.id(), Some(&self.held_claim)).await
    }

    /// Ready when the claim no longer counts.
    pub async fn lost(&self) {
        self.held_claim.lost().await;
    }

    /// Finishes the pull: it needs no worker until the journal keeps something of it.
    ///
    /// # Errors
    /// [`JournalError`]; another worker then gets it when the lease ends.
    pub async fn finish(self) -> Result<Fencing, JournalError> {
        self.engine.driver().drop_pull(&self.held_claim);
        let fencing = self.held_claim.journal().finish(self.held_claim.claim()).await?;
        if self.held_claim.finish() && fencing == Fencing::Held {
            self.held_claim.journal().want(self.id()).await?;
        }
        Ok(fencing)
    }

    /// Releases the pull for the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; another worker then gets it when the lease ends.
    pub async fn leave(self) -> Result<(), JournalError> {
        self.engine.driver().drop_pull(&self.held_claim);
        self.held_claim.journal().leave(self.held_claim.claim()).await
    }
}

impl fmt::Debug for ClaimedPull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedPull")
            .field("claim", self.held_claim.claim())
            .finish_non_exhaustive()
    }
}

struct Keeper {
    engine: Engine,
    journal: Arc<dyn Workload>,
    options: WorkerOptions,
    held: Vec<Weak<HeldClaim>>,
    /// When the journal answered last.
    heard: Instant,
    /// Refusals of other processes that the driver was told of.
    refusals: Option<u64>,
}

impl Keeper {
    async fn run(mut self, claimed: mpsc::Sender<ClaimedPull>) {
        let mut troubled = false;
        loop {
            let asked = Instant::now();
            let done = self.look(&claimed).await;
            let late = asked.elapsed() > HUNG;
            match done {
                Ok(()) => {
                    self.heard = Instant::now();
                    if std::mem::take(&mut troubled) || late {
                        self.engine.driver().outage_ended();
                    }
                }
                Err(error) => {
                    // It answered nothing since then: that is no quiet.
                    self.engine.driver().outage_began(self.heard);
                    let error = &error as &dyn std::error::Error;
                    match std::mem::replace(&mut troubled, true) {
                        false => tracing::error!(error, "claims cannot be made or renewed"),
                        true => tracing::debug!(error, "claims cannot be made or renewed"),
                    }
                }
            }
            sleep(PAUSE).await;
            self.journal.wait(POLL.min(self.options.lease / 3)).await;
        }
    }

    /// Renews and claims. Tells the driver when the journal takes long to answer: until it does, the
    /// driver would count the time as quiet.
    async fn look(&mut self, claimed: &mpsc::Sender<ClaimedPull>) -> Result<(), JournalError> {
        let (driver, heard) = (self.engine.driver().clone(), self.heard);
        let mut work = pin!(async {
            self.keep().await?;
            self.claim(claimed).await
        });
        tokio::select! {
            biased;
            // First, so that a process that was suspended meanwhile notices too.
            () = sleep(HUNG) => driver.outage_began(heard),
            done = &mut work => return done,
        }
        work.await
    }

    /// Renews the claims, and passes on what other processes have kept.
    async fn keep(&mut self) -> Result<(), JournalError> {
        let held: Vec<Arc<HeldClaim>> = self.held.iter().filter_map(Weak::upgrade).collect();
        let (stalled, held): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|it| it.is_stalled(self.options.stalled));
        for held_claim in &stalled {
            tracing::error!(pull = %held_claim.pull(), "its publication has stopped; it is given up");
            held_claim.give_up();
            self.engine.driver().drop_pull(held_claim);
        }
        let is_stalled = |it: &Weak<HeldClaim>| {
            stalled.iter().any(|of| std::ptr::eq(it.as_ptr(), Arc::as_ptr(of)))
        };
        self.held.retain(|it| it.strong_count() > 0 && !is_stalled(it));
        let claims: Vec<Claim> = held.iter().map(|it| it.claim().clone()).collect();
        let asked = Instant::now();
        let renewed = self.journal.renew(&claims, self.options.lease).await?;
        let refusals = self.journal.noted_refusals().await?;
        if self.refusals.replace(refusals).is_some_and(|before| refusals > before) {
            self.engine.driver().refused();
        }
        // The journal reports news once: it is noted before the first await.
        for (held_claim, renewed) in held.iter().zip(renewed) {
            if held_claim.renewed(renewed) == Fencing::Fenced {
                // A finished claim is expected here.
                match held_claim.is_finished() {
                    true => tracing::debug!(pull = %held_claim.pull(), "a claim has ended"),
                    false => {
                        tracing::warn!(pull = %held_claim.pull(), "another worker has taken the pull over");
                    }
                }
                self.engine.driver().drop_pull(held_claim);
                self.held.retain(|it| !std::ptr::eq(it.as_ptr(), Arc::as_ptr(held_claim)));
            }
        }
        for held_claim in held.iter().filter(|it| it.is_unseen() && !it.is_lost()) {
            // Claims are renewed in time, however much news there is.
            if asked.elapsed() > self.options.lease / 3 {
                break;
            }
            // Before the driver is told: later news is told again.
            held_claim.set_unseen(false);
            match self.tell(held_claim).await {
                Ok(true) => {}
                Err(error) if !error.is_retryable() => {
                    // The error of one pull must not block the others; it occurs again when the
                    // pull ends.
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(pull = %held_claim.pull(), error, "its pages cannot be read");
                }
                not_told => {
                    held_claim.set_unseen(true);
                    if held_claim.is_finished() {
                        // The worker that finished it may not have seen that.
                        self.journal.want(held_claim.pull()).await?;
                    }
                    not_told?;
                }
            }
        }
        Ok(())
    }

    async fn claim(&mut self, claimed: &mpsc::Sender<ClaimedPull>) -> Result<(), JournalError> {
        let room = self.options.most.saturating_sub(self.held.len());
        if room == 0 || claimed.is_closed() {
            return Ok(());
        }
        let WorkerOptions { id, lease, .. } = &self.options;
        for claim in self.journal.claim(id, *lease, room).await? {
            let held_claim = Arc::new(HeldClaim::new(Arc::clone(&self.journal), claim, *lease));
            self.held.push(Arc::downgrade(&held_claim));
            // There is room for all claims; without a receiver no caller wants them.
            let _ = claimed.try_send(ClaimedPull { held_claim, engine: self.engine.clone() });
        }
        Ok(())
    }

    /// Tells the driver the news of a pull. Returns false if the driver does not have the pull
    /// open: not yet, or not any more.
    async fn tell(&self, held_claim: &HeldClaim) -> Result<bool, JournalError> {
        let pull = held_claim.pull();
        let (driver, told) = (self.engine.driver(), held_claim.told().clone());
        let (kept, cursor) = self.journal.digests_since(pull, told.as_ref()).await?;
        let Some(missing) = driver.missing(pull, kept).await else { return Ok(false) };
        let mut unseen = Unseen::of(&*self.journal, pull, &missing).await?;
        while let Some(fact) = unseen.next().await? {
            driver.tell(fact).await;
        }
        *held_claim.told() = cursor;
        if unseen.is_cancel_requested() {
            driver.cancel(pull.clone(), held_claim.generation());
        }
        Ok(true)
    }
}
