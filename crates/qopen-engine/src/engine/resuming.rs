//! Resumes pulls of earlier processes.

use std::sync::Arc;

use qopen_journal::{Fencing, JournalError, Note, PullId, PullState};

use super::state::{Engine, Inner};
use crate::error::PullError;
use crate::handle::DriverHandle;
use crate::held_claim::{self, HeldClaim};
use crate::pull::Pull;
use crate::resume::{self, Resumed};
use crate::spans::{self, Origin};

impl Engine {
    /// Resumes a pull of an earlier process, or one that ended without a complete list: folds its
    /// pages from the journal again, and waits for the missing ones.
    ///
    /// A request without an answer and without a page is sent again under the same mark. The
    /// deadline counts from the pull's start, but leaves time for two idle timeouts; an ended pull
    /// gets a new one. The quiet that completes the list lasts at least one idle timeout: the
    /// platform needs time to send again what it could not deliver. A complete pull is complete
    /// again at once. Dropping the handle cancels the pull.
    ///
    /// # Errors
    /// [`PullError`], if there is no such pull, it is open already, or the journal cannot be read.
    pub async fn resume(&self, id: &PullId) -> Result<Pull, PullError> {
        self.resume_as(id, None).await
    }

    pub(crate) async fn resume_as(
        &self,
        id: &PullId,
        held_claim: Option<&Arc<HeldClaim>>,
    ) -> Result<Pull, PullError> {
        let inner = &self.inner;
        let noted = |noted: Result<Fencing, JournalError>| match noted {
            Ok(Fencing::Fenced) => Err(PullError::Fenced),
            noted => noted.map(drop).map_err(PullError::Journal),
        };
        let in_flight = self.in_flight(id.clone());
        // From here on facts of the pull are held until its fold is there: the journal is read
        // after.
        let _hold = inner.driver.hold(id, in_flight.generation).await?;
        let (state, resumed) = inner.prepared(id).await?;
        let Resumed { mut start, send_again, anew } = resumed;
        start.held_claim = held_claim.map(Arc::clone);
        start.span = spans::pull(id, Origin::Resumed);
        let watched = inner.driver.start(id, in_flight.generation, start).await?;
        if let Some(held_claim) = held_claim {
            held_claim.set_generation(in_flight.generation);
        }
        // From here on, a failure is the journal's: the pull is then released, not cancelled.
        let drop_on_error = DropOnError { driver: &inner.driver, held_claim };
        if held_claim.is_some_and(|held_claim| held_claim.is_lost()) {
            return Err(PullError::Fenced);
        }
        let note = |note| held_claim::note(&*inner.journal, held_claim, id, note);
        let cancelled = state.is_cancel_requested() && !anew;
        if anew {
            noted(note(Note::Resumed).await)?;
        }
        if state.is_external() {
            noted(note(Note::Adopted).await)?;
        }
        if let Some(need_tag_info) = send_again.filter(|_| !cancelled) {
            if state.is_unsent() {
                noted(note(Note::Requested).await)?;
            }
            inner.send(&in_flight, held_claim.map(Arc::clone), need_tag_info, &watched.span);
        }
        if cancelled {
            in_flight.cancel.call();
        }
        drop_on_error.disarm();
        let journal = Arc::clone(&inner.journal);
        Ok(Pull::new(id.clone(), watched, journal, held_claim.map(Arc::clone), in_flight.cancel))
    }
}

impl Inner {
    /// Folds the pages of a pull. An external one is looked for in quarantine, too.
    async fn prepared(&self, id: &PullId) -> Result<(PullState, Resumed), PullError> {
        let prepare = async || {
            let prepared = resume::prepare_whole(&*self.journal, id, self.adoption.timing()).await;
            prepared.map_err(PullError::Journal)?.ok_or(PullError::NotInJournal)
        };
        let prepared = prepare().await?;
        if !prepared.0.is_external() {
            return Ok(prepared);
        }
        // It may have waited for a worker.
        let began = prepared.0.began();
        let known = began.and_then(|began| began.elapsed().ok()).unwrap_or_default();
        let taken = self.adoption.begin().await.take_in(&*self.journal, id, known).await;
        let taken = taken.map_err(PullError::Journal)?;
        if taken { prepare().await } else { Ok(prepared) }
    }
}

/// Releases a pull under a claim on drop, before the dropped future of its resumption cancels it.
struct DropOnError<'a> {
    driver: &'a DriverHandle,
    held_claim: Option<&'a Arc<HeldClaim>>,
}

impl DropOnError<'_> {
    fn disarm(mut self) {
        self.held_claim = None;
    }
}

impl Drop for DropOnError<'_> {
    fn drop(&mut self) {
        if let Some(held_claim) = self.held_claim {
            self.driver.drop_pull(held_claim);
        }
    }
}
