//! The intake's state: each payload has a task of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use qopen_journal::{Journal, Layer, Note, Payload, PullId, PullState};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::outage::OutageLog;
use crate::accepted::{Accepted, Incoming, NotKept};
use crate::adoption::Adoption;
use crate::counts::EngineStats;
use crate::fact::{Fact, Unseen};
use crate::handle::FactSender;
use crate::known::KnownPulls;

/// Keeps payloads in the journal, then tells the driver.
///
/// Cloning is cheap. Unlike an [`Engine`](crate::Engine), a clone does not keep the driver alive:
/// the intake refuses payloads when the last engine is dropped.
#[derive(Clone)]
pub struct Intake {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) facts: FactSender,
    pub(super) known: Arc<KnownPulls>,
    pub(super) stats: EngineStats,
    pub(super) external: ExternalPages,
    pub(super) external_bytes: Arc<AtomicU64>,
    pub(super) adoption: Adoption,
    pub(super) outage: OutageLog,
}

/// How to treat pages of pulls that this engine did not start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExternalPages {
    /// The pull is collected here.
    pub(crate) adopt: bool,
    /// Its pages are kept, for the worker that shares the journal.
    pub(crate) keep: bool,
    /// Its pages are returned to the caller.
    pub(crate) return_to_caller: bool,
}

impl Intake {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        facts: FactSender,
        known: Arc<KnownPulls>,
        stats: EngineStats,
        external: ExternalPages,
        adoption: Adoption,
    ) -> Self {
        Self {
            journal,
            facts,
            known,
            stats,
            external,
            external_bytes: Arc::default(),
            adoption,
            outage: OutageLog::default(),
        }
    }

    /// Keeps a verified payload, and returns when it is as durable as the journal makes it.
    ///
    /// # Errors
    /// [`NotKept`]: the payload must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// The work goes on in the background after the future was dropped.
    pub async fn accept(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        let intake = self.clone();
        apart(async move {
            let taken = intake.take(incoming).await;
            intake.log_outage(taken)
        })
        .await
    }

    /// Keeps the content of a verified envelope that no key opens, and the reason. The content goes
    /// into quarantine, and counts against every open pull until it is read or released.
    ///
    /// # Errors
    /// [`NotKept`]: the content must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn accept_undecrypted(
        &self,
        content: Payload,
        reason: String,
    ) -> Result<Accepted, NotKept> {
        let (intake, arrived) = (self.clone(), Instant::now());
        apart(async move {
            // Its pull cannot be read.
            let _paused = intake.adoption.pause().await;
            let kept = async {
                let open = intake.open_pulls().await?;
                let (ids, item) = (ids_of(&open), content.clone());
                let kept =
                    intake.quarantine(arrived, open, Layer::Content, reason, content).await?;
                intake.count_against_newer(&ids, None, None, &item).await?;
                Ok(kept)
            };
            intake.log_outage(kept.await)
        })
        .await
    }

    /// Counts a callback that the journal does not keep.
    fn log_outage(&self, taken: Result<Accepted, NotKept>) -> Result<Accepted, NotKept> {
        taken.inspect_err(|error| {
            if let NotKept::Journal(error) = error {
                self.outage.refused(error);
            }
        })
    }

    /// Whether the pull is open or remembered here.
    pub(super) fn is_ours(&self, pull: &PullId) -> bool {
        self.known.contains(pull)
    }

    /// Adopts a pull that is unknown here and in the journal, if pulls are adopted. One that the journal knows waits
    /// for the process that resumes it: the rest of its pages is there.
    pub(super) async fn adopt(&self, pull: &PullId) -> Result<(), NotKept> {
        if !self.external.adopt || self.is_ours(pull) {
            return Ok(());
        }
        // The other pages of the pull wait, too.
        let mut adopting = self.adoption.begin().await;
        let again = adopting.failed.contains(pull);
        if self.is_ours(pull) || !again && self.is_in_journal(pull).await? {
            return Ok(());
        }
        // Until it is followed: the pull's next page goes on.
        adopting.failed.insert(pull.clone());
        let journal = &*self.journal;
        let taken = adopting.take_in(journal, pull, Duration::ZERO).await;
        let taken = taken.map_err(NotKept::Journal)?;
        let facts = match again || taken {
            true => Unseen::all(journal, pull).await.map_err(NotKept::Journal)?,
            false => Vec::new(),
        };
        let (reply, is_followed) = oneshot::channel();
        let options = self.adoption.options();
        let fact = Fact::Adopted { pull: pull.clone(), options, facts, reply };
        self.tell(Instant::now(), fact).await?;
        let is_followed = is_followed.await.map_err(|_| NotKept::Closed)?;
        if is_followed || !again && !taken {
            adopting.failed.remove(pull);
        }
        match is_followed {
            true => journal.note(pull, Note::Adopted).await.map_err(NotKept::Journal),
            false => Err(NotKept::Declined),
        }
    }

    /// Whether a pull is known by now, here or in the journal. Its adoption is waited for.
    pub(super) async fn is_known_by_now(&self, pull: &PullId) -> Result<bool, NotKept> {
        drop(self.adoption.pause().await);
        Ok(self.is_ours(pull) || self.is_in_journal(pull).await?)
    }

    pub(super) async fn open_pulls(&self) -> Result<Vec<PullState>, NotKept> {
        self.journal.open_pulls().await.map_err(NotKept::Journal)
    }

    /// Whether the journal knows a pull that this engine does not. Then its pages are kept for the
    /// process that resumes it.
    pub(super) async fn is_in_journal(&self, pull: &PullId) -> Result<bool, NotKept> {
        self.journal.knows(pull).await.map_err(NotKept::Journal)
    }

    pub(super) async fn tell(&self, arrived: Instant, fact: Fact) -> Result<(), NotKept> {
        match self.facts.tell(arrived, fact).await {
            true => Ok(()),
            false => Err(NotKept::Closed),
        }
    }
}

pub(super) fn ids_of(pulls: &[PullState]) -> Vec<PullId> {
    pulls.iter().map(|it| it.pull.clone()).collect()
}

/// Runs work in a task of its own, which goes on when the caller goes away.
async fn apart<W>(work: W) -> Result<Accepted, NotKept>
where
    W: Future<Output = Result<Accepted, NotKept>> + Send + 'static,
{
    // The task ends early only when the runtime does.
    tokio::spawn(work).await.unwrap_or(Err(NotKept::Closed))
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("stats", &self.stats).finish_non_exhaustive()
    }
}
