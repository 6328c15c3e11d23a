//! The claims of a journal that one process has to itself.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Claim, ClaimQueue, Fencing, Journal, JournalError, Note, PullId, Renewed, WorkerId};

/// Longest time that a pull is held while it is forgotten.
const TAKEN: Duration = Duration::from_secs(60);

/// The claims of a journal that one process has to itself. They are kept in memory: they end with the process, and so
/// do their workers.
///
/// The journal reports each record once it is kept, even if the caller's future was dropped meanwhile: a record that is
/// never reported is never news to a worker.
#[derive(Debug, Default)]
pub struct Claims {
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
    enqueued: bool,
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

    /// Reports that a new page of a pull was kept.
    pub fn paged(&self, pull: &PullId) {
        self.change(pull, |work| work.pages = true);
    }

    /// Reports that a note of a pull was kept, or, without a note, an item in quarantine. Not for a note under a claim.
    pub fn noted(&self, pull: &PullId, note: Option<&Note>) {
        self.change(pull, |work| {
            work.notes = true;
            work.enqueued |= matches!(note, Some(Note::Started(_)));
        });
    }

    /// Ends the claim on a pull that is about to be forgotten, and takes it from the queue.
    pub fn forget(&self, pull: &PullId) {
        self.lock().pulls.remove(pull);
    }

    /// Claims a pull that no worker has, to expire it, until [`complete`](Self::complete) or
    /// [`put_back`](Self::put_back), for one minute at most. `None` if a worker has it.
    pub fn take(&self, pull: &PullId) -> Option<Claim> {
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

    /// Gives back a pull that was [taken](Self::take) and did not expire.
    pub fn put_back(&self, claim: &Claim) {
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
            None => work.enqueued || work.pages || work.notes,
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

    /// Ends a claim, as [`ClaimQueue::complete`] does.
    pub fn complete(&self, claim: &Claim) -> Fencing {
        let mut inner = self.lock();
        match inner.pulls.get_mut(&claim.pull).filter(|it| it.is_held_by(claim)) {
            None => return Fencing::Fenced,
            Some(work) if work.pages || work.notes => {
                (work.enqueued, work.held) = (false, None);
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

/// A journal of one process. It is a [`ClaimQueue`] by its [`Claims`].
#[async_trait]
pub trait SingleProcess: Journal {
    /// The claims, to which the journal reports each record.
    fn claims(&self) -> &Claims;

    /// Keeps a note, and does not report it: a worker makes it under its claim.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn keep_note(&self, pull: &PullId, note: Note) -> Result<(), JournalError>;
}

#[async_trait]
impl<J: SingleProcess> ClaimQueue for J {
    async fn claim(
        &self,
        _: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Claim>, JournalError> {
        Ok(self.claims().claim(lease, most))
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, JournalError> {
        Ok(self.claims().renew(claims, lease))
    }

    async fn note_as(&self, claim: &Claim, note: Note) -> Result<Fencing, JournalError> {
        // No other worker can be given the pull while this process has it, except for a lease that
        // ends in this very moment; then the next worker finds this note.
        if self.claims().check(claim) == Fencing::Held {
            self.keep_note(&claim.pull, note).await?;
            return Ok(Fencing::Held);
        }
        Ok(Fencing::Fenced)
    }

    async fn complete(&self, claim: &Claim) -> Result<Fencing, JournalError> {
        Ok(self.claims().complete(claim))
    }

    async fn give_back(&self, claim: &Claim) -> Result<(), JournalError> {
        self.claims().give_back(claim);
        Ok(())
    }

    async fn enqueue(&self, pull: &PullId) -> Result<(), JournalError> {
        if self.pull(pull).await?.is_some() {
            self.claims().noted(pull, None);
        }
        Ok(())
    }

    async fn wait(&self, most: Duration) {
        self.claims().wait(most).await;
    }
}
