//! What counts for and against a pull that another system requested, when this process takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qopen_assembler::{PullOptions, Timing};
use qopen_journal::{Journal, JournalError, Layer, Note, PageRecord, PullId, Quarantined};
use qopen_types::Digest;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use crate::classify::{Classified, Unreadable, classify};
use crate::whose::{counts_against, doubt_of};

/// What has counted against external pulls in this process since before they were known. After the deadline it no longer
/// does: a request that was sent before has passed its deadline then.
#[derive(Clone, Debug)]
pub(crate) struct Adoption {
    timing: Timing,
    began: Instant,
    items: Arc<Mutex<Items>>,
    /// Written while a pull is adopted, and read while an unreadable payload finds its pulls: each sees what the other
    /// one has done. Has the pulls of which the journal may have something because an adoption failed here.
    failed: Arc<RwLock<BTreeSet<PullId>>>,
}

/// Items in quarantine, by their time.
#[derive(Debug)]
struct Items {
    /// Every item counts as one that came then: the process does not know better.
    unknown: Instant,
    /// The time at which each item came, or was seen first: another process may have put it into quarantine.
    came: BTreeMap<Digest, Instant>,
    /// How many items may be remembered before the next look.
    room: usize,
}

/// Items that are remembered between two looks, at most.
const REMEMBERED: usize = 1 << 16;

impl Items {
    fn new() -> Self {
        Self { unknown: Instant::now(), came: BTreeMap::new(), room: REMEMBERED }
    }

    fn add(&mut self, item: Digest) {
        if self.room == 0 {
            *self = Self::new();
        }
        self.room -= 1;
        self.came.insert(item, Instant::now());
    }

    /// Learns what is in quarantine. Returns the items that came within this time.
    fn look(&mut self, there: impl Iterator<Item = Digest>, time: Duration) -> BTreeSet<Digest> {
        let now = Instant::now();
        let seen = |item| (item, self.came.get(&item).copied().unwrap_or(now));
        self.came = there.map(seen).collect();
        self.room = REMEMBERED;
        let is_unknown = self.unknown.elapsed() < time;
        let recent = self.came.iter().filter(|(_, at)| is_unknown || at.elapsed() < time);
        recent.map(|(item, _)| *item).collect()
    }
}

/// What an item in quarantine is to a pull.
enum Found {
    /// It stands for lost pages.
    Lost,
    /// A page of it, which came while no process took the pull.
    Page,
    /// It may be a page of the pull, and cannot be read. Not if the other pull exists, which it names.
    Unreadable { unless: Option<PullId> },
}

impl Adoption {
    /// Begins now.
    pub(crate) fn new(timing: Timing) -> Self {
        let (began, items) = (Instant::now(), Arc::new(Mutex::new(Items::new())));
        Self { timing, began, items, failed: Arc::default() }
    }

    /// Learns what is in quarantine now. Without it, the first adoption takes old items for new ones.
    pub(crate) async fn look(self, journal: Arc<dyn Journal>) {
        let looked = self.begin().await;
        let looked = looked.look_with(&*journal, self.timing.deadline, |_, _| None::<()>).await;
        if let Err(error) = looked {
            tracing::debug!(%error, "the quarantine was not read at the start");
        }
    }

    /// The assembler's options for an adopted pull. Callbacks that were refused before may have been its pages; earlier
    /// ones than one idle timeout ago should have come again.
    pub(crate) fn options(&self) -> PullOptions {
        let timing = self.timing();
        PullOptions::default().timing(timing).requested_before(timing.idle_timeout)
    }

    /// The timing of an external pull from now on. No process listened before the start: pages that could not be
    /// delivered then come again in the platform's time.
    pub(crate) fn timing(&self) -> Timing {
        let Timing { settle, idle_timeout, .. } = self.timing;
        self.timing.settle(settle.max(idle_timeout.saturating_sub(self.began.elapsed())))
    }

