//! Captured payloads give the same list as the pull.

use qopen::{Replay, Status};
use qopen_simulator::{Dataset, Schedule};

use crate::harness::{Harness, robot, written};

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_shuffled_and_doubled_capture_gives_the_same_list_as_the_pull() {
    let schedule = Schedule { conflicts: 20, shuffle: true, drift: true, ..Schedule::default() };
    let harness = Harness::start(schedule.clone()).await;
    let pulled = harness.pull().await;

    let pages = Dataset::new(&schedule, &robot(), false).pages(&pulled.progress.pull.mark_id);
    let mut capture: Vec<String> =
        pages.iter().chain(&pages).map(|page| page.payload.clone()).collect();
    capture.sort();
    let mut replay = Replay::default();
    for payload in capture {
        replay.add(payload.into_bytes()).unwrap();
    }
    let outcomes = replay.finish().unwrap();
    assert_eq!(outcomes.len(), 1);
    assert!(matches!(outcomes[0].status, Status::Complete(basis) if basis.declared));
    assert_eq!(outcomes[0].progress.figures.duplicate_pages, pages.len() as u64);
    assert_eq!(written(&outcomes[0]).await.0, written(&pulled).await.0);
}
