//! Pages that come after a pull has ended, to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::Failure;
use qopen_engine::{Accepted, Engine, Outcome, Status};
use qopen_journal::{Journal as _, MemoryJournal, Note};
use qopen_sink::{FileSink, Format};

use crate::support::{
    Clock, builder, engine_on, id, incoming, page, published, request, unreadable_page,
};

/// An engine with a list of one account that is complete after 1 s.
async fn complete() -> (Engine, Outcome, Clock) {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, false)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert_eq!((clock.millis(), outcome.progress.figures.revision), (1_000, 1));
    (engine, outcome, clock)
}

#[tokio::test(start_paused = true)]
async fn i6_late_pages_make_a_revision_ten_seconds_after_the_last_of_them() {
    let (engine, outcome, clock) = complete().await;
    for (number, at) in [(2, 5_000), (3, 14_999), (4, 20_000)] {
        clock.until(at).await;
        engine.accept(page(number, true)).await.unwrap();
    }
    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    assert_eq!(clock.millis(), 30_000);
    outcome.list.settled().await;
    assert_eq!(clock.millis(), 30_000);
    // The next one has a revision of its own.
    clock.until(40_000).await;
    engine.accept(page(5, true)).await.unwrap();
    assert_eq!(outcome.list.revised_after(2).await, Some(3));
    assert_eq!(clock.millis(), 50_000);
    let outcome = outcome.refreshed();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.pages, 5);
}

#[tokio::test(start_paused = true)]
async fn i6_late_pages_that_keep_coming_make_a_revision_each_idle_timeout() {
    let (engine, outcome, clock) = complete().await;
    let (intake, mut revised) = (engine.intake().clone(), Vec::new());
    let feeding = tokio::spawn(async move {
        for number in 2..26 {
            clock.until(1_000 + 7_000 * (number - 1)).await;
            intake.accept(page(number.try_into().unwrap(), true)).await.unwrap();
        }
    });
    for before in 1..4 {
        assert_eq!(outcome.list.revised_after(before).await, Some(before + 1));
        revised.push(clock.millis());
    }
    feeding.await.unwrap();
    // Their first pages come at 8 s, 71 s and 134 s, and the last page of all at 169 s.
    assert_eq!(revised, [68_000, 131_000, 179_000]);
}

#[tokio::test(start_paused = true)]
async fn e9_neither_a_copy_nor_an_unreadable_page_revises_a_complete_list() {
    let (engine, outcome, clock) = complete().await;
    assert_eq!(engine.accept(page(1, false)).await.unwrap(), Accepted::Page);
    let unreadable = unreadable_page();
    assert_eq!(engine.accept(incoming(unreadable)).await.unwrap(), Accepted::Quarantined);
    clock.until(200_000).await;
    let Outcome { status, progress, .. } = outcome.refreshed();
    assert!(status.is_complete(), "{status}");
    assert_eq!((progress.figures.revision, progress.figures.revising), (1, false));
    assert_eq!((engine.stats().unreadable_pages(), engine.stats().duplicate_pages()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn i5_a_list_is_published_without_the_late_page_and_then_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let sink = || Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let (engine, outcome, clock) = complete().await;
    engine.accept(page(2, true)).await.unwrap();
    let before = published(outcome.publish(sink())).await.unwrap();
    assert_eq!((clock.millis(), before), (1_000, ["a001".to_owned()].into()));
    outcome.list.settled().await;
    assert_eq!(clock.millis(), 11_000);
    let after = published(outcome.publish(sink())).await.unwrap();
    assert_eq!(after, ["a001".to_owned(), "a002".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn e9_a_page_after_a_failure_opens_the_pull_again() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine_on(&journal);
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    let Status::Incomplete(Failure::LastPageMissing) = outcome.status else {
        panic!("{outcome:?}")
    };
    assert_eq!(clock.millis(), 60_000);
    clock.until(100_000).await;
    // A copy proves nothing new, and opens nothing.
    engine.accept(page(1, true)).await.unwrap();
    clock.until(100_500).await;
    assert!(journal.pull(&id()).await.unwrap().unwrap().ended().is_some());
    engine.accept(page(2, true)).await.unwrap();
    clock.until(150_000).await;
    assert!(journal.pull(&id()).await.unwrap().unwrap().ended().is_none(), "it is open");
    engine.accept(page(3, false)).await.unwrap();
    clock.until(150_999).await;
    assert!(!outcome.refreshed().status.is_complete());
    clock.until(151_001).await;
    let outcome = outcome.refreshed();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!((outcome.progress.figures.accounts, outcome.progress.figures.revision), (3, 1));
    let state = journal.pull(&id()).await.unwrap().unwrap();
    let ends = state.notes.iter().filter_map(|noted| match &noted.note {
        Note::Ended { status, .. } => Some(status.as_str()),
        Note::Resumed => Some("resumed"),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), ["incomplete", "resumed", "complete"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_after_the_retention_belongs_to_no_pull() {
    let engine = builder().retention(Duration::from_secs(100)).build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, false)).await.unwrap();
    pull.outcome().await.unwrap();
    drop(pull);
    clock.until(100_999).await;
    assert_eq!(engine.accept(page(2, true)).await.unwrap(), Accepted::Page);
    clock.until(101_001).await;
    assert_eq!(engine.accept(page(3, true)).await.unwrap(), Accepted::Quarantined);
    assert_eq!(engine.stats().unknown_marks(), 1);
}

#[tokio::test(start_paused = true)]
async fn e9_a_pull_that_a_page_has_opened_again_is_not_settled_before_it_ends() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Incomplete(_)), "{}", outcome.status);
    outcome.list.settled().await;
    engine.accept(page(2, false)).await.unwrap();
    outcome.list.settled().await;
    let outcome = outcome.refreshed();
    assert!(outcome.status.is_complete() && outcome.list.revision() == 1, "{}", outcome.status);
}