    /// Waits until nothing else is adopted, and no unreadable payload is on its way to its pulls.
    pub(crate) async fn begin(&self) -> Adopting<'_> {
        Adopting { adoption: self, failed: self.failed.write().await }
    }

    /// Waits until nothing is adopted. Nothing is before the guard is dropped.
    pub(crate) async fn pause(&self) -> RwLockReadGuard<'_, BTreeSet<PullId>> {
        self.failed.read().await
    }

    /// Remembers when an unreadable item came.
    pub(crate) fn remember(&self, item: Digest) {
        self.items().add(item);
    }

    /// Held for an operation on the items, never across an await.
    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An adoption. There is one at a time: each has the whole quarantine in memory.
pub(crate) struct Adopting<'a> {
    adoption: &'a Adoption,
    pub(crate) failed: RwLockWriteGuard<'a, BTreeSet<PullId>>,
}

impl Adopting<'_> {
    /// Looks for a pull that has been `known` for that time in quarantine: notes what counts against it, and keeps its
    /// pages. Returns whether there was anything.
    ///
    /// Items stay in quarantine: they may count against other pulls, too. The same call may be repeated.
    pub(crate) async fn take_in(
        &self,
        journal: &dyn Journal,
        pull: &PullId,
        known: Duration,
    ) -> Result<bool, JournalError> {
        let (id, time) = (pull.clone(), self.adoption.timing.deadline.saturating_add(known));
        let look = move |item: &Quarantined, is_recent| found(item, &id, is_recent);
        let found = self.look_with(journal, time, look).await?;
        let any = !found.is_empty();
        let (mut doubts, mut existing) = (BTreeSet::new(), BTreeMap::new());
        for (found, item) in found {
            let (item, lost) = match found {
                Found::Page => {
                    journal.append(PageRecord::new(pull.clone(), item.payload)).await?;
                    continue;
                }
                Found::Lost => (item.digest(), true),
                Found::Unreadable { unless } => {
                    if let Some(other) = unless {
                        let known = match existing.get(&other) {
                            Some(known) => *known,
                            None => exists(journal, &other).await?,
                        };
                        existing.insert(other, known);
                        if known {
                            continue;
                        }
                    }
                    (doubt_of(item.digest(), doubts.len()), false)
                }
            };
            if doubts.insert(item) {
                journal.note(pull, Note::Doubted { item, lost }).await?;
            }
        }
        Ok(any)
    }

    /// Gives each item in quarantine to `look`, with whether it came within this time.
    async fn look_with<T: Send + 'static>(
        &self,
        journal: &dyn Journal,
        time: Duration,
        look: impl Fn(&Quarantined, bool) -> Option<T> + Send + 'static,
    ) -> Result<Vec<(T, Quarantined)>, JournalError> {
        let items = journal.quarantined(None).await?;
        let adoption = self.adoption.clone();
        let look = move || {
            let digests: Vec<Digest> = items.iter().map(Quarantined::digest).collect();
            let there = digests.iter().copied();
            let recent = adoption.items().look(there, time);
            let is_recent = digests.iter().map(|it| recent.contains(it));
            let each = items.into_iter().zip(is_recent);
            each.filter_map(|(item, recent)| Some((look(&item, recent)?, item))).collect()
        };
        // There may be many, and each is read. It ends early only when the runtime does.
        let found = tokio::task::spawn_blocking(look).await;
        found.map_err(|error| JournalError::Unavailable(error.into()))
    }
}

