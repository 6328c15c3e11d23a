//! The life of pulls, from their request until they are forgotten.

use std::sync::Arc;

use qopen_journal::{Durability, Note, PullId};
use qopen_sink::Sink;
use qopen_types::MarkId;
use uuid::Uuid;

use super::state::{Engine, Inner};
use crate::error::PullError;
use crate::in_flight::InFlight;
use crate::messages::Start;
use crate::outcome::PulledList;
use crate::publish;
use crate::pull::{Pull, PullRequest};
use crate::resume::{self, options};
use crate::spans::{self, Origin};

impl Engine {
    /// Starts a pull: journals it, sends the request in the background, and returns the handle. Any
    /// number of pulls may be open at once. Dropping the handle cancels the pull.
    ///
    /// # Errors
    /// [`PullError`], if the pull cannot be started; nothing was sent then. A refusal by the
    /// platform is an outcome, not an error.
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
        let in_flight = self.in_flight(id.clone());
        let mut start = Start::new(options(&started).await_acceptance());
        start.span = spans::pull(&id, Origin::New);
        let watched = inner.driver.start(&id, in_flight.generation, start).await?;
        let need_tag_info = started.need_tag_info;
        let note = Note::Started(started);
        for note in std::iter::once(note).chain(order) {
            inner.journal.note(&id, note).await.map_err(PullError::Journal)?;
        }
        inner.send(&in_flight, None, need_tag_info, &watched.span);
        Ok(Pull::new(id, watched, Arc::clone(&inner.journal), None, in_flight.cancel))
    }

    /// As [`pull`](Self::pull), for a list that `sink` will publish: takes the sink's next sequence
    /// number before it sends the request.
    ///
    /// # Errors
    /// As [`pull`](Self::pull); [`PullError::Place`], if the sink does not answer.
    pub async fn pull_in_order(
        &self,
        request: PullRequest,
        sink: Arc<dyn Sink>,
    ) -> Result<Pull, PullError> {
        let order = publish::next_order(sink).await.map_err(PullError::Place)?;
        self.start_pull(request, order).await
    }

    /// Journals a pull for a [`Worker`](crate::Worker) that shares the journal. The worker claims
    /// it and sends the request.
    ///
    /// # Errors
    /// [`PullError`], if the journal did not keep it, or has such a pull already.
    pub async fn enqueue(&self, request: PullRequest) -> Result<PullId, PullError> {
        let inner = &self.inner;
        let id = inner.name(&request).await?;
        let mut started = request.started(inner.timing);
        started.unsent = true;
        inner.journal.note(&id, Note::Started(started)).await.map_err(PullError::Journal)?;
        Ok(id)
    }

    /// The list of an ended pull, folded from the journal, for reading. Nothing is awaited, noted
    /// or published. Its revision is 0 if it is not complete. `None` if there is no such pull, or
    /// it has not ended.
    ///
    /// # Errors
    /// [`PullError::Journal`], if the journal cannot be read.
    pub async fn list(&self, id: &PullId) -> Result<Option<PulledList>, PullError> {
        let journal = &self.inner.journal;
        let prepared = resume::prepare_whole(&**journal, id, self.inner.timing).await;
        let prepared = prepared.map_err(PullError::Journal)?;
        let ended = prepared.filter(|(state, _)| state.ended().is_some());
        Ok(ended.and_then(|(state, resumed)| resume::list_of(journal, &state, resumed)))
    }

    /// The next adopted pull, as soon as a page of it comes; `None` when the engine's driver has
    /// stopped. Dropping its handle does not end it. At most 256 wait for a caller; more go on
    /// unseen. Several callers take turns.
    ///
    /// # Cancellation
    /// Dropping the future loses no pull.
    pub async fn adopted(&self) -> Option<Pull> {
        let (id, watched) = self.inner.adoptions.lock().await.recv().await?;
        // Not started here: its generation is 0.
        let cancel = InFlight::new(self.inner.driver.clone(), id.clone(), 0).cancel;
        cancel.disarm();
        Some(Pull::new(id, watched, Arc::clone(&self.inner.journal), None, cancel))
    }

    /// Forgets an ended pull, here and in the journal. A later page of it counts as an external
    /// pull's. Forgetting an unknown pull is no error.
    ///
    /// # Errors
    /// [`PullError::UnderWay`]; [`PullError::Journal`], if the journal cannot be written.
    pub async fn forget(&self, id: &PullId) -> Result<(), PullError> {
        self.inner.driver.forget(id).await?;
        self.inner.journal.forget(id).await.map_err(PullError::Journal)
    }
}

impl Inner {
    /// The name of a pull that is new.
    async fn name(&self, request: &PullRequest) -> Result<PullId, PullError> {
        let mark_id = match request.mark_id.clone() {
            None => new_mark()?,
            Some(mark_id) => mark_id,
        };
        let id = PullId { robot_id: request.robot_id.clone(), mark_id };
        // The journal in memory forgets the pulls that this process has forgotten.
        if request.mark_id.is_some()
            && self.journal.durability() != Durability::Memory
            && self.journal.pull(&id).await.map_err(PullError::Journal)?.is_some()
        {
            return Err(PullError::InJournal);
        }
        Ok(id)
    }
}

/// A fresh mark that cannot be guessed.
fn new_mark() -> Result<MarkId, PullError> {
    // The text of a UUID is always an identifier.
    MarkId::new(Uuid::now_v7().to_string()).map_err(|_| PullError::Closed)
}
