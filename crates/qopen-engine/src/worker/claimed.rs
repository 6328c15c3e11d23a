//! A claimed pull in its caller's hands.

use std::fmt;
use std::sync::Arc;

use qopen_journal::{Fencing, JournalError, PullId, PullState};
use qopen_sink::{Sink, SinkError};

use crate::engine::Engine;
use crate::error::PullError;
use crate::held_claim::HeldClaim;
use crate::publish;
use crate::pull::Pull;

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

/// A pull that this process has claimed. After a drop, another worker gets it when the lease ends.
#[must_use = "complete it or give it back; otherwise its lease must end first"]
pub struct ClaimedPull {
    held_claim: Arc<HeldClaim>,
    engine: Engine,
}

impl ClaimedPull {
    pub(super) fn new(held_claim: Arc<HeldClaim>, engine: Engine) -> Self {
        Self { held_claim, engine }
    }

    /// The pull.
    #[must_use]
    pub fn id(&self) -> &PullId {
        self.held_claim.pull()
    }

    /// What the journal knows of the pull.
    ///
    /// # Errors
    /// [`JournalError`], when the journal cannot be read.
    pub async fn state(&self) -> Result<Option<PullState>, JournalError> {
        self.held_claim.journal().pull(self.id()).await
    }

    /// Takes the sink's next sequence number for the pull, before its request is sent. Does nothing if it
    /// has one, or the sink keeps no order.
    ///
    /// # Errors
    /// [`TakePlaceError::Journal`], if the number cannot be noted; [`TakePlaceError::Sink`], if the sink does
    /// not give one.
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

    /// Resumes the pull as [`Engine::resume`] does: folds its kept pages, and sends its request if no
    /// process has. Notes and publications then happen only while the claim counts. When the claim is
    /// lost, the pull's outcome is [`PullError::Fenced`]. Nothing ends by silence while the journal does
    /// not answer.
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

    /// Ends the claim. The pull is claimable again when the journal keeps something of it.
    ///
    /// # Errors
    /// [`JournalError`]; another worker then gets the pull when the lease ends.
    pub async fn complete(self) -> Result<Fencing, JournalError> {
        self.engine.driver().drop_pull(&self.held_claim);
        let fencing = self.held_claim.journal().complete(self.held_claim.claim()).await?;
        if self.held_claim.finish() && fencing == Fencing::Held {
            self.held_claim.journal().enqueue(self.id()).await?;
        }
        Ok(fencing)
    }

    /// Gives the pull back as it is, for the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; another worker then gets the pull when the lease ends.
    pub async fn give_back(self) -> Result<(), JournalError> {
        self.engine.driver().drop_pull(&self.held_claim);
        self.held_claim.journal().give_back(self.held_claim.claim()).await
    }
}

impl fmt::Debug for ClaimedPull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedPull")
            .field("claim", self.held_claim.claim())
            .finish_non_exhaustive()
    }
}
