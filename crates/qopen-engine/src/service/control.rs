//! Requests of a caller: pulls begun, ended, resumed and deleted.

use std::sync::Arc;
use std::time::Duration;

use qopen_journal::{JournalError, Note, PullId, PullState};
use tokio::time::{sleep, timeout};

use super::PullService;
use super::blocking::blocking;
use super::destination::Target;
use super::event::ServiceEvent;
use super::followed::FollowedPull;
use super::need::{Need, need};
use crate::error::PullError;
use crate::publish::supersede_earlier;
use crate::pull::PullRequest;

/// Time limit for an open pull to end before it is deleted, and the time between two looks.
const END: Duration = Duration::from_secs(30);
const END_LOOK: Duration = Duration::from_millis(100);

/// Pulls that are read at once.
const PART: usize = 1000;

/// Time limit for a deletion to wait for a publication.
const PATIENCE: Duration = Duration::from_secs(5);

impl PullService {
    /// Journals a pull, for a service that shares the journal to claim. That service sends the request.
    ///
    /// # Errors
    /// As [`Engine::enqueue`](crate::Engine::enqueue).
    pub async fn enqueue(&self, request: PullRequest) -> Result<PullId, PullError> {
        let inner = &self.inner;
        let least = request.allow_unidentified.max(inner.options.allow_unidentified);
        let id = inner.engine.enqueue(request.allow_unidentified(least)).await?;
        // A deleted pull may have had the same names.
        inner.discarded().remove(&id);
        Ok(id)
    }

    /// Has services look at pulls that an earlier process left open, or complete and unpublished.
    /// Returns how many of them are open.
    ///
    /// # Errors
    /// [`JournalError`], if the journal cannot be read; some pulls may be enqueued then.
    pub async fn requeue_unfinished(&self) -> Result<u64, JournalError> {
        let inner = &self.inner;
        let (mut open, mut after) = (0, None);
        loop {
            let part = inner.journal.pulls_after(after.as_ref(), PART).await?;
            let followed = self.open_pulls();
            for state in part.iter().filter(|state| !followed.contains(&state.pull)) {
                match need(state) {
                    Need::Nothing => continue,
                    Need::Following => open += 1,
                    Need::Publishing => {
                        if !matches!(inner.target_of(state).await, Target::Sink(_)) {
                            continue;
                        }
                    }
                }
                let pull = &state.pull;
                if let Err(error) = inner.journal.enqueue(pull).await {
                    inner.tell(ServiceEvent::NotResumed { pull, error: &error });
                }
            }
            if part.len() < PART {
                return Ok(open);
            }
            after = part.into_iter().last().map(|state| state.pull);
        }
    }

    /// Ends an open pull with what has arrived, whichever process follows it.
    ///
    /// # Errors
    /// [`PullError::Journal`], if the journal does not keep the request.
    pub async fn cancel(&self, id: &PullId) -> Result<(), PullError> {
        // Noted in any case: this process may lose its claim at any time.
        let noted = self.inner.journal.note(id, Note::CancelRequested).await;
        noted.map_err(PullError::Journal)?;
        if let Some(followed) = self.find(id) {
            followed.cancel();
        }
        Ok(())
    }

    /// Ends an open pull without publishing its list. Returns false if it has not ended within 30 s.
    ///
    /// Another process that follows the pull publishes what there is.
    ///
    /// # Errors
    /// [`PullError::Journal`], when the journal cannot be used.
    pub async fn end_unpublished(&self, id: &PullId) -> Result<bool, PullError> {
        let inner = &self.inner;
        inner.discarded().insert(id.clone());
        if let Err(error) = self.cancel(id).await {
            // The pull goes on, and its list is wanted.
            inner.discarded().remove(id);
            return Err(error);
        }
        let ended = async {
            loop {
                if let Some(followed) = self.find(id).filter(FollowedPull::is_open) {
                    followed.cancel();
                    followed.ended().await;
                }
                // Only the journal knows the end of a pull that another process follows.
                let state = inner.journal.facts_of(id).await.map_err(PullError::Journal)?;
                if state.is_none_or(|state| state.ended().is_some()) {
                    return Ok(true);
                }
                sleep(END_LOOK).await;
            }
        };
        timeout(END, ended).await.unwrap_or(Ok(false))
    }

    /// Resumes a pull that has ended: a service folds the kept pages, waits for missing ones and
    /// publishes the list. An open pull continues.
    ///
    /// # Errors
    /// [`PullError::Journal`], when that cannot be noted.
    pub async fn resume(&self, state: &PullState) -> Result<(), PullError> {
        let PullService { inner } = self;
        inner.discarded().remove(&state.pull);
        let done = if state.ended().is_none() {
            inner.journal.enqueue(&state.pull).await
        } else if state.is_complete() {
            // Complete stays complete.
            inner.journal.note(&state.pull, Note::PublicationRequested).await
        } else {
            inner.journal.note(&state.pull, Note::Resumed).await
        };
        done.map_err(PullError::Journal)
    }

    /// Accepts a held list: a service publishes it, whatever the guard of its publication says.
    ///
    /// # Errors
    /// [`PullError::Journal`], when that cannot be noted.
    pub async fn accept(&self, id: &PullId) -> Result<(), PullError> {
        self.inner.discarded().remove(id);
        self.inner.journal.note(id, Note::HeldAccepted).await.map_err(PullError::Journal)
    }

    /// Deletes a pull that has ended, with all that the journal keeps of it. Returns false if a
    /// publication to its place runs for longer than 5 s.
    ///
    /// # Errors
    /// [`PullError::UnderWay`], for an open pull; [`PullError::Journal`], when the journal cannot be
    /// used.
    pub async fn purge(&self, id: &PullId) -> Result<bool, PullError> {
        let inner = &self.inner;
        let state = inner.journal.facts_of(id).await.map_err(PullError::Journal)?;
        let placed = match state {
            Some(state) => match inner.target_of(&state).await {
                Target::Sink(sink) => Some((state, sink)),
                _ => None,
            },
            None => None,
        };
        {
            // A list that is being published must not outlive its pull.
            let _turn = match &placed {
                Some((state, sink)) => {
                    let turn = inner.turn_at(state, sink).await.lock_owned();
                    let Ok(turn) = timeout(PATIENCE, turn).await else { return Ok(false) };
                    Some(turn)
                }
                None => None,
            };
            if let Some((state, _)) = &placed {
                let noted = supersede_earlier(&*inner.journal, state).await;
                noted.map_err(PullError::Journal)?;
            }
            inner.engine.forget(id).await?;
            inner.followed.remove(id);
            inner.discarded().remove(id);
        }
        if let Some((state, _)) = placed {
            let destination = Arc::clone(&inner.destination);
            blocking(move || destination.sweep(&state)).await;
        }
        inner.journal.compact(0).await.map(|_| true).map_err(PullError::Journal)
    }
}
