//! The promises of a handle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use qopen::assembler::StartError;
use qopen::journal::{Journal, MemoryJournal};
use qopen::types::EventType;
use qopen::{ForwardTo, OtherEvent, OtherEventHandler, PullError, PullRequest, Status};
use qopen_simulator::Schedule;
use tokio::sync::mpsc;

use crate::harness::{Harness, ROBOT, robot, written};

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_returns_progress_until_the_end_and_then_the_outcome() {
    let harness =
        Harness::start(Schedule { parallel: 1, max_delay_ms: 20, ..Schedule::default() }).await;
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    let mut pages = 0;
    while let Some(progress) = pull.progress().await {
        assert!(progress.figures.pages >= pages, "progress goes forward");
        pages = progress.figures.pages;
    }
    assert_eq!(pages, 5);
    let outcome = pull.outcome().await.unwrap();
    assert_eq!(outcome.progress.figures.pages, 5);
    assert_eq!(pull.id().robot_id.as_str(), ROBOT);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_handle_cancels_its_pull_and_lets_its_pages_go() {
    let journal = Arc::new(MemoryJournal::default());
    let kept = Arc::clone(&journal);
    let harness =
        Harness::start_with(Schedule { lost_last_page: true, ..Schedule::default() }, |builder| {
            builder.journal(kept).retention(Duration::from_millis(1))
        })
        .await;
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    while pull.progress().await.unwrap().figures.pages < 4 {}
    let id = pull.id().clone();
    assert_eq!(journal.pages(&id).await.unwrap().count().await, 4);
    // While the pull is open its mark is taken.
    let again = PullRequest::new(robot()).mark_id(id.mark_id.clone());
    let error = harness.client.pull(again).await.unwrap_err();
    assert!(matches!(error, PullError::Start(StartError::Known)));
    assert_eq!(
        journal.pages(&id).await.unwrap().count().await,
        4,
        "the failed start harmed nothing"
    );

    drop(pull);
    let forgotten = async {
        while journal.pages(&id).await.unwrap().count().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten)
        .await
        .expect("its pages are forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_pull_has_an_outcome_with_what_there_is() {
    let harness = Harness::start(Schedule { lost_last_page: true, ..Schedule::default() }).await;
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    while pull.progress().await.unwrap().figures.pages < 4 {}
    pull.cancel();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Cancelled));
    assert_eq!(written(&outcome).await.0.len(), 400);
}

struct Recorder(mpsc::UnboundedSender<(EventType, Vec<u8>)>);

#[async_trait::async_trait]
impl OtherEventHandler for Recorder {
    async fn handle(
        &self,
        event: OtherEvent,
    ) -> Result<(), qopen::callback::receiver::HandlerError> {
        assert!(
            event.payload().windows(5).any(|it| it == b"20001")
                && !format!("{event:?}").contains("payload")
        );
        self.0.send((event.event_type().clone(), event.body().to_vec())).unwrap();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_kinds_reach_a_handler_or_another_listener_byte_for_byte() {
    let (sender, mut events) = mpsc::unbounded_channel();
    let schedule = Schedule { foreign_events: 3, ..Schedule::default() };
    let listener = Harness::start_with(Schedule::default(), |builder| {
        builder.other_event_handler(Arc::new(Recorder(sender)))
    })
    .await;
    let forward = ForwardTo::new(&listener.callback_url).unwrap();
    let harness =
        Harness::start_with(schedule, |builder| builder.other_event_handler(Arc::new(forward)))
            .await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::Complete(_)));
    for _ in 0..3 {
        // It opened there, which proves that its bytes are the same: they are signed.
        let (event_type, body) = events.recv().await.unwrap();
        assert_eq!(event_type, EventType::Code(20001));
        assert!(body.starts_with(b"{\"app_key\""));
    }
    assert_eq!(harness.simulator.counts().given_up, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_that_another_system_requests_are_adopted_on_request() {
    let journal = Arc::new(MemoryJournal::default());
    let kept = Arc::clone(&journal);
    let schedule = Schedule { foreign_marks: 2, ..Schedule::default() };
    let harness = Harness::start_with(schedule, |builder| builder.journal(kept).adopt(true)).await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::Complete(_)));
    let stranger =
        qopen::journal::PullId { robot_id: robot(), mark_id: "stranger-1".parse().unwrap() };
    assert_eq!(journal.pages(&stranger).await.unwrap().count().await, 1);
    assert_eq!(harness.client.stats().engine().unknown_marks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_forgotten_at_once_is_published_whole() {
    let harness =
        Harness::start_with(Schedule::default(), |builder| builder.retention(Duration::ZERO)).await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::Complete(_)));
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_a_second_start_under_the_same_mark_harms_nobody() {
    let harness = Harness::start(Schedule { max_delay_ms: 300, ..Schedule::default() }).await;
    let pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    let again = || PullRequest::new(robot()).mark_id(pull.id().mark_id.clone());
    assert!(harness.client.pull(again()).await.is_err());
    for _ in 0..20 {
        // Given up at any moment, as by a timeout.
        let starting = harness.client.pull(again());
        let _ = tokio::time::timeout(Duration::from_micros(1), starting).await;
    }
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_mean_never_are_no_danger() {
    let forever = qopen::assembler::Timing::default()
        .settle(Duration::from_millis(500))
        .idle_timeout(Duration::MAX)
        .deadline(Duration::MAX);
    let harness = Harness::start_with(Schedule::default(), |builder| {
        builder.timing(forever).retention(Duration::MAX)
    })
    .await;
    assert!(matches!(harness.pull().await.status, Status::Complete(_)));
}
