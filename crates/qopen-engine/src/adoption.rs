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
    nameless: Arc<Mutex<Nameless>>,
    /// Written while a pull is adopted, and read while an unreadable payload finds its pulls: each sees what the other
    /// one has done. Has the pulls of which the journal may have something because an adoption failed here.
    failed: Arc<RwLock<BTreeSet<PullId>>>,
}

/// Items that no pull owns.
#[derive(Debug)]
struct Nameless {
    /// Every item counts as one that came then: the process does not know better.
    unknown: Instant,
    /// The time at which each item came, or was seen first: another process may have put it into quarantine.
    items: BTreeMap<Digest, Instant>,
    /// How many items may be remembered before the next look.
    room: usize,
}

/// Items that are remembered between two looks, at most.
const REMEMBERED: usize = 1 << 16;

impl Nameless {
    fn new() -> Self {
        Self { unknown: Instant::now(), items: BTreeMap::new(), room: REMEMBERED }
    }

    fn add(&mut self, item: Digest) {
        if self.room == 0 {
            *self = Self::new();
        }
        self.room -= 1;
        self.items.insert(item, Instant::now());
    }

    /// Learns what is in quarantine. Returns the items that came within this time.
    fn look(&mut self, there: impl Iterator<Item = Digest>, time: Duration) -> BTreeSet<Digest> {
        let now = Instant::now();
        let seen = |item| (item, self.items.get(&item).copied().unwrap_or(now));
        self.items = there.map(seen).collect();
        self.room = REMEMBERED;
        let is_unknown = self.unknown.elapsed() < time;
        let recent = self.items.iter().filter(|(_, at)| is_unknown || at.elapsed() < time);
        recent.map(|(item, _)| *item).collect()
    }
}

/// What an item in quarantine is to a pull.
enum Found {
    /// It stands for lost pages.
    Lost,
    /// A page of it, which came while no process took the pull.
    Page,
    /// It may be a page of the pull, and cannot be read.
    Unreadable,
}

impl Adoption {
    /// Begins now.
    pub(crate) fn new(timing: Timing) -> Self {
        let nameless = Arc::new(Mutex::new(Nameless::new()));
        Self { timing, nameless, failed: Arc::default() }
    }

    /// Learns what is in quarantine now. Without it, the first adoption takes old items for new ones.
    pub(crate) async fn look(self, journal: Arc<dyn Journal>) {
        let looked = self.begin().await.look_with(&*journal, |_, _| None::<()>).await;
        if let Err(error) = looked {
            tracing::debug!(%error, "the quarantine was not read at the start");
        }
    }

    /// The assembler's options for an adopted pull.
    pub(crate) fn options(&self) -> PullOptions {
        PullOptions::default().timing(self.timing)
    }

    /// Waits until nothing else is adopted, and no unreadable payload is on its way to its pulls.
    pub(crate) async fn begin(&self) -> Adopting<'_> {
        Adopting { adoption: self, failed: self.failed.write().await }
    }

    /// Waits until nothing is adopted. Nothing is before the guard is dropped.
    pub(crate) async fn pause(&self) -> RwLockReadGuard<'_, BTreeSet<PullId>> {
        self.failed.read().await
    }

    /// Remembers an unreadable item that no pull owns.
    pub(crate) fn remember(&self, item: Digest) {
        self.nameless().add(item);
    }

    /// Held for an operation on the items, never across an await.
    fn nameless(&self) -> MutexGuard<'_, Nameless> {
        self.nameless.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An adoption. There is one at a time: each has the whole quarantine in memory.
pub(crate) struct Adopting<'a> {
    adoption: &'a Adoption,
    pub(crate) failed: RwLockWriteGuard<'a, BTreeSet<PullId>>,
}

