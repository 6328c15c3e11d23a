//! Pages from anywhere.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use qopen_engine::{Accepted, Engine, NotKept, PullError, Status};
use qopen_journal::{DiskJournal, DiskOptions, Faults, Journal, MemoryJournal, Payload};
use qopen_sink::{FileSink, Format};
use tokio::sync::{mpsc, oneshot};

use crate::support::{
    Answer, Platform, accounts, builder, builder_on, engine_on, id, incoming, page, page_of,
    request,
};

const PAGES: usize = 40;

/// A consumer of a queue: each payload is acknowledged when the engine has it.
async fn consume(engine: Engine, mut queue: mpsc::Receiver<(Payload, oneshot::Sender<Accepted>)>) {
    while let Some((payload, acknowledge)) = queue.recv().await {
        let accepted = engine.accept(qopen_engine::Incoming::new(payload)).await.unwrap();
        acknowledge.send(accepted).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_fed_by_a_channel_keeps_every_page_and_publishes_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path().join("journal")).unwrap());
    let platform = Platform::new(Answer::Accepts);
    let engine = builder_on(&platform).journal(Arc::clone(&journal) as _).build().unwrap();
    let pull = engine.pull(request().need_tag_info(true)).await.unwrap();
    let (sender, queue) = mpsc::channel(1);
    let consumer = tokio::spawn(consume(engine.clone(), queue));
    // The last page first, then all of them backwards, twice.
    let numbers = (0..PAGES).rev().chain((0..PAGES).rev());
    for number in numbers {
        let (acknowledge, acknowledged) = oneshot::channel();
        let payload = Payload::new(page_of("mark", number, number + 1 < PAGES));
        let digest = qopen_journal::PageRecord::new(id(), payload.clone()).digest;
        sender.send((payload, acknowledge)).await.unwrap();
        assert_eq!(acknowledged.await.unwrap(), Accepted::Page);
        let kept = journal.digests(&id()).await.unwrap();
        assert!(kept.contains(&digest), "what is acknowledged is kept");
    }
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!((outcome.progress.figures.pages, outcome.progress.figures.accounts), (PAGES, PAGES));
    assert_eq!(engine.stats().duplicate_pages(), PAGES as u64);
    assert_eq!(platform.requests(), [(id(), true)]);

    let list = folder.path().join("customers.jsonl");
    let sink = Arc::new(FileSink::new(&list, Format::Jsonl));
    let published = outcome.publish(Arc::clone(&sink) as _).await.unwrap();
    assert_eq!(published.lists[0].accounts, PAGES as u64);
    let expected: Vec<String> = (0..PAGES).map(|number| format!("a{number:03}")).collect();
    assert_eq!(accounts(&list), expected);

    // Another process: the journal is the truth.
    drop((sender, outcome, pull, engine));
    consumer.await.unwrap();
    let engine = builder().journal(journal).build().unwrap();
    let outcome = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(basis) if basis.earlier));
    assert_eq!(outcome.progress.figures.accounts, PAGES);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_complete_stands_beside_the_list_and_does_not_replace_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("customers.jsonl");
    std::fs::write(&list, "the list before\n").unwrap();
    let engine = builder().build().unwrap();
    let mut pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    assert_eq!(pull.progress().await.unwrap().figures.accounts, 1);
    pull.cancel();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Cancelled) && !outcome.status.is_complete());
    assert!(pull.progress().await.is_none(), "there is no progress after the end");
    let sink = FileSink::new(&list, Format::Jsonl);
    let published = outcome.publish(Arc::new(sink)).await.unwrap();
    assert!(published.location.ends_with(".partial"), "{}", published.location);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "the list before\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_caller_that_goes_away_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let journal = DiskOptions::default().faults(faults.clone()).open(folder.path()).unwrap();
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let engine = builder().journal(Arc::clone(&journal)).build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    faults.hold_syncs(true);
    let (intake, mut waiting) = (engine.intake(), Box::pin(engine.accept(page(1, false))));
    assert!(waiting.as_mut().now_or_never().is_none(), "nothing is acknowledged before the sync");
    drop(waiting);
    let second = tokio::spawn({
        let intake = intake.clone();
        async move { intake.accept(page(2, true)).await }
    });
    faults.hold_syncs(false);
    assert_eq!(second.await.unwrap().unwrap(), Accepted::Page);
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(journal.pages(&id()).await.unwrap().count().await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_intake_refuses_when_the_last_engine_is_gone() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let intake = engine.intake().clone();
    assert_eq!(intake.accept(page(1, true)).await.unwrap(), Accepted::Page);
    drop((engine, pull));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let refused = intake.accept(page(2, true)).await.unwrap_err();
    assert!(matches!(refused, NotKept::Closed), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_driver_outlives_an_engine_for_as_long_as_a_pull_is_held() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let intake = engine.intake().clone();
    drop(engine);
    intake.accept(page(1, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_outcome_may_be_given_up() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let timed_out = tokio::time::timeout(Duration::from_millis(10), pull.outcome()).await;
    assert!(timed_out.is_err());
    engine.accept(page(1, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete(), "the pull goes on");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_handle_after_its_outcome_does_not_cancel_a_pull_that_a_page_opens_again() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Incomplete(_)), "{}", outcome.status);
    engine.accept(page(2, false)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(pull);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let outcome = outcome.refreshed();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_handle_before_its_outcome_cancels_the_pull() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine_on(&journal);
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    drop(pull);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let state = journal.pull(&id()).await.unwrap().unwrap();
    let ended = state.ended().map(|noted| format!("{:?}", noted.note)).unwrap();
    assert!(ended.contains("cancelled"), "{ended}");
}

#[test]
fn an_engine_needs_a_runtime() {
    let error = builder().build().unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_used_once_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let engine = builder().journal(journal).build().unwrap();
    engine.pull(request()).await.unwrap().leave();
    assert!(matches!(engine.pull(request()).await, Err(PullError::InJournal)));
    assert_eq!(engine.accept(incoming("{}")).await.unwrap(), Accepted::Quarantined);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_another_system_requested_is_collected_on_demand() {
    let platform = Platform::new(Answer::Refuses);
    let engine = builder_on(&platform).adopt(true).build().unwrap();
    for number in 0..3 {
        assert_eq!(engine.accept(page(number, number < 2)).await.unwrap(), Accepted::Page);
    }
    let pull = engine.adopted().await.unwrap();
    assert_eq!(*pull.id(), id());
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 3);
    assert!(platform.requests().is_empty(), "nothing is requested for it");
}
