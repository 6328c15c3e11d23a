//! The journal in memory: fast, bounded, and gone with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::stream;
use qopen_types::Digest;

use crate::{
    Appended, Durability, Journal, JournalError, Note, PageRecord, Payload, PullId, Quarantined,
};

/// Bytes of payload that a journal in memory holds unless told otherwise: 1 GiB.
const DEFAULT_LIMIT: u64 = 1 << 30;

/// Bytes of quarantined payload of nobody knows which pull that are kept: 16 MiB. Past that the
/// oldest go, for nothing else would ever let them go.
const NAMELESS_LIMIT: u64 = 16 << 20;

/// A journal in memory. It is **not durable**: what it holds is lost with the process, although
/// the platform was answered `success` and will not send it again.
#[derive(Debug)]
pub struct MemoryJournal {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    pulls: BTreeMap<PullId, Pull>,
    quarantine: Vec<Quarantined>,
}

#[derive(Debug, Default)]
struct Pull {
    pages: BTreeMap<Digest, Payload>,
    notes: Vec<Note>,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl MemoryJournal {
    /// One that holds at most so many bytes of payload.
    #[must_use]
    pub fn with_limit(limit: u64) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Held only for the moment of a map operation, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds it can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_room(&mut self, payload: &Payload, limit: u64) -> Result<(), JournalError> {
        let wanted = self.held.saturating_add(payload.as_str().len() as u64);
        if wanted > limit {
            return Err(JournalError::Full { held: self.held, limit });
        }
        self.held = wanted;
        Ok(())
    }

    /// Keeps what belongs to no pull within its limit.
    fn drop_nameless(&mut self) {
        let size = |it: &Quarantined| it.payload.as_str().len() as u64;
        let nameless = self.quarantine.iter().filter(|it| it.pull.is_none());
        let mut held: u64 = nameless.map(size).sum();
        while held > NAMELESS_LIMIT
            && let Some(oldest) = self.quarantine.iter().position(|it| it.pull.is_none())
        {
            let gone = self.quarantine.remove(oldest);
            held -= size(&gone);
            self.give_back(&gone.payload);
        }
    }

    fn give_back(&mut self, payload: &Payload) {
        self.held = self.held.saturating_sub(payload.as_str().len() as u64);
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        let mut state = self.state();
        if state.pulls.get(&page.pull).is_some_and(|pull| pull.pages.contains_key(&page.digest)) {
            return Ok(Appended::Duplicate);
        }
        state.take_room(&page.payload, self.limit)?;
        state.pulls.entry(page.pull).or_default().pages.insert(page.digest, page.payload);
        Ok(Appended::New)
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.state().pulls.entry(pull.clone()).or_default().notes.push(note);
        Ok(())
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        let mut state = self.state();
        if !state.quarantine.contains(&item) {
            state.take_room(&item.payload, self.limit)?;
            state.quarantine.push(item);
            state.drop_nameless();
        }
        Ok(())
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        let state = self.state();
        let pages = state.pulls.get(pull).map(|it| it.pages.clone()).unwrap_or_default();
        let pull = pull.clone();
        let records = pages
            .into_iter()
            .map(move |(digest, payload)| Ok(PageRecord { pull: pull.clone(), digest, payload }));
        Ok(Box::pin(stream::iter(records)))
    }

    async fn notes(&self, pull: &PullId) -> Result<Vec<Note>, JournalError> {
        Ok(self.state().pulls.get(pull).map(|it| it.notes.clone()).unwrap_or_default())
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>, JournalError> {
        Ok(self.state().quarantine.clone())
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        let mut state = self.state();
        if let Some(gone) = state.pulls.remove(pull) {
            gone.pages.values().for_each(|payload| state.give_back(payload));
        }
        let (gone, kept) = std::mem::take(&mut state.quarantine)
            .into_iter()
            .partition(|it| it.pull.as_ref() == Some(pull));
        let gone: Vec<Quarantined> = gone;
        state.quarantine = kept;
        gone.iter().for_each(|it| state.give_back(&it.payload));
        Ok(())
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }
}
