//! The invariants that need the whole client to be seen.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use qopen::journal::{
    Appended, Durability, Journal, JournalError, MemoryJournal, Note, PageRecord, PullId,
    PullState, Quarantined,
};
use qopen::sink::ListKind;
use qopen::{PullRequest, Status, publish};
use qopen_simulator::Schedule;
use tokio::sync::{Semaphore, mpsc};

use crate::harness::{Harness, parsed, robot, timing};

/// A journal whose appends wait for leave.
struct Gated {
    inner: MemoryJournal,
    gate: Semaphore,
    arrived: mpsc::UnboundedSender<()>,
}

impl Gated {
    fn new(arrived: mpsc::UnboundedSender<()>) -> Self {
        Self { inner: MemoryJournal::default(), gate: Semaphore::new(0), arrived }
    }
}

#[async_trait]
impl Journal for Gated {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        self.arrived.send(()).unwrap();
        self.gate.acquire().await.unwrap().forget();
        self.inner.append(page).await
    }
    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.inner.note(pull, note).await
    }
    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        self.inner.quarantine(item).await
    }
    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        self.inner.pages(pull).await
    }
    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        self.inner.pull(pull).await
    }
    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        self.inner.pulls().await
    }
    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        self.inner.release(item).await
    }
    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        self.inner.quarantined(of).await
    }
    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        self.inner.forget(pull).await
    }
    fn durability(&self) -> Durability {
        self.inner.durability()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_no_success_before_the_journal_has_the_page() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let journal = Arc::new(Gated::new(arrived));
    let gate = Arc::clone(&journal);
    let schedule = Schedule { accounts: 30, page_size: 10, ..Schedule::default() };
    let harness = Harness::start_with(schedule, |builder| {
        builder.journal(gate).timing(timing().idle_timeout(Duration::from_secs(30)))
    })
    .await;
    let pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    for _ in 0..3 {
        arrivals.recv().await.unwrap();
    }
    // All three pages are in the journal's hands, and none is kept.
    assert_eq!(harness.client.stats().receiver().accepted(), 0);
    assert_eq!(harness.simulator.counts().acknowledged, 0);
    journal.gate.add_permits(1000);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(harness.simulator.counts().acknowledged, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_the_same_pages_give_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for seed_of_order in 0..3 {
        let schedule = Schedule {
            conflicts: 30,
            shuffle: true,
            parallel: 1 + seed_of_order,
            last_page_first: seed_of_order == 1,
            ..Schedule::default()
        };
        let harness = Harness::start(schedule).await;
        let outcome = harness.pull().await;
        let path = folder.path().join(seed_of_order.to_string());
        let sink = Arc::new(qopen::sink::FileSink::new(&path, qopen::sink::Format::Jsonl));
        publish(vec![outcome.list], sink, ListKind::Complete).await.unwrap();
        files.push(std::fs::read_to_string(path).unwrap());
    }
    assert!(files.iter().all(|file| *file == files[0]));
    assert_eq!(parsed(&files[0]).len(), 500);
}
