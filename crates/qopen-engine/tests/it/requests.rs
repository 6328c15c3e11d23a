//! What becomes of requests that fail.

use std::time::Duration;

use qopen_engine::{RequestError, Status, StatusKind};

use crate::support::{Answer, Code, Platform, builder_on, page, request};

async fn status_on(answer: Answer, pages: bool) -> Status {
    let engine = builder_on(&Platform::new(answer)).build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    // The request is answered before a page comes.
    tokio::time::sleep(Duration::from_millis(1)).await;
    if pages {
        engine.accept(page(1, false)).await.unwrap();
    }
    let status = pull.outcome().await.unwrap().status;
    let counted = StatusKind::ALL.map(|kind| (kind, engine.stats().ended(kind)));
    assert_eq!(counted, StatusKind::ALL.map(|kind| (kind, u64::from(kind == status.kind()))));
    status
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_ends_its_pull_unless_it_may_have_arrived() {
    let code = |error: &RequestError| error.cause().downcast_ref::<Code>().unwrap().0;
    for pages in [false, true] {
        let status = status_on(Answer::Refuses, pages).await;
        assert!(matches!(&status, Status::Refused(error) if code(error) == 403), "{status}");
        assert_eq!(status.to_string(), "code 403", "the requester's own words");
        let status = status_on(Answer::IsAway, pages).await;
        assert!(matches!(&status, Status::NotSent(error) if code(error) == 502), "{status}");
    }
    let status = status_on(Answer::IsLost, false).await;
    assert!(matches!(&status, Status::NotSent(error) if code(error) == 504), "{status}");
    assert!(status_on(Answer::IsLost, true).await.is_complete());
    assert!(status_on(Answer::Accepts, true).await.is_complete());
    assert!(matches!(status_on(Answer::Accepts, false).await, Status::NoCallback));
}

#[tokio::test(start_paused = true)]
async fn a_requester_that_panics_costs_its_pull_one_idle_timeout_at_most() {
    let began = tokio::time::Instant::now();
    let status = status_on(Answer::Panics, false).await;
    assert!(matches!(&status, Status::NotSent(_)), "{status}");
    assert_eq!(status.to_string(), "the requester panicked");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(status_on(Answer::Panics, true).await.is_complete());
}
