//! The journal in memory: fast, bounded, and gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::stream;
use qopen_types::Digest;

use crate::{
    Appended, Backlog, Durability, Journal, JournalError, Note, Noted, Outbox, PageRecord, Payload,
    PullId, PullState, Quarantined, Waiting,
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
    events: Vec<Waiting>,
    /// Pages and events are numbered as they come.
    last: u64,
}

#[derive(Debug, Default)]
struct Pull {
    pages: BTreeMap<Digest, (u64, Payload)>,
    notes: Vec<Noted>,
    last_page: Option<SystemTime>,
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

    fn pull(&self, id: &PullId) -> Option<PullState> {
        let mut state = PullState::new(id.clone());
        let items = self.quarantine.iter().filter(|it| it.pull.as_ref() == Some(id));
        state.quarantined = items.count() as u64;
        if let Some(pull) = self.pulls.get(id) {
            state.notes.clone_from(&pull.notes);
            state.pages = pull.pages.len() as u64;
            state.bytes = pull.pages.values().map(|(_, it)| it.as_str().len() as u64).sum();
            state.last_page = pull.last_page;
        } else if state.quarantined == 0 {
            return None;
        }
        Some(state)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
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
        let number = state.next();
        let pull = state.pulls.entry(page.pull).or_default();
        pull.pages.insert(page.digest, (number, page.payload));
        pull.last_page = Some(SystemTime::now());
        Ok(Appended::New)
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.state()
            .pulls
            .entry(pull.clone())
            .or_default()
            .notes
            .push(Noted { at: SystemTime::now(), note });
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
        let mut pages: Vec<_> = pages.into_iter().collect();
        pages.sort_unstable_by_key(|(_, (number, _))| *number);
        let pull = pull.clone();
        let record =
            move |(digest, (_, payload))| PageRecord { pull: pull.clone(), digest, payload };
        Ok(Box::pin(stream::iter(pages.into_iter().map(record).map(Ok))))
    }

    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        Ok(self.state().pull(pull))
    }

    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        let state = self.state();
        let named = state.quarantine.iter().filter_map(|it| it.pull.as_ref());
        let pulls: BTreeSet<&PullId> = state.pulls.keys().chain(named).collect();
        Ok(pulls.into_iter().filter_map(|pull| state.pull(pull)).collect())
    }

    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        let mut state = self.state();
        if let Some(at) = state.quarantine.iter().position(|it| it == item) {
            let gone = state.quarantine.remove(at);
            state.give_back(&gone.payload);
        }
        Ok(())
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        let state = self.state();
        let wanted = |it: &&Quarantined| of.is_none() || it.pull.as_ref() == of;
        Ok(state.quarantine.iter().filter(wanted).cloned().collect())
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        let mut state = self.state();
        if let Some(gone) = state.pulls.remove(pull) {
            gone.pages.values().for_each(|(_, payload)| state.give_back(payload));
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

#[async_trait]
impl Outbox for MemoryJournal {
    async fn put(&self, event: Payload) -> Result<Appended, JournalError> {
        let mut state = self.state();
        if state.events.iter().any(|it| it.event == event) {
            return Ok(Appended::Duplicate);
        }
        state.take_room(&event, self.limit)?;
        let number = state.next();
        state.events.push(Waiting::new(number, SystemTime::now(), event));
        Ok(Appended::New)
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<Waiting>, JournalError> {
        let state = self.state();
        let later = state.events.iter().filter(|it| it.number > after);
        Ok(later.take(most).cloned().collect())
    }

    async fn backlog(&self) -> Result<Backlog, JournalError> {
        let state = self.state();
        let bytes = state.events.iter().map(|it| it.event.as_str().len() as u64).sum();
        Ok(Backlog { events: state.events.len() as u64, bytes })
    }

    async fn taken(&self, event: &Waiting) -> Result<(), JournalError> {
        let mut state = self.state();
        if let Some(at) = state.events.iter().position(|it| it.event == event.event) {
            let gone = state.events.remove(at);
            state.give_back(&gone.event);
        }
        Ok(())
    }
}
