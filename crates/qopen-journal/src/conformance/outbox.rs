//! Events that wait to be forwarded.

use std::time::Duration;

use super::subject::{Subject, payload};
use crate::{Appended, Outbox, PendingEvent, WorkerId};

/// What waits, oldest first.
async fn waiting(outbox: &dyn Outbox) -> Vec<PendingEvent> {
    outbox.waiting(0, usize::MAX).await.unwrap()
}

fn texts(waiting: &[PendingEvent]) -> Vec<String> {
    waiting.iter().map(|it| it.event.text().as_str().to_owned()).collect()
}

/// Three events, one of which came twice.
async fn fill(outbox: &dyn Outbox) {
    let (new, duplicate) = (Appended::New, Appended::Duplicate);
    for (text, found) in [("1", new), ("2", new), ("1", duplicate), ("3", new)] {
        assert_eq!(outbox.put(payload(text)).await.unwrap(), found);
    }
}

pub(super) async fn events_wait_in_their_order(Subject { journal, .. }: Subject) {
    fill(&*journal).await;
    let all = waiting(&*journal).await;
    assert_eq!(texts(&all), ["1", "2", "3"]);
    assert!(all.is_sorted_by_key(|it| it.number) && all.is_sorted_by_key(|it| it.since));
    assert_eq!(journal.waiting(all[0].number, 1).await.unwrap(), all[1..2]);
    assert_eq!(journal.waiting(all[2].number, 9).await.unwrap(), []);
}

pub(super) async fn an_acknowledged_event_is_gone_and_may_come_again(subject: Subject) {
    let Subject { journal, .. } = subject;
    fill(&*journal).await;
    let all = waiting(&*journal).await;
    for _ in 0..2 {
        journal.ack(&all[1]).await.unwrap();
    }
    assert_eq!(journal.backlog().await.unwrap().events, 2);
    assert_eq!(waiting(&*journal).await, [all[0].clone(), all[2].clone()]);
    // It is the youngest then.
    assert_eq!(journal.put(payload("2")).await.unwrap(), Appended::New);
    assert_eq!(texts(&waiting(&*journal).await), ["1", "3", "2"]);
}

pub(super) async fn one_worker_at_a_time_forwards_events(Subject { journal, other }: Subject) {
    let (a, b) = (WorkerId::new("a"), WorkerId::new("b"));
    let lease = Duration::from_secs(60);
    for _ in 0..2 {
        assert!(journal.try_lead(&a, lease).await.unwrap());
    }
    // An outbox of one process has one worker.
    assert_eq!(other.try_lead(&b, lease).await.unwrap(), !other.is_shared());
}
