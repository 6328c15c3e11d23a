//! What counts for and against a pull that another system requested, when this process takes it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    began: Instant,
    timing: Timing,
    /// Items that no pull owns, by the time at which each came.
    nameless: Arc<Mutex<VecDeque<(Instant, Digest)>>>,
    /// Written while a pull is adopted, and read while an unreadable payload finds its pulls: each sees what the other
    /// one has done. Has the pulls of which the journal may have something because an adoption failed here.
    failed: Arc<RwLock<BTreeSet<PullId>>>,
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
        let (nameless, failed) = (Arc::default(), Arc::default());
        Self { began: Instant::now(), timing, nameless, failed }
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
        self.nameless().push_back((Instant::now(), item));
    }

    /// The items that came within the deadline. Held for an operation on the queue, never across an await.
    fn nameless(&self) -> MutexGuard<'_, VecDeque<(Instant, Digest)>> {
        let mut nameless = self.nameless.lock().unwrap_or_else(PoisonError::into_inner);
        while nameless.front().is_some_and(|(at, _)| at.elapsed() >= self.timing.deadline) {
            nameless.pop_front();
        }
        nameless
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
        let Adoption { began, timing, .. } = self.adoption;
        let is_recent = began.elapsed() < timing.deadline;
        let nameless: BTreeSet<Digest> =
            self.adoption.nameless().iter().map(|(_, item)| *item).collect();
        let pull = pull.clone();
        let look = move || {
            // The age of an item of an earlier process is unknown.
            let is_recent = |it: &Quarantined| is_recent || nameless.contains(&it.digest());
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
