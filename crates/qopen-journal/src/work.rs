//! Claims: which worker has which pull, with leases, and epochs that fence slow workers.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use qopen_types::StorageId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Journal, JournalError, Note, PullId};

/// The name of a worker, different from every other's that ever shares a journal with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(String);

impl WorkerId {
    /// A worker's name. Any text that no other worker has.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker's right to a pull, until its lease ends or another worker claims the pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The pull.
    pub pull: PullId,
    /// Greater than the epoch of every earlier claim of the pull.
    pub epoch: i64,
}

impl Claim {
    /// A claim that a journal has made.
    #[must_use]
    pub fn new(pull: PullId, epoch: i64) -> Self {
        Self { pull, epoch }
    }
}

/// Whether a claim still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fencing {
    /// It does, and the work was done.
    Held,
    /// It does not, and nothing was done: the lease had ended and another worker has the pull, or
    /// the pull is released.
    Fenced,
}

/// The result of renewing a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewed {
    /// The lease is as long as asked for again.
    Held {
        /// Whether pages were kept of the pull since it was claimed or renewed last.
        pages: bool,
        /// Whether notes or quarantined items were.
        notes: bool,
    },
    /// The claim no longer counts.
    Fenced,
}

/// The queue of pulls that want a worker, and the workers' claims.
///
/// A pull wants a worker from its [start](Note::Started) until one has [finished](Self::complete) it,
/// and again whenever the journal keeps something of it: a page, a note without a claim, an item in
/// quarantine. A worker has a pull by a claim with a lease. A renewed claim lasts. Otherwise the
/// next worker claims the pull under a greater epoch, and the journal refuses what the first worker
/// does under its claim from then on.
///
/// The journal's clock measures leases. The rules are the same for a journal in this process and
/// for a server.
#[async_trait]
pub trait ClaimQueue: Journal {
    /// Claims pulls that want a worker: at most `most`, for the time of the lease.
    ///
    /// # Errors
    /// [`JournalError`]; a claim that was made all the same ends with its lease.
    async fn claim(
        &self,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Claim>, JournalError>;

    /// Renews claims. Returns for each, in turn, whether it counts and whether there is news. A
    /// reader after that sees everything but later news.
    ///
    /// # Errors
    /// [`JournalError`]; the claims then last as long as before.
    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, JournalError>;

    /// Keeps a fact about a pull, if the claim counts.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn note_as(&self, claim: &Claim, note: Note) -> Result<Fencing, JournalError>;

    /// Ends a claim: the pull needs no worker until the journal keeps something of it. Records
    /// since the last renewal are news to the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; the claim then ends with its lease.
    async fn complete(&self, claim: &Claim) -> Result<Fencing, JournalError>;

    /// Releases a claim before the lease ends, for the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; the claim then ends with its lease.
    async fn give_back(&self, claim: &Claim) -> Result<(), JournalError>;

    /// Has some worker look at a pull, although nothing was kept of it. Unknown pulls are no error.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn enqueue(&self, pull: &PullId) -> Result<(), JournalError>;

    /// Tells the workers of every process that a callback was refused here that may have been a
    /// page.
    ///
    /// # Errors
    /// [`JournalError`]; no worker is told then.
    async fn note_refusal(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// The number of noted refusals, of all processes. A journal of one process has none: there the
    /// receiver's own count is used.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn noted_refusals(&self) -> Result<u64, JournalError> {
        Ok(0)
    }

    /// Waits until a worker should look, and at most so long. A hint: it may come for nothing, and may
    /// not come. One waits at a time.
    async fn wait(&self, most: Duration);

    /// The storage that this journal is kept in, if lists can be kept there too: a sink in the same storage
    /// can make a note under a claim in its own transaction. `None` where that is impossible.
    fn storage(&self) -> Option<StorageId> {
        None
    }
}

/// Longest time that a pull is held while it is forgotten.
const TAKEN: Duration = Duration::from_secs(60);

/// The claims of a journal that one process has to itself. They end with the process, and so do
/// their workers.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    inner: Mutex<Inner>,
    hint: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    pulls: BTreeMap<PullId, Work>,
    last_epoch: i64,
}

#[derive(Debug, Default)]
struct Work {
    wants: bool,
    pages: bool,
    notes: bool,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    epoch: i64,
    until: Instant,
    /// Whether there was news of pages and of notes when it was taken.
    before: (bool, bool),
}

impl Work {
    fn is_held_by(&self, claim: &Claim) -> bool {
        self.held.as_ref().is_some_and(|it| it.epoch == claim.epoch)
    }
}

