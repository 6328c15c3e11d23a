//! What counts for and against a pull that another system requested, when this process takes it.

use std::collections::{BTreeSet, VecDeque};
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
    /// Later items, by the time at which each came.
    items: VecDeque<(Instant, Digest)>,
}

/// Items whose time is remembered, at most.
const REMEMBERED: usize = 1 << 16;

impl Nameless {
    fn add(&mut self, item: Digest) {
        if self.items.len() == REMEMBERED {
            self.items.clear();
            self.unknown = Instant::now();
        }
        self.items.push_back((Instant::now(), item));
    }

    /// The items that came within this time; `None` if any item may have.
    fn within(&mut self, time: Duration) -> Option<BTreeSet<Digest>> {
        while self.items.front().is_some_and(|(at, _)| at.elapsed() >= time) {
            self.items.pop_front();
        }
        let is_known = self.unknown.elapsed() >= time;
        is_known.then(|| self.items.iter().map(|(_, item)| *item).collect())
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
        let nameless = Nameless { unknown: Instant::now(), items: VecDeque::new() };
        Self { timing, nameless: Arc::new(Mutex::new(nameless)), failed: Arc::default() }
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
        let items = journal.quarantined(None).await?;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let recent = self.adoption.nameless().within(self.adoption.timing.deadline);
        let pull = pull.clone();
        let look = move || {
            let is_recent = |it: &Quarantined| {
                recent.as_ref().is_none_or(|recent| recent.contains(&it.digest()))
            };
            let found =
                items.into_iter().filter_map(|it| Some((found(&it, &pull, &is_recent)?, it)));
            found.collect()
        };
        // There may be many, and each is read. It ends early only when the runtime does.
        let found = tokio::task::spawn_blocking(look).await;
        found.map_err(|error| JournalError::Unavailable(error.into()))
    }
}

fn found(
    item: &Quarantined,
    pull: &PullId,
    is_recent: &impl Fn(&Quarantined) -> bool,
) -> Option<Found> {
    if item.layer == Layer::Lost {
        return is_recent(item).then_some(Found::Lost);
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
fn may_be_of(
    it: &Unreadable,
    item: &Quarantined,
    pull: &PullId,
    is_recent: &impl Fn(&Quarantined) -> bool,
) -> bool {
    let (names, damaged) = (it.names(), it.is_damaged());
    match names.pull() {
        Some(named) if !damaged => named == *pull,
        _ => {
            let against = counts_against(item.payload.as_bytes(), names, damaged, [pull]);
            let is_nameless = item.pull.is_none() && !against.pulls.is_empty();
            against.by_mark || is_nameless && is_recent(item)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_items_than_are_remembered_make_every_item_recent() {
        let minute = Duration::from_secs(60);
        let mut nameless = Nameless { unknown: Instant::now(), items: VecDeque::new() };
        let item = |number: usize| Digest::of(&number.to_be_bytes());
        assert_eq!(nameless.within(minute), None, "the age of earlier items is unknown");
        tokio::time::advance(minute).await;
        nameless.add(item(0));
        assert_eq!(nameless.within(minute), Some([item(0)].into()));
        tokio::time::advance(minute).await;
        assert_eq!(nameless.within(minute), Some(BTreeSet::new()));
        (0..=REMEMBERED).for_each(|number| nameless.add(item(number)));
        assert_eq!((nameless.items.len(), nameless.within(minute)), (1, None));
        tokio::time::advance(minute).await;
        assert_eq!(nameless.within(minute), Some(BTreeSet::new()));
    }
}
