//! The journal in memory: fast, bounded, and gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::stream;
use qopen_types::Digest;

use crate::age::{Ages, Observer};
use crate::claims::{Claims, SingleProcess};
use crate::{
    Appended, Backlog, Durability, Expired, Journal, JournalError, JournalStats, Maintenance, Note,
    Noted, Outbox, PageRecord, Payload, PendingEvent, PullId, PullState, Quarantined, Report,
};

/// Bytes of payload that a journal in memory holds by default: 1 GiB.
const DEFAULT_LIMIT: u64 = 1 << 30;

/// Bytes of quarantined payload of no pull that are kept: 16 MiB. More is refused, so that the
/// platform sends it again.
const NAMELESS_LIMIT: u64 = 16 << 20;

/// A journal in memory. It is **not durable**: its content is lost with the process, although the
/// platform was answered `success` and will not send it again.
#[derive(Debug)]
pub struct MemoryJournal {
    limit: u64,
    state: Mutex<State>,
    claims: Claims,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    records: u64,
    pulls: BTreeMap<PullId, Pull>,
    quarantine: Vec<Quarantined>,
    events: Vec<PendingEvent>,
    /// Everything is numbered as it comes.
    last: u64,
    ages: Ages,
    observer: Option<Observer>,
}

#[derive(Debug, Default)]
struct Pull {
    pages: BTreeMap<Digest, (u64, Payload)>,
    notes: Vec<Noted>,
    last_page: Option<SystemTime>,
    /// The number of its newest record.
    newest: u64,
    /// Its place among the pulls.
    order: u64,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl MemoryJournal {
    /// A journal that holds at most this many bytes of payload.
    #[must_use]
    pub fn with_limit(limit: u64) -> Self {
        Self { limit, state: Mutex::default(), claims: Claims::default() }
    }

    /// Held only for the moment of a map operation, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds it can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page_stream(
        &self,
        pull: &PullId,
        wanted: impl Fn(&Digest) -> bool,
    ) -> BoxStream<'static, Result<PageRecord, JournalError>> {
        let state = self.state();
        let pages = state.pulls.get(pull).into_iter().flat_map(|it| &it.pages);
        let mut pages: Vec<_> = pages
            .filter(|(digest, _)| wanted(digest))
            .map(|(digest, (number, payload))| (*number, *digest, payload.clone()))
            .collect();
        pages.sort_unstable_by_key(|(number, ..)| *number);
        let pull = pull.clone();
        let record = move |(_, digest, payload)| PageRecord { pull: pull.clone(), digest, payload };
        Box::pin(stream::iter(pages.into_iter().map(record).map(Ok)))
    }
}

#[async_trait]
impl SingleProcess for MemoryJournal {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    async fn keep_note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.restore(pull, Noted { at: SystemTime::now(), note }).await
    }
}

impl State {
    fn take_room(&mut self, payload: &Payload, limit: u64) -> Result<(), JournalError> {
        let wanted = self.held.saturating_add(payload.len() as u64);
        if wanted > limit {
            return Err(JournalError::Full { held: self.held, limit });
        }
        self.held = wanted;
        self.records += 1;
        Ok(())
    }

    /// Whether there is room for something that belongs to no pull.
    fn nameless_fits(&self, item: &Quarantined) -> Result<(), JournalError> {
        let nameless = self.quarantine.iter().filter(|it| it.pull.is_none());
        let held: u64 = nameless.map(|it| it.payload.len() as u64).sum();
        match item.pull.is_none() && held + item.payload.len() as u64 > NAMELESS_LIMIT {
            true => Err(JournalError::Full { held, limit: NAMELESS_LIMIT }),
            false => Ok(()),
        }
    }

    fn pull(&self, id: &PullId) -> Option<PullState> {
        let mut state = PullState::new(id.clone());
        let items = self.quarantine.iter().filter(|it| it.pull.as_ref() == Some(id));
        state.quarantined = items.count() as u64;
        if let Some(pull) = self.pulls.get(id) {
            state.notes.clone_from(&pull.notes);
            state.pages = pull.pages.len() as u64;
            state.bytes = pull.pages.values().map(|(_, it)| it.len() as u64).sum();
            (state.last_page, state.order) = (pull.last_page, pull.order);
        } else if state.quarantined == 0 {
            return None;
        }
        Some(state)
    }

    /// Numbers something of a pull.
    fn stored(&mut self, id: PullId, starts: bool) -> (u64, &mut Pull) {
        let number = self.next();
        let pull = self.pulls.entry(id).or_default();
        pull.newest = number;
        if pull.order == 0 || starts && !pull.notes.iter().any(is_start) {
            pull.order = number;
        }
        (number, pull)
    }