/// What an item is to a pull. `is_recent`: it came lately.
fn found(item: &Quarantined, pull: &PullId, is_recent: bool) -> Option<Found> {
    if item.layer == Layer::Lost {
        return is_recent.then_some(Found::Lost);
    }
    let is_of_pull = item.pull.as_ref() == Some(pull);
    match classify(item.payload.as_bytes()) {
        Classified::Page(page) => (page.pull == *pull).then_some(Found::Page),
        // An item of the pull counts against it already.
        Classified::Unreadable(it) if !is_of_pull => {
            let payload = item.payload.as_bytes();
            let unless =
                || item.pull.clone().filter(|owner| names_other(&it, payload, pull, owner));
            may_be_of(&it, payload, pull, is_recent).then(|| Found::Unreadable { unless: unless() })
        }
        _ => None,
    }
}

/// Whether an item may be a page of a pull: it has its name, or came lately without any. That it was put down to another
/// pull, the only one that was open, does not matter.
fn may_be_of(it: &Unreadable, payload: &[u8], pull: &PullId, is_recent: bool) -> bool {
    let (names, damaged) = (it.names(), it.is_damaged());
    match names.pull() {
        Some(named) if !damaged => named == *pull,
        _ => {
            let against = counts_against(payload, names, damaged, [pull]);
            against.by_mark || is_recent && !against.pulls.is_empty()
        }
    }
}

/// Whether the pull that owns an unreadable item is named by its mark, and this pull is not.
fn names_other(it: &Unreadable, payload: &[u8], pull: &PullId, owner: &PullId) -> bool {
    let against = counts_against(payload, it.names(), it.is_damaged(), [pull, owner]);
    against.by_mark && !against.pulls.contains(pull)
}

/// Whether a pull was started, or has a page: its name is then no damaged name of another one.
pub(crate) async fn exists(journal: &dyn Journal, pull: &PullId) -> Result<bool, JournalError> {
    let state = journal.pull(pull).await?;
    Ok(state.is_some_and(|it| it.started().is_some() || it.pages > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_item_is_as_old_as_its_first_look_unless_it_came_here() {
        let minute = Duration::from_secs(60);
        let mut items = Items::new();
        let digests = |numbers: &[usize]| -> Vec<Digest> {
            numbers.iter().map(|it| Digest::of(&it.to_be_bytes())).collect()
        };
        let mut look = |there: &[usize], here: &[usize]| {
            digests(here).into_iter().for_each(|item| items.add(item));
            let recent = items.look(digests(there).into_iter(), minute);
            there.iter().copied().filter(|it| recent.contains(&digests(&[*it])[0])).collect()
        };
        let mut looked = |there, here| -> Vec<usize> { look(there, here) };
        assert_eq!(looked(&[0, 1], &[]), [0, 1], "their age is unknown");
        tokio::time::advance(minute).await;
        assert_eq!(looked(&[0, 1, 2], &[1]), [1, 2], "1 came again, 2 to another process");
        tokio::time::advance(minute / 2).await;
        assert_eq!(looked(&[0, 1, 2, 3], &[3]), [1, 2, 3]);
        tokio::time::advance(minute / 2).await;
        assert_eq!(looked(&[0, 1, 2, 3], &[]), [3]);
        assert_eq!(looked(&[0, 3], &[]), [3]);
        assert_eq!(looked(&[0, 1, 3], &[]), [1, 3], "1 was released, and came again");
    }

    #[tokio::test(start_paused = true)]
    async fn more_items_than_are_remembered_make_every_item_recent() {
        let minute = Duration::from_secs(60);
        let mut items = Items::new();
        let item = |number: usize| Digest::of(&number.to_be_bytes());
        let old = || std::iter::once(item(REMEMBERED));
        assert_eq!(items.look(old(), minute), old().collect());
        tokio::time::advance(minute).await;
        (0..REMEMBERED).for_each(|number| items.add(item(number)));
        assert_eq!(items.look(old(), minute), BTreeSet::new());
        (0..=REMEMBERED).for_each(|number| items.add(item(number)));
        assert_eq!(items.came.len(), 1);
        assert_eq!(items.look(old(), minute), old().collect());
        tokio::time::advance(minute).await;
        assert_eq!(items.look(old(), minute), BTreeSet::new());
    }
}
