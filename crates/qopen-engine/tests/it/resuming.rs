//! Pulls that another process has left, to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use qopen_assembler::{Failure, Timing};
use qopen_engine::{PullError, Status};
use qopen_journal::{EndState, Journal as _, Note, Started};

use crate::storage::Storage;
use crate::support::{
    Answer, Clock, Platform, builder_on, engine_on, id, incoming, page, request, unreadable_page,
};

const DEADLINE: u64 = 1_800_000;

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
async fn e9_a_list_that_was_complete_before_keeps_its_evidence() {
    let (storage, _) = left(2, 500).await;
    let engine = engine_on(&storage);
    let first = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
    let evidence = first.status.evidence().unwrap();
    assert!(evidence.interrupted && evidence.quiet_ms == Some(60_000), "{evidence:?}");
    drop((first, engine));
    let engine = engine_on(&storage);
    let again = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
    assert_eq!(again.status.evidence(), Some(evidence));
    let why = again.status.to_string();
    assert!(why.starts_with("the list was complete before: ") && why.contains("was interrupted"));
    assert!(again.status.may_lack_a_page());
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_evidence_an_earlier_version_did_not_note_has_none() {
    let (storage, _) = left(1, 500).await;
    let (why, status) = ("quiet".to_owned(), EndState::Complete);
    let ended = Note::Ended { status, why, accounts: 1, pages: 1, evidence: None, reason: None };
    storage.note(&id(), ended).await.unwrap();
    assert_eq!(storage.pull(&id()).await.unwrap().unwrap().evidence(), None);
    let again = engine_on(&storage).resume(&id()).await.unwrap().outcome().await.unwrap();
    assert_eq!(again.status.evidence(), None);
    assert_eq!(again.status.to_string(), "the list was complete before");
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
        let outcome = pull.outcome().await.unwrap();
        assert!(!outcome.status.is_complete(), "{}", outcome.status);
        assert_eq!(clock.millis(), 60_000);
        assert_eq!(platform.requests(), if sent { vec![(id(), true)] } else { vec![] });
        engine.accept(page(9, false)).await.unwrap();
        clock.until(200_000).await;
        assert!(outcome.refreshed().status.is_complete(), "its pages complete it");
    }
}

#[tokio::test(start_paused = true)]
async fn e2_what_is_released_while_no_process_follows_the_pull_counts_no_more() {
    let (storage, clock) = left(1, 500).await;
    let unreadable = unreadable_page();
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

#[tokio::test(start_paused = true)]
async fn a_request_that_never_left_is_sent_when_the_pull_is_resumed() {
    let storage = Storage::new();
    let engine = builder_on(&Platform::new(Answer::IsAway)).journal(storage.clone());
    let engine = engine.build().unwrap();
    let status = engine.pull(request()).await.unwrap().outcome().await.unwrap().status;
    assert!(matches!(status, Status::NotSent(_)), "{status}");
    drop(engine);
    let platform = Platform::new(Answer::Accepts);
    let engine = builder_on(&platform).journal(storage).build().unwrap();
    let pull = engine.resume(&id()).await.unwrap();
    let clock = Clock::start();
    // The answer to the request comes first.
    clock.until(1).await;
    assert_eq!(platform.requests(), [(id(), false)]);
    engine.accept(page(1, false)).await.unwrap();
    let status = pull.outcome().await.unwrap().status;
    assert!(status.is_complete(), "{status}");
}

#[tokio::test(start_paused = true)]
async fn e1_what_comes_while_no_process_follows_the_pull_is_evidence() {
    let unreadable = unreadable_page();
    let report = |mark: &str| {
        let head = r#"{"event_type":42016,"err_code":9,"err_msg":"no","robot_id":"robot","data":"#;
        format!(r#"{head}{{"mark_id":"{mark}"}}}}"#)
    };
    for (payload, reported) in [(unreadable, false), (report("mark"), true)] {
        let (storage, clock) = left(1, 500).await;
        let receiver = engine_on(&storage);
        receiver.accept(incoming(payload)).await.unwrap();
        receiver.accept(incoming(report("another"))).await.unwrap();
        assert_eq!(storage.pulls().await.unwrap().len(), 1, "a report opens no pull");
        let pull = engine_on(&storage).resume(&id()).await.unwrap();
        let status = pull.outcome().await.unwrap().status;
        match reported {
            true => assert!(matches!(status, Status::Reported { code: 9, .. }), "{status}"),
            false => {
                assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
            }
        }
        assert_eq!(clock.millis(), if reported { 500 } else { 60_500 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_pull_that_was_forgotten_belongs_to_no_pull() {
    let (storage, _) = left(1, 500).await;
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    assert!(matches!(engine.forget(&id()).await, Err(PullError::UnderWay)));
    assert!(pull.outcome().await.unwrap().status.is_complete());
    engine.forget(&id()).await.unwrap();
    engine.accept(page(2, true)).await.unwrap();
    assert_eq!(storage.pulls().await.unwrap(), []);
    assert_eq!(engine.stats().unknown_marks(), 1);
    // The name is free again.
    engine.forget(&id()).await.unwrap();
    engine.pull(request()).await.unwrap().cancel();
}

#[tokio::test(start_paused = true)]
async fn resuming_may_be_given_up_at_any_point_and_tried_again() {
    let (storage, _) = left(2, 500).await;
    // Polled that many times and then dropped: before there is a handle, or with one just made.
    for polls in 0..8 {
        let engine = engine_on(&storage);
        let id = id();
        let mut resume = Box::pin(engine.resume(&id));
        for _ in 0..polls {
            if resume.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let pull = engine_on(&storage).resume(&id()).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
}