    fn forget(&mut self, id: &PullId) {
        if let Some(gone) = self.pulls.remove(id) {
            gone.pages.values().for_each(|(_, payload)| self.give_back(payload));
        }
        let of_it = |it: &mut Quarantined| it.pull.as_ref() == Some(id);
        let gone: Vec<_> = self.quarantine.extract_if(.., of_it).collect();
        gone.iter().for_each(|it| self.give_back(&it.payload));
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn give_back(&mut self, payload: &Payload) {
        self.held = self.held.saturating_sub(payload.len() as u64);
    }
}

fn is_start(noted: &Noted) -> bool {
    matches!(noted.note, Note::Started(_))
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        let pull = page.pull.clone();
        {
            let mut state = self.state();
            let known = state.pulls.get(&pull);
            if known.is_some_and(|pull| pull.pages.contains_key(&page.digest)) {
                return Ok(Appended::Duplicate);
            }
            state.take_room(&page.payload, self.limit)?;
            let (number, pull) = state.stored(page.pull, false);
            pull.pages.insert(page.digest, (number, page.payload));
            pull.last_page = Some(SystemTime::now());
        }
        self.claims.paged(&pull);
        Ok(Appended::New)
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.keep_note(pull, note.clone()).await?;
        self.claims.noted(pull, Some(&note));
        Ok(())
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        let pull = item.pull.clone();
        {
            let mut state = self.state();
            if state.quarantine.iter().any(|it| it.is_same(&item)) {
                return Ok(());
            }
            state.nameless_fits(&item)?;
            state.take_room(&item.payload, self.limit)?;
            if let Some(pull) = item.pull.clone().filter(|pull| state.pulls.contains_key(pull)) {
                state.stored(pull, false);
            }
            state.quarantine.push(item);
        }
        if let Some(pull) = &pull {
            self.claims.noted(pull, None);
        }
        Ok(())
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        Ok(self.page_stream(pull, |_| true))
    }

    async fn digests(&self, pull: &PullId) -> Result<Vec<Digest>, JournalError> {
        let state = self.state();
        Ok(state.pulls.get(pull).into_iter().flat_map(|it| it.pages.keys().copied()).collect())
    }

    async fn pages_of(
        &self,
        pull: &PullId,
        digests: &[Digest],
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        let wanted: BTreeSet<&Digest> = digests.iter().collect();
        Ok(self.page_stream(pull, |digest| wanted.contains(digest)))
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
        if let Some(at) = state.quarantine.iter().position(|it| it.is_same(item)) {
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
        self.claims.forget(pull);
        self.state().forget(pull);
        Ok(())
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }
}

#[async_trait]
impl Maintenance for MemoryJournal {
    fn stats(&self) -> JournalStats {
        let state = self.state();
        let mut stats = JournalStats::default();
        (stats.records, stats.bytes) = (state.records, state.held);
        stats
    }

    async fn expire(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError> {
        let mut state = self.state();
        let now = Instant::now();
        // One process has it, and no clock on the wall is asked.
        let by = state.observer;
        state.observer = Some(state.ages.observe(by, Duration::ZERO, keep, now));
        let next = state.last + 1;
        let below = state.ages.older_than(keep, next);
        let old = state.pulls.iter().filter(|(_, pull)| pull.newest < below);
        let old: Vec<PullId> = old.map(|(id, _)| id.clone()).collect();
        let mut pulls = Vec::new();
        for pull in old.into_iter().filter(|it| !spare.contains(it)) {
            // Nothing is kept of it meanwhile: that would wait for the state.
            let Some(claim) = self.claims.take(&pull) else { continue };
            state.forget(&pull);
            self.claims.complete(&claim);
            pulls.push(pull);
        }
        let gone: Vec<_> = state.events.extract_if(.., |it| it.number < below).collect();
        gone.iter().for_each(|it| state.give_back(&it.event));
        // Quarantined items without a pull are bounded by their size: their time is not kept.
        Ok(Expired { pulls, items: 0, events: gone.len() as u64 })
    }

    async fn compact(&self, _: u8) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn check(&self) -> Result<Report, JournalError> {
        let state = self.state();
        let pages: usize = state.pulls.values().map(|it| it.pages.len()).sum();
        let (pulls, records) = (state.pulls.len() as u64, pages as u64);
        Ok(Report { pulls, records, bytes: state.held, ..Report::default() })
    }

    async fn restore(&self, pull: &PullId, noted: Noted) -> Result<(), JournalError> {
        let mut state = self.state();
        let (_, pull) = state.stored(pull.clone(), is_start(&noted));
        pull.notes.push(noted);
        Ok(())
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
        state.events.push(PendingEvent::new(number, SystemTime::now(), event));
        Ok(Appended::New)
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<PendingEvent>, JournalError> {
        let state = self.state();
        let later = state.events.iter().filter(|it| it.number > after);
        Ok(later.take(most).cloned().collect())
    }

    async fn backlog(&self) -> Result<Backlog, JournalError> {
        let state = self.state();
        let bytes = state.events.iter().map(|it| it.event.len() as u64).sum();
        Ok(Backlog { events: state.events.len() as u64, bytes })
    }

    async fn ack(&self, event: &PendingEvent) -> Result<(), JournalError> {
        let mut state = self.state();
        if let Some(at) = state.events.iter().position(|it| it.event == event.event) {
            let gone = state.events.remove(at);
            state.give_back(&gone.event);
        }
        Ok(())
    }
}
