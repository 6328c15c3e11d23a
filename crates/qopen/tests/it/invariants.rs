//! Invariants that need the whole client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use qopen::journal::{
    Appended, Changes, Durability, Journal, JournalError, MemoryJournal, Note, PageRecord, PullId,
    PullState, Quarantined,
};
use qopen::sink::ListKind;
use qopen::{PullRequest, Status, publish};
use qopen_simulator::Schedule;
use tokio::sync::{Semaphore, mpsc};

use crate::harness::{Harness, parsed, robot, timing, written};

/// A journal whose appends wait for a permit, or fail.
struct Gated {
    inner: MemoryJournal,
    gate: Semaphore,
    arrived: mpsc::UnboundedSender<()>,
    full: AtomicBool,
}

impl Gated {
    fn new(arrived: mpsc::UnboundedSender<()>) -> Self {
        Self {
            inner: MemoryJournal::default(),
            gate: Semaphore::new(0),
            arrived,
            full: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl Journal for Gated {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        self.arrived.send(()).unwrap();
        self.gate.acquire().await.unwrap().forget();
        if self.full.load(Ordering::SeqCst) {
            return Err(JournalError::Unavailable("the disk is full".into()));
        }
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
    // The journal has received all three pages and kept none.
    assert_eq!(harness.client.stats().receiver().accepted(), 0);
    assert_eq!(harness.simulator.counts().acknowledged, 0);
    journal.gate.add_permits(1000);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(harness.simulator.counts().acknowledged, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_full_for_a_while_costs_nothing() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let journal = Arc::new(Gated::new(arrived));
    journal.full.store(true, Ordering::SeqCst);
    journal.gate.add_permits(100_000);
    let gate = Arc::clone(&journal);
    let schedule = Schedule { accounts: 30, page_size: 10, ..Schedule::default() };
    let harness = Harness::start_with(schedule, |builder| builder.journal(gate)).await;
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    for _ in 0..6 {
        arrivals.recv().await.unwrap();
    }
    while pull.progress().await.unwrap().figures.owed_pages < 3 {}
    assert_eq!(harness.simulator.counts().acknowledged, 0);
    journal.full.store(false, Ordering::SeqCst);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_late_page_makes_a_new_revision_that_can_be_published() {
    let schedule = Schedule { late_page: Some((0, 6_000)), ..Schedule::default() };
    let harness = Harness::start(schedule).await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::Complete(_)));
    let (first, published) = written(&outcome).await;
    assert_eq!((first.len(), published.lists[0].revision), (400, 1));
    assert_eq!(published.lists[0].changes, None);

    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    let (second, published) = written(&outcome).await;
    assert_eq!(published.lists[0].revision, 2);
    assert_eq!(published.lists[0].changes, Some(Changes { added: 100, changed: 0 }));
    assert_eq!(second, harness.dataset().expected());
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
