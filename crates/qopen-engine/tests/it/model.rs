//! When a pull ends, against a model that knows nothing of tokio: under a paused clock, to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use qopen_engine::{RefusalCount, Status};
use tokio::time::Instant;

use crate::support::{builder, page, request};

/// The times of [`builder`], in milliseconds.
const SETTLE: u64 = 1_000;
const IDLE: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// A page of that number comes; the first is the last one.
    Page(usize),
    Refusal,
}

/// What happens and when, in milliseconds from the start.
fn events() -> impl Strategy<Value = Vec<(u64, Happens)>> {
    let what = prop_oneof![4 => (0..4_usize).prop_map(Happens::Page), 1 => Just(Happens::Refusal)];
    // Bursts, pauses near the settle time, and pauses near the idle timeout.
    let pause = prop_oneof![5 => 1..40_u64, 3 => 900..1_100_u64, 2 => 55_000..65_000_u64];
    prop::collection::vec((pause, what), 1..12).prop_map(|steps| {
        let mut now = 0;
        let at = steps.into_iter().map(|(pause, what)| {
            now += pause;
            (now, what)
        });
        at.collect()
    })
}

/// How the pull ends: when, whether it is complete, and the number of its pages. `None` where something
/// happens in the very millisecond in which it ends.
fn expected(events: &[(u64, Happens)]) -> Option<(u64, bool, usize)> {
    let (mut last_new, mut last_copy, mut refused) = (0, 0, None);
    let mut pages = Vec::new();
    let mut events = events.iter().peekable();
    loop {
        let activity = last_new.max(last_copy.min(last_new + IDLE));
        let complete = pages.contains(&0);
        let (patience, most) = match complete {
            true => (SETTLE, activity + IDLE),
            false => (IDLE, activity + IDLE + IDLE),
        };
        let due = refused.map_or(0, |at| at + IDLE).clamp(activity + patience, most);
        let Some((at, what)) = events.next_if(|(at, _)| *at <= due) else {
            return Some((due, complete, pages.len()));
        };
        if *at == due {
            return None;
        }
        match what {
            Happens::Page(number) if pages.contains(number) => last_copy = *at,
            Happens::Page(number) => {
                (last_new, last_copy) = (*at, *at);
                pages.push(*number);
            }
            Happens::Refusal => refused = Some(*at),
        }
    }
}

async fn found(events: &[(u64, Happens)]) -> (u64, bool, usize) {
    let refusals = RefusalCount::default();
    let engine = builder().refusals(Arc::new(refusals.clone())).build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    // The request is accepted: silence counts from then.
    tokio::task::yield_now().await;
    let began = Instant::now();
    let intake = engine.intake().clone();
    let events = events.to_vec();
    let feeding = tokio::spawn(async move {
        for (at, what) in events {
            tokio::time::sleep_until(began + Duration::from_millis(at)).await;
            match what {
                Happens::Page(number) => drop(intake.accept(page(number, number != 0)).await),
                Happens::Refusal => refusals.note(),
            }
        }
    });
    let outcome = pull.outcome().await.unwrap();
    let after = began.elapsed();
    feeding.abort();
    let complete = match outcome.status {
        Status::Complete(_) => true,
        Status::Incomplete(_) | Status::NoCallback => false,
        other => panic!("{other}"),
    };
    // Tokio's timers have a resolution of one millisecond.
    (after.as_millis().try_into().unwrap(), complete, outcome.progress.figures.pages)
}

proptest! {
    #[test]
    fn e3_e8_a_pull_ends_when_the_model_says(events in events()) {
        let expected = expected(&events);
        prop_assume!(expected.is_some());
        let (due, complete, pages) = expected.unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let (ended, is_complete, found) = runtime.block_on(found(&events));
        prop_assert_eq!((is_complete, found), (complete, pages));
        prop_assert!(ended.abs_diff(due) <= 1, "ended after {} ms, not {} ms", ended, due);
    }
}
