//! When pulls end by themselves, to the millisecond.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use qopen_assembler::{Failure, Timing};
use qopen_engine::{Accepted, Engine, PullRequest, RequestError, Requester, Status, StatusKind};
use qopen_journal::{EndReason, EndState, PullId};

use crate::storage::{Mode, Storage};
use crate::support::{
    Clock, builder, engine_on, incoming, page, page_of, request, timing, unreadable_page,
    unsaid_page,
};

const MINUTE: u64 = 60_000;

/// A pull of which these payloads come at these times: when and how it ends.
async fn ends(request: PullRequest, payloads: &[(u64, String)]) -> (u64, Status) {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request).await.unwrap();
    let clock = Clock::start();
    let feed = async {
        for (at, payload) in payloads {
            clock.until(*at).await;
            engine.accept(incoming(payload.clone())).await.unwrap();
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = pull.outcome() => outcome.unwrap(),
        () = feed => unreachable!(),
    };
    assert_eq!(engine.stats().ended(outcome.status.kind()), 1);
    (clock.millis(), outcome.status)
}

fn pages(pages: &[(u64, usize, bool)]) -> Vec<(u64, String)> {
    pages.iter().map(|(at, number, more)| (*at, page_of("mark", *number, *more))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_is_complete_exactly_settle_after_its_last_new_page() {
    for (came, ended) in [
        (pages(&[(0, 1, false)]), 1_000),
        (pages(&[(7, 1, false)]), 1_007),
        (pages(&[(0, 1, true), (500, 2, false)]), 1_500),
        (pages(&[(0, 1, false), (999, 2, true), (1_998, 3, true)]), 2_998),
        // A page without an end gives the end an idle timeout to come.
        (pages(&[(0, 1, true), (MINUTE - 1, 2, false)]), MINUTE + 999),
    ] {
        let (at, status) = ends(request(), &came).await;
        let Status::Complete(basis) = status else { panic!("{status}") };
        assert_eq!((at, basis.quiet), (ended, Some(Duration::from_secs(1))), "{came:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn e8_copies_prolong_the_quiet_by_one_idle_timeout_in_all() {
    let copies = |every: usize, until: u64| {
        let copies = (0..until).step_by(every).map(|at| (at, 1, false));
        pages(&copies.collect::<Vec<_>>())
    };
    let (at, status) = ends(request(), &copies(500, 10_001)).await;
    assert!(status.is_complete() && at == 11_000, "{at} {status}");
    let (at, status) = ends(request(), &copies(500, 500_000)).await;
    assert!(status.is_complete() && at == MINUTE + 1_000, "{at} {status}");
}

#[tokio::test(start_paused = true)]
async fn i4_without_an_end_silence_fails_a_pull_after_the_idle_timeout() {
    let (at, status) = ends(request(), &[]).await;
    assert!(matches!(status, Status::NoCallback) && at == MINUTE, "{at} {status}");
    assert_eq!(status.end_state(), EndState::Failed);
    let (at, status) = ends(request(), &pages(&[(5_000, 1, true)])).await;
    assert_eq!(status.end_state(), EndState::Incomplete);
    let missing = Status::Incomplete(Failure::LastPageMissing).to_string();
    assert_eq!((at, status.to_string()), (5_000 + MINUTE, missing));
}

#[tokio::test(start_paused = true)]
async fn i4_the_deadline_ends_a_pull_whose_pages_keep_coming() {
    let timing = timing().deadline(Duration::from_secs(100));
    let every = |millis: usize, last: usize| {
        let times = (0..200_000_u64).step_by(millis).enumerate();
        pages(&times.map(|(number, at)| (at, number, number != last)).collect::<Vec<_>>())
    };
    for came in [every(30_000, 99), every(999, 0)] {
        let (at, status) = ends(request().timing(timing), &came).await;
        let late = Status::Incomplete(Failure::Deadline).to_string();
        assert_eq!((at, status.to_string()), (100_000, late));
    }
    // With a pause of exactly the settle time the list is complete.
    let (at, status) = ends(request().timing(timing), &every(1_001, 3)).await;
    assert!(status.is_complete() && at == 4_003, "{at} {status}");
}

#[tokio::test(start_paused = true)]
async fn e6_an_end_that_no_page_states_takes_an_idle_timeout_to_believe() {
    let unsaid = unsaid_page();
    let (at, status) = ends(request(), &[(0, unsaid.clone())]).await;
    let Status::Complete(basis) = status else { panic!("{status}") };
    assert!(basis.implied_end && at == MINUTE, "{at} {basis:?}");
    let (at, status) = ends(request(), &[(0, unsaid), (10, page_of("mark", 2, false))]).await;
    let Status::Complete(basis) = status else { panic!("{status}") };
    assert!(!basis.implied_end && at == 1_010, "{at} {basis:?}");
}

#[tokio::test(start_paused = true)]
async fn an_expected_number_of_accounts_is_awaited() {
    let came = [(0, 1, false), (30_000, 2, true)];
    let (at, status) = ends(request().expect_accounts(2), &pages(&came)).await;
    let Status::Complete(basis) = status else { panic!("{status}") };
    assert_eq!((at, basis.expected), (31_000, Some(2)));
    let (at, status) = ends(request().expect_accounts(3), &pages(&came)).await;
    let few = Status::Incomplete(Failure::FewerThanExpected { expected: 3 }).to_string();
    assert_eq!((at, status.to_string()), (30_000 + MINUTE, few));
}

#[tokio::test(start_paused = true)]
async fn e1_e2_an_unreadable_page_counts_against_the_pull_that_it_may_belong_to() {
    let named = unreadable_page();
    let other = named.replace(r#""robot_id":"robot""#, r#""robot_id":"another""#);
    for (odd, ended) in [
        (named.clone(), Some(500 + MINUTE)),
        (named.replace(r#""mark_id":"mark","#, ""), Some(500 + MINUTE)),
        (r#"{"event_type":42016,"data":{"#.into(), Some(500 + MINUTE)),
        (
            r#"{"event_type":42016,"robot_id":"robot","data":{"has_more":true,"account_list":[]}}"#
                .into(),
            Some(500 + MINUTE),
        ),
        (
            r#"{"event_type":42016,"robot_id":"robot","data":{"account_list":[{"account_id""#
                .into(),
            Some(500 + MINUTE),
        ),
        (
            r#"{"event_type":42016,"data":{"has_more":true,"account_list":[]}}"#.into(),
            Some(500 + MINUTE),
        ),
        (r#"{"event_type":42016,"robot_id":"another","data":{"#.into(), None),
        (other.replace(r#""mark_id":"mark","#, ""), None),
        (r#"{"event_type":40023,"text":"half an emoj"#.into(), None),
    ] {
        let came = [(0, page_of("mark", 1, false)), (500, odd)];
        let (at, status) = ends(request(), &came).await;
        let unread = Status::Incomplete(Failure::UnreadablePages).to_string();
        match ended {
            Some(ended) => assert_eq!((at, status.to_string()), (ended, unread), "{came:?}"),
            None => assert!(status.is_complete() && at == 1_000, "{at} {status} {came:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e7_an_error_report_ends_the_pull_that_it_names_at_once() {
    let engine = builder().build().unwrap();
    let first = engine.pull(request()).await.unwrap();
    let second = engine.pull(request().mark_id("second".parse().unwrap())).await.unwrap();
    let clock = Clock::start();
    let report = |data: &str| {
        let head = r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"robot","data":"#;
        incoming(format!("{head}{data}}}"))
    };
    clock.until(100).await;
    // Of two open pulls, which one it is about is not known.
    assert_eq!(engine.accept(report("null")).await.unwrap(), Accepted::Report);
    assert_eq!(engine.stats().stray_reports(), 1);
    engine.accept(report(r#"{"mark_id":"second"}"#)).await.unwrap();
    let status = second.outcome().await.unwrap().status;
    assert!(matches!(status, Status::Reported { code: 7, .. }), "{status}");
    assert_eq!(clock.millis(), 100);
    // The same report again, and a page: the platform's word is final.
    engine.accept(report(r#"{"mark_id":"second"}"#)).await.unwrap();
    engine.accept(incoming(page_of("second", 1, false))).await.unwrap();
    assert_eq!(engine.stats().repeated_reports(), 1);
    clock.until(10_000).await;
    let status = second.outcome().await.unwrap().refreshed().status;
    assert!(matches!(status, Status::Reported { .. }), "{status}");
    // Now there is only one that it can be about.
    engine.accept(report("{}")).await.unwrap();
    assert!(matches!(first.outcome().await.unwrap().status, Status::Reported { .. }));
    assert_eq!(clock.millis(), 10_000);
    assert_eq!(engine.stats().ended(StatusKind::Reported), 2);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_pull_at_once_and_a_page_does_not_open_it_again() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, false)).await.unwrap();
    clock.until(999).await;
    pull.cancel();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Cancelled), "{}", outcome.status);
    assert_eq!(outcome.status.reason(), Some(EndReason::Cancelled));
    assert_eq!((clock.millis(), outcome.progress.figures.accounts), (999, 1));
    engine.accept(page(2, false)).await.unwrap();
    clock.until(100_000).await;
    assert!(matches!(outcome.refreshed().status, Status::Cancelled));
    assert_eq!(engine.stats().ended(StatusKind::Cancelled), 1);
}

#[tokio::test(start_paused = true)]
async fn figures_have_the_time_until_the_pull_ends() {
    let engine = builder().build().unwrap();
    let mut pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    for (at, number, more, due) in
        [(10, 1, true, MINUTE), (500, 2, false, 1_000), (1_400, 3, true, 1_000)]
    {
        clock.until(at).await;
        engine.accept(page(number, more)).await.unwrap();
        let progress = loop {
            let progress = pull.progress().await.unwrap();
            if progress.figures.pages == number {
                break progress;
            }
        };
        let expected = (Duration::ZERO, Some(Duration::from_millis(due)));
        assert_eq!((progress.quiet, progress.due_in), expected, "{number}");
    }
    let outcome = pull.outcome().await.unwrap();
    assert_eq!((clock.millis(), outcome.progress.due_in), (2_400, None));
}

/// Answers a request after that long.
struct Slow(Duration);

#[async_trait]
impl Requester for Slow {
    async fn request(&self, _: &PullId, _: bool) -> Result<Option<String>, RequestError> {
        tokio::time::sleep(self.0).await;
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn silence_counts_from_the_answer_to_the_request() {
    for (answered, ended) in [(0, 60), (200, 260), (99_999, 1_800)] {
        let slow = Slow(Duration::from_secs(answered));
        let timing = Timing::default().idle_timeout(Duration::from_secs(60));
        let engine = Engine::builder(std::sync::Arc::new(slow)).timing(timing).build().unwrap();
        let pull = engine.pull(request()).await.unwrap();
        let clock = Clock::start();
        let status = pull.outcome().await.unwrap().status;
        assert!(matches!(status, Status::NoCallback), "{status}");
        assert_eq!(clock.millis(), ended * 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn i1_a_page_that_the_journal_does_not_have_yet_is_owed() {
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, false)).await.unwrap();
    storage.turn(Mode::HoldsPages);
    clock.until(999).await;
    let mut held = Box::pin(engine.accept(page(2, true)));
    assert!(held.as_mut().now_or_never().is_none());
    clock.until(30_000).await;
    assert!(held.as_mut().now_or_never().is_none(), "nothing is acknowledged before it is kept");
    assert!(pull.outcome().now_or_never().is_none(), "the list is not complete without it");
    storage.turn(Mode::Works);
    assert_eq!(held.await.unwrap(), Accepted::Page);
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!((clock.millis(), outcome.progress.figures.pages), (31_000, 2));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_owed_for_an_idle_timeout_fails_the_pull_until_it_comes() {
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let pull = engine.pull(request()).await.unwrap();
    let clock = Clock::start();
    engine.accept(page(1, false)).await.unwrap();
    storage.turn(Mode::Full);
    clock.until(500).await;
    engine.accept(page(2, true)).await.unwrap_err();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Incomplete(Failure::OwedPages)), "{}", outcome.status);
    assert_eq!(clock.millis(), 500 + MINUTE);
    storage.turn(Mode::Works);
    engine.accept(page(2, true)).await.unwrap();
    clock.until(500 + MINUTE + 999).await;
    assert!(!outcome.refreshed().status.is_complete());
    clock.until(500 + MINUTE + 1_001).await;
    let outcome = outcome.refreshed();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.pages, 2);
}

#[tokio::test(start_paused = true)]
async fn i7_a_thousand_pulls_at_once_end_each_by_its_own_pages() {
    let engine = builder().build().unwrap();
    let clock = Clock::start();
    let mut pulls = Vec::new();
    for number in 0..1_000 {
        let mark = format!("mark-{number:04}");
        pulls.push(engine.pull(request().mark_id(mark.parse().unwrap())).await.unwrap());
    }
    for step in 0..3_usize {
        clock.until(step as u64 * 400).await;
        for (number, pull) in pulls.iter().enumerate() {
            // Pull n has n % 4 pages; of those with three, the last page is the first one.
            let (all, mark) = (number % 4, pull.id().mark_id.as_str());
            let last = if all == 3 { 0 } else { all.wrapping_sub(1) };
            if step < all {
                let page = page_of(mark, number + step, step != last);
                engine.accept(incoming(page)).await.unwrap();
            }
        }
    }
    let mut ended = Vec::new();
    for pull in &pulls {
        ended.push(async move { (pull.outcome().await.unwrap(), clock.millis()) });
    }
    let ended = futures_util::future::join_all(ended).await;
    for (number, (outcome, at)) in ended.iter().enumerate() {
        let expected = [MINUTE, 1_000, 1_400, 1_800][number % 4];
        assert_eq!((*at, outcome.progress.figures.accounts), (expected, number % 4), "{number}");
        assert_eq!(outcome.status.is_complete(), number % 4 > 0, "{number}");
    }
}
