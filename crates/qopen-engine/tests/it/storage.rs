//! A journal in memory that works, fails, hangs or holds pages back on command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use qopen_journal::{
    Appended, Claim, ClaimQueue, Durability, Fencing, Journal, JournalError, MemoryJournal, Note,
    PageRecord, PullId, PullState, Quarantined, Renewed, WorkerId,
};
use tokio::sync::watch;
use tokio::time::Instant;

/// How a [`Storage`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Works,
    /// Payloads are refused, and everything else works.
    Full,
    /// Appends wait, and everything else works.
    HoldsPages,
    /// Items for the quarantine wait, and everything else works.
    HoldsItems,
    /// Claims and renewals wait, and everything else works.
    HoldsClaims,
    /// The count of refusals fails, and everything else works.
    FailsRefusals,
    /// Nothing works.
    Fails,
    /// Nothing is answered.
    Hangs,
}

/// The times of a pull's notes, and of its last page.
type Dates = Mutex<BTreeMap<PullId, (Vec<Instant>, Option<Instant>)>>;

/// One process's access to a journal. Dates notes and pages by tokio's clock, so that a pull grows old while
/// that clock is paused.
pub(crate) struct Storage {
    inner: Arc<MemoryJournal>,
    noted: Arc<Dates>,
    mode: watch::Sender<Mode>,
    crashes: watch::Sender<u64>,
    /// Callers that read the quarantine now, and the most of them at once.
    looks: Mutex<(usize, usize)>,
}

impl Storage {
    pub(crate) fn new() -> Arc<Self> {
        Self::over(Arc::default(), Arc::default())
    }

    /// Another process's access to the same journal.
    pub(crate) fn another(&self) -> Arc<Self> {
        Self::over(Arc::clone(&self.inner), Arc::clone(&self.noted))
    }

    fn over(inner: Arc<MemoryJournal>, noted: Arc<Dates>) -> Arc<Self> {
        let (mode, crashes) = (watch::Sender::new(Mode::Works), watch::Sender::new(0));
        Arc::new(Self { inner, noted, mode, crashes, looks: Mutex::default() })
    }

    pub(crate) fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The most callers that have read the quarantine at once.
    pub(crate) fn most_looks(&self) -> usize {
        self.looks.lock().unwrap().1
    }

    /// What waits for an answer fails, as if its process had died.
    pub(crate) fn crash(&self) {
        self.crashes.send_modify(|crashes| *crashes += 1);
    }

    /// Waits while the mode is `waits`, and fails in the mode `fails`.
    async fn pass(&self, waits: &[Mode], fails: &[Mode]) -> Result<(), JournalError> {
        let (mut mode, mut crashes) = (self.mode.subscribe(), self.crashes.subscribe());
        tokio::select! {
            biased;
            mode = mode.wait_for(|mode| !waits.contains(mode)) => match fails.contains(&mode.unwrap()) {
                true => Err(JournalError::Unavailable("told to fail".into())),
                false => Ok(()),
            },
            _ = crashes.changed() => Err(JournalError::Unavailable("the process died".into())),
        }
    }

    async fn answers(&self) -> Result<(), JournalError> {
        self.pass(&[Mode::Hangs], &[Mode::Fails]).await
    }

    fn date(&self, pull: &PullId) {
        self.noted.lock().unwrap().entry(pull.clone()).or_default().0.push(Instant::now());
    }

    fn dated(&self, mut state: PullState) -> PullState {
        let noted = self.noted.lock().unwrap();
        let Some((dates, paged)) = noted.get(&state.pull) else { return state };
        for (noted, at) in state.notes.iter_mut().zip(dates) {
            noted.at = SystemTime::now() - at.elapsed();
        }
        state.last_page = paged.map(|at| SystemTime::now() - at.elapsed()).or(state.last_page);
        state
    }
}

#[async_trait]
impl Journal for Storage {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        self.pass(&[Mode::Hangs, Mode::HoldsPages], &[Mode::Fails, Mode::Full]).await?;
        let pull = page.pull.clone();
        let appended = self.inner.append(page).await?;
        if appended == Appended::New {
            self.noted.lock().unwrap().entry(pull).or_default().1 = Some(Instant::now());
        }
        Ok(appended)
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.answers().await?;
        self.date(pull);
        self.inner.note(pull, note).await
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        self.pass(&[Mode::Hangs, Mode::HoldsItems], &[Mode::Fails, Mode::Full]).await?;
        self.inner.quarantine(item).await
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        self.answers().await?;
        self.inner.pages(pull).await
    }

    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        self.answers().await?;
        Ok(self.inner.pull(pull).await?.map(|state| self.dated(state)))
    }

    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        self.answers().await?;
        Ok(self.inner.pulls().await?.into_iter().map(|state| self.dated(state)).collect())
    }

    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        self.answers().await?;
        self.inner.release(item).await
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        self.answers().await?;
        {
            let mut looks = self.looks.lock().unwrap();
            looks.0 += 1;
            looks.1 = looks.1.max(looks.0);
        }
        // The others get their turn.
        tokio::task::yield_now().await;
        self.looks.lock().unwrap().0 -= 1;
        self.inner.quarantined(of).await
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        self.answers().await?;
        self.noted.lock().unwrap().remove(pull);
        self.inner.forget(pull).await
    }

    fn durability(&self) -> Durability {
        // A pull survives its engine.
        Durability::LocalFsync
    }
}

#[async_trait]
impl ClaimQueue for Storage {
    async fn claim(
        &self,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Claim>, JournalError> {
        self.pass(&[Mode::Hangs, Mode::HoldsClaims], &[Mode::Fails]).await?;
        self.inner.claim(worker, lease, most).await
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, JournalError> {
        self.pass(&[Mode::Hangs, Mode::HoldsClaims], &[Mode::Fails]).await?;
        self.inner.renew(claims, lease).await
    }

    async fn note_as(&self, claim: &Claim, note: Note) -> Result<Fencing, JournalError> {
        self.answers().await?;
        let fencing = self.inner.note_as(claim, note).await?;
        if fencing == Fencing::Held {
            self.date(&claim.pull);
        }
        Ok(fencing)
    }

    async fn complete(&self, claim: &Claim) -> Result<Fencing, JournalError> {
        self.answers().await?;
        self.inner.complete(claim).await
    }

    async fn give_back(&self, claim: &Claim) -> Result<(), JournalError> {
        self.answers().await?;
        self.inner.give_back(claim).await
    }

    async fn enqueue(&self, pull: &PullId) -> Result<(), JournalError> {
        self.answers().await?;
        self.inner.enqueue(pull).await
    }

    async fn noted_refusals(&self) -> Result<u64, JournalError> {
        self.pass(&[Mode::Hangs], &[Mode::Fails, Mode::FailsRefusals]).await?;
        self.inner.noted_refusals().await
    }

    /// Hints may be lost: here each of them is.
    async fn wait(&self, most: Duration) {
        tokio::time::sleep(most).await;
    }
}