impl Claims {
    /// Held for a map operation, never across an await.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds it can panic half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, pull: &PullId, change: impl FnOnce(&mut Work)) {
        {
            let mut inner = self.lock();
            match inner.pulls.get_mut(pull) {
                Some(work) => change(work),
                None => change(inner.pulls.entry(pull.clone()).or_default()),
            }
        }
        self.hint.notify_one();
    }

    /// A page was kept of a pull.
    pub(crate) fn paged(&self, pull: &PullId) {
        self.change(pull, |work| work.pages = true);
    }

    /// A note was kept of a pull, or something in quarantine.
    pub(crate) fn noted(&self, pull: &PullId, note: Option<&Note>) {
        self.change(pull, |work| {
            work.notes = true;
            work.wants |= matches!(note, Some(Note::Started(_)));
        });
    }

    pub(crate) fn forget(&self, pull: &PullId) {
        self.lock().pulls.remove(pull);
    }

    /// Claims an unclaimed pull until [`finish`](Self::complete) or [`put_back`](Self::put_back).
    pub(crate) fn take(&self, pull: &PullId) -> Option<Claim> {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { pulls, last_epoch } = &mut *inner;
        let work = pulls.entry(pull.clone()).or_default();
        if work.held.as_ref().is_some_and(|held| held.until > now) {
            return None;
        }
        *last_epoch += 1;
        // What is kept of it from here on is seen by that.
        let before = (take(&mut work.pages), take(&mut work.notes));
        work.held = Some(Held { epoch: *last_epoch, until: now + TAKEN, before });
        Some(Claim::new(pull.clone(), *last_epoch))
    }

    /// It was not forgotten, and is what it was.
    pub(crate) fn put_back(&self, claim: &Claim) {
        let mut inner = self.lock();
        if let Some(work) = inner.pulls.get_mut(&claim.pull).filter(|it| it.is_held_by(claim)) {
            if let Some(Held { before: (pages, notes), .. }) = work.held.take() {
                (work.pages, work.notes) = (work.pages || pages, work.notes || notes);
            }
            self.hint.notify_one();
        }
    }

    pub(crate) fn claim(&self, lease: Duration, most: usize) -> Vec<Claim> {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { pulls, last_epoch } = &mut *inner;
        // A worker that let its lease end may not have worked on the pull.
        let free = pulls.iter_mut().filter(|(_, work)| match &work.held {
            None => work.wants || work.pages || work.notes,
            Some(held) => held.until <= now,
        });
        let give = |(pull, work): (&PullId, &mut Work)| {
            *last_epoch += 1;
            (work.pages, work.notes) = (false, false);
            let (epoch, until) = (*last_epoch, now + lease);
            work.held = Some(Held { epoch, until, before: (false, false) });
            Claim::new(pull.clone(), *last_epoch)
        };
        free.take(most).map(give).collect()
    }

    pub(crate) fn renew(&self, claims: &[Claim], lease: Duration) -> Vec<Renewed> {
        let until = Instant::now() + lease;
        let mut inner = self.lock();
        let mut renew = |claim: &Claim| match inner.pulls.get_mut(&claim.pull) {
            Some(work) if work.is_held_by(claim) => {
                work.held = Some(Held { epoch: claim.epoch, until, before: (false, false) });
                let (pages, notes) = (take(&mut work.pages), take(&mut work.notes));
                Renewed::Held { pages, notes }
            }
            _ => Renewed::Fenced,
        };
        claims.iter().map(&mut renew).collect()
    }

    pub(crate) fn check(&self, claim: &Claim) -> Fencing {
        let inner = self.lock();
        match inner.pulls.get(&claim.pull).is_some_and(|work| work.is_held_by(claim)) {
            true => Fencing::Held,
            false => Fencing::Fenced,
        }
    }

    pub(crate) fn complete(&self, claim: &Claim) -> Fencing {
        let mut inner = self.lock();
        match inner.pulls.get_mut(&claim.pull).filter(|it| it.is_held_by(claim)) {
            None => return Fencing::Fenced,
            Some(work) if work.pages || work.notes => {
                (work.wants, work.held) = (false, None);
                self.hint.notify_one();
            }
            Some(_) => drop(inner.pulls.remove(&claim.pull)),
        }
        Fencing::Held
    }

    pub(crate) fn give_back(&self, claim: &Claim) {
        let mut inner = self.lock();
        if let Some(work) = inner.pulls.get_mut(&claim.pull).filter(|it| it.is_held_by(claim)) {
            (work.held, work.notes) = (None, true);
            self.hint.notify_one();
        }
    }

    pub(crate) async fn wait(&self, most: Duration) {
        // Either way the caller looks.
        let _ = tokio::time::timeout(most, self.hint.notified()).await;
    }
}

/// The claims of a journal that has them in `claims`, for a journal whose `note` may be given what is
/// noted under a claim.
macro_rules! workload_of_one_process {
    ($journal:ty) => {
        #[async_trait::async_trait]
        impl $crate::ClaimQueue for $journal {
            async fn claim(
                &self,
                _: &$crate::WorkerId,
                lease: std::time::Duration,
                most: usize,
            ) -> Result<Vec<$crate::Claim>, $crate::JournalError> {
                Ok(self.claims.claim(lease, most))
            }

            async fn renew(
                &self,
                claims: &[$crate::Claim],
                lease: std::time::Duration,
            ) -> Result<Vec<$crate::Renewed>, $crate::JournalError> {
                Ok(self.claims.renew(claims, lease))
            }

            async fn note_as(
                &self,
                claim: &$crate::Claim,
                note: $crate::Note,
            ) -> Result<$crate::Fencing, $crate::JournalError> {
                // No other worker can be given the pull while this process has it, except for a
                // lease that ends in this very moment; then the next worker finds this note.
                if self.claims.check(claim) == $crate::Fencing::Held {
                    self.keep_note(&claim.pull, note).await?;
                    return Ok($crate::Fencing::Held);
                }
                Ok($crate::Fencing::Fenced)
            }

            async fn complete(
                &self,
                claim: &$crate::Claim,
            ) -> Result<$crate::Fencing, $crate::JournalError> {
                Ok(self.claims.complete(claim))
            }

            async fn give_back(&self, claim: &$crate::Claim) -> Result<(), $crate::JournalError> {
                self.claims.give_back(claim);
                Ok(())
            }

            async fn enqueue(&self, pull: &$crate::PullId) -> Result<(), $crate::JournalError> {
                if $crate::Journal::pull(self, pull).await?.is_some() {
                    self.claims.noted(pull, None);
                }
                Ok(())
            }

            async fn wait(&self, most: std::time::Duration) {
                self.claims.wait(most).await;
            }
        }
    };
}
pub(crate) use workload_of_one_process;
