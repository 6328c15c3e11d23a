//! A journal in memory that forgets nothing unasked, as one on a disk does.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use qopen_journal::{
    Appended, Backlog, Claim, ClaimQueue, Durability, Expired, Fencing, Journal, JournalError,
    JournalStats, Maintenance, MemoryJournal, Note, Noted, Outbox, PageRecord, Payload,
    PendingEvent, PullId, PullState, Quarantined, Renewed, Report, WorkerId,
};

type Answer<T> = Result<T, JournalError>;

#[derive(Default)]
pub(super) struct Kept(MemoryJournal);

#[async_trait]
impl Journal for Kept {
    async fn append(&self, page: PageRecord) -> Answer<Appended> {
        self.0.append(page).await
    }

    async fn note(&self, pull: &PullId, note: Note) -> Answer<()> {
        self.0.note(pull, note).await
    }

    async fn quarantine(&self, item: Quarantined) -> Answer<()> {
        self.0.quarantine(item).await
    }

    async fn pages(&self, pull: &PullId) -> Answer<BoxStream<'static, Answer<PageRecord>>> {
        self.0.pages(pull).await
    }

    async fn pull(&self, pull: &PullId) -> Answer<Option<PullState>> {
        self.0.pull(pull).await
    }

    async fn pulls(&self) -> Answer<Vec<PullState>> {
        self.0.pulls().await
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Answer<Vec<Quarantined>> {
        self.0.quarantined(of).await
    }

    async fn release(&self, item: &Quarantined) -> Answer<()> {
        self.0.release(item).await
    }

    async fn forget(&self, pull: &PullId) -> Answer<()> {
        self.0.forget(pull).await
    }

    fn durability(&self) -> Durability {
        Durability::LocalFsync
    }
}

#[async_trait]
impl ClaimQueue for Kept {
    async fn claim(&self, by: &WorkerId, lease: Duration, most: usize) -> Answer<Vec<Claim>> {
        self.0.claim(by, lease, most).await
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Answer<Vec<Renewed>> {
        self.0.renew(claims, lease).await
    }

    async fn note_as(&self, claim: &Claim, note: Note) -> Answer<Fencing> {
        self.0.note_as(claim, note).await
    }

    async fn complete(&self, claim: &Claim) -> Answer<Fencing> {
        self.0.complete(claim).await
    }

    async fn give_back(&self, claim: &Claim) -> Answer<()> {
        self.0.give_back(claim).await
    }

    async fn enqueue(&self, pull: &PullId) -> Answer<()> {
        self.0.enqueue(pull).await
    }

    async fn wait(&self, most: Duration) {
        self.0.wait(most).await;
    }
}

#[async_trait]
impl Maintenance for Kept {
    fn stats(&self) -> JournalStats {
        self.0.stats()
    }

    async fn expire(&self, keep: Duration, spare: &BTreeSet<PullId>) -> Answer<Expired> {
        self.0.expire(keep, spare).await
    }

    async fn compact(&self, share: u8) -> Answer<u64> {
        self.0.compact(share).await
    }

    async fn check(&self) -> Answer<Report> {
        self.0.check().await
    }

    async fn restore(&self, pull: &PullId, noted: Noted) -> Answer<()> {
        self.0.restore(pull, noted).await
    }
}

#[async_trait]
impl Outbox for Kept {
    async fn put(&self, event: Payload) -> Answer<Appended> {
        self.0.put(event).await
    }

    async fn waiting(&self, after: u64, most: usize) -> Answer<Vec<PendingEvent>> {
        self.0.waiting(after, most).await
    }

    async fn backlog(&self) -> Answer<Backlog> {
        self.0.backlog().await
    }

    async fn ack(&self, event: &PendingEvent) -> Answer<()> {
        self.0.ack(event).await
    }
}
