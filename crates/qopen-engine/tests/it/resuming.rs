//! Pulls that another process has left, to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use qopen_assembler::{Failure, Timing};
use qopen_engine::{Engine, Status};
use qopen_journal::{Journal as _, Note, Started};

use crate::storage::Storage;
use crate::support::{
    Answer, Clock, Platform, builder, builder_on, id, incoming, page, page_of, request,
};

const DEADLINE: u64 = 1_800_000;

/// Another process's engine. The one before it is dropped.
fn engine_on(storage: &Arc<Storage>) -> Engine {
    builder().journal(Arc::clone(storage) as _).build().unwrap()
}

/// A pull whose process dies at that time, after that many pages.
async fn left(pages: usize, at: u64) -> (Arc<Storage>, Clock) {
    let (storage, clock) = (Storage::new(), Clock::start());
    let engine = engine_on(&storage);
    engine.pull(request()).await.unwrap().leave();
    for number in 0..pages {
        engine.accept(page(number, number > 0)).await.unwrap();
    }
    clock.until(at).await;
    (storage, clock)
}

#[tokio::test(start_paused = true)]
async fn a_resumed_list_is_complete_after_quiet_as_long_as_the_idle_timeout() {
    let (storage, clock) = left(2, 500).await;
    clock.until(20_000).await;
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    clock.until(30_000).await;
    engine.accept(page(7, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
    assert_eq!(clock.millis(), 90_000);
    assert_eq!((basis.quiet, basis.interrupted), (Some(Duration::from_secs(60)), true));
    assert_eq!(outcome.progress.elapsed.as_secs(), 90, "it counts from the first start");
}

#[tokio::test(start_paused = true)]
async fn a_resumed_pull_keeps_its_deadline_and_gets_two_idle_timeouts() {
    for (resumed, ended) in [
        (20_000, DEADLINE),
        (DEADLINE - 120_000, DEADLINE),
        (DEADLINE - 100_000, DEADLINE + 20_000),
        (DEADLINE + 3_600_000, DEADLINE + 3_720_000),
    ] {
        let (storage, clock) = left(0, 500).await;
        clock.until(resumed).await;
        let engine = engine_on(&storage);
        let pull = engine.resume(&id()).await.unwrap();
        let intake = engine.intake().clone();
        let feeding = tokio::spawn(async move {
            for number in 1.. {
                clock.until(resumed + 30_000 * number).await;
                intake.accept(page(number.try_into().unwrap(), true)).await.unwrap();
            }
        });
        let status = pull.outcome().await.unwrap().status;
        feeding.abort();
        assert!(matches!(status, Status::Incomplete(Failure::Deadline)), "{status}");
        // The pull's age is a difference of wall clock readings, and real time passes between them.
        assert!((ended - 5_000..=ended).contains(&clock.millis()), "{} {ended}", clock.millis());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_had_failed_begins_anew() {
    let (storage, clock) = left(0, 70_000).await;
    let state = storage.pull(&id()).await.unwrap().unwrap();
    assert!(state.ended().is_some());
    clock.until(DEADLINE + 5_000).await;
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    assert!(storage.pull(&id()).await.unwrap().unwrap().ended().is_none());
    let status = pull.outcome().await.unwrap().status;
    assert!(matches!(status, Status::NoCallback), "{status}");
    assert_eq!(clock.millis(), DEADLINE + 65_000);
}

#[tokio::test(start_paused = true)]
async fn e9_a_complete_list_is_complete_at_once_and_a_page_since_then_revises_it() {
    let (storage, clock) = left(2, 10_000).await;
    // A process that only receives keeps a page of it.
    let receiver = engine_on(&storage);
    receiver.accept(page(2, true)).await.unwrap();
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(basis) if basis.earlier));
    assert_eq!((clock.millis(), outcome.progress.figures.revision), (10_000, 1));
    assert!(outcome.progress.figures.revising);
    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    assert_eq!((clock.millis(), outcome.refreshed().progress.figures.accounts), (20_000, 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_again_only_while_its_answer_and_its_pages_are_missing() {
    let timing = Timing::default();
    let started = || {
        let mut started = Started::new(timing.settle, timing.idle_timeout, timing.deadline);
        started.need_tag_info = true;
        Note::Started(started)
    };
    let accepted = || Note::Accepted { serial_no: None };
    for (notes, pages, sent) in [
        (vec![started()], 0, true),
        (vec![started(), accepted()], 0, false),
        (vec![started()], 1, false),
    ] {
        let storage = Storage::new();
        for note in notes {
            storage.note(&id(), note).await.unwrap();
        }
        let receiver = engine_on(&storage);
        for number in 0..pages {
            receiver.accept(page(number, true)).await.unwrap();
        }
        let platform = Platform::new(Answer::Accepts);
        let engine = builder_on(&platform).journal(storage).build().unwrap();
        let pull = engine.resume(&id()).await.unwrap();
        let clock = Clock::start();
        let status = pull.outcome().await.unwrap().status;
        assert!(!status.is_complete() && clock.millis() == 60_000, "{status}");
        assert_eq!(platform.requests(), if sent { vec![(id(), true)] } else { vec![] });
    }
}

#[tokio::test(start_paused = true)]
async fn e2_what_is_released_while_no_process_follows_the_pull_counts_no_more() {
    let (storage, clock) = left(1, 500).await;
    let unreadable = page_of("mark", 2, true).replace("[", "7,\"x\":[");
    engine_on(&storage).accept(incoming(unreadable)).await.unwrap();
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    let status = pull.outcome().await.unwrap().status;
    assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
    assert_eq!(clock.millis(), 60_500);
    drop((pull, engine));
    let items = storage.quarantined(Some(&id())).await.unwrap();
    storage.release(&items[0]).await.unwrap();
    let waived = Note::Released { item: items[0].digest(), read: false };
    storage.note(&id(), waived).await.unwrap();
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    assert!(pull.outcome().now_or_never().is_none());
    let status = pull.outcome().await.unwrap().status;
    assert!(status.is_complete() && clock.millis() == 120_500, "{} {status}", clock.millis());
}