impl Adopting<'_> {
    /// Looks for the pull in quarantine, before anything is kept of it: notes what counts against it, and keeps its
    /// pages. Returns whether there was anything.
    ///
    /// Items stay in quarantine: they may count against other pulls, too. The same call may be repeated.
    pub(crate) async fn take_in(
        &self,
        journal: &dyn Journal,
        pull: &PullId,
    ) -> Result<bool, JournalError> {
        let found = self.look_for(journal, pull).await?;
        let any = !found.is_empty();
        let mut doubts = BTreeSet::new();
        for (found, item) in found {
            let (item, lost) = match found {
                Found::Page => {
                    journal.append(PageRecord::new(pull.clone(), item.payload)).await?;
                    continue;
                }
                Found::Lost => (item.digest(), true),
                Found::Unreadable => (doubt_of(item.digest(), doubts.len()), false),
            };
            if doubts.insert(item) {
                journal.note(pull, Note::Doubted { item, lost }).await?;
            }
        }
        Ok(any)
    }

    /// What the quarantine has of a pull.
    async fn look_for(
        &self,
        journal: &dyn Journal,
        pull: &PullId,
    ) -> Result<Vec<(Found, Quarantined)>, JournalError> {
        let pull = pull.clone();
        self.look_with(journal, move |item, is_recent| found(item, &pull, is_recent)).await
    }

    /// Looks at each item in quarantine, and whether it came lately without an owner.
    async fn look_with<T: Send + 'static>(
        &self,
        journal: &dyn Journal,
        look: impl Fn(&Quarantined, bool) -> Option<T> + Send + 'static,
    ) -> Result<Vec<(T, Quarantined)>, JournalError> {
        let items = journal.quarantined(None).await?;
        let adoption = self.adoption.clone();
        let look = move || {
            let digest = |it: &Quarantined| it.pull.is_none().then(|| it.digest());
            let digests: Vec<Option<Digest>> = items.iter().map(digest).collect();
            let there = digests.iter().copied().flatten();
            let recent = adoption.nameless().look(there, adoption.timing.deadline);
            let is_recent = digests.iter().map(|it| it.is_some_and(|it| recent.contains(&it)));
            let each = items.into_iter().zip(is_recent);
            each.filter_map(|(item, recent)| Some((look(&item, recent)?, item))).collect()
        };
        // There may be many, and each is read. It ends early only when the runtime does.
        let found = tokio::task::spawn_blocking(look).await;
        found.map_err(|error| JournalError::Unavailable(error.into()))
    }
}

/// What an item is to a pull. `is_recent`: it came lately without an owner.
fn found(item: &Quarantined, pull: &PullId, is_recent: bool) -> Option<Found> {
    if item.layer == Layer::Lost {
        return is_recent.then_some(Found::Lost);
    }
    let is_of_pull = item.pull.as_ref() == Some(pull);
    match classify(item.payload.as_bytes()) {
        Classified::Page(page) => (page.pull == *pull).then_some(Found::Page),
        // An item of the pull counts against it already.
        Classified::Unreadable(it) if !is_of_pull => {
            may_be_of(&it, item, pull, is_recent).then_some(Found::Unreadable)
        }
        _ => None,
    }
}

/// Whether an item may be a page of a pull: it has its name, or came lately without an owner.
fn may_be_of(it: &Unreadable, item: &Quarantined, pull: &PullId, is_recent: bool) -> bool {
    let (names, damaged) = (it.names(), it.is_damaged());
    match names.pull() {
        Some(named) if !damaged => named == *pull,
        _ => {
            let against = counts_against(item.payload.as_bytes(), names, damaged, [pull]);
            against.by_mark || is_recent && !against.pulls.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_item_is_as_old_as_its_first_look_unless_it_came_here() {
        let minute = Duration::from_secs(60);
        let mut nameless = Nameless::new();
        let items = |numbers: &[usize]| -> Vec<Digest> {
            numbers.iter().map(|it| Digest::of(&it.to_be_bytes())).collect()
        };
        let mut look = |there: &[usize], here: &[usize]| {
            items(here).into_iter().for_each(|item| nameless.add(item));
            let recent = nameless.look(items(there).into_iter(), minute);
            there.iter().copied().filter(|it| recent.contains(&items(&[*it])[0])).collect()
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
        let mut nameless = Nameless::new();
        let item = |number: usize| Digest::of(&number.to_be_bytes());
        let old = || std::iter::once(item(REMEMBERED));
        assert_eq!(nameless.look(old(), minute), old().collect());
        tokio::time::advance(minute).await;
        (0..REMEMBERED).for_each(|number| nameless.add(item(number)));
        assert_eq!(nameless.look(old(), minute), BTreeSet::new());
        (0..=REMEMBERED).for_each(|number| nameless.add(item(number)));
        assert_eq!(nameless.items.len(), 1);
        assert_eq!(nameless.look(old(), minute), old().collect());
        tokio::time::advance(minute).await;
        assert_eq!(nameless.look(old(), minute), BTreeSet::new());
    }
}
