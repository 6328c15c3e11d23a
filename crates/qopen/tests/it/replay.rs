//! Captured payloads give the list that the pull gave.

use qopen::{Replay, ReplayError, Status};
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
        replay.add(payload).unwrap();
    }
    let outcomes = replay.finish();
    assert_eq!(outcomes.len(), 1);
    assert!(matches!(outcomes[0].status, Status::Complete(basis) if basis.declared));
    assert_eq!(outcomes[0].progress.duplicate_pages, pages.len() as u64);
    assert_eq!(written(&outcomes[0]).await.0, written(&pulled).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_says_what_it_lacks() {
    let payload = |robot: &str, mark: &str, more: bool| {
        format!(
            r#"{{"event_type":42016,"robot_id":"{robot}","data":{{"mark_id":"{mark}","has_more":{more},"account_list":[{{"account_id":"a"}}]}}}}"#
        )
    };
    let mut replay = Replay::default();
    replay.add(payload("r1", "m", true)).unwrap();
    replay.add(payload("r2", "m", false)).unwrap();
    replay.add(payload("r3", "m", true)).unwrap();
    replay
        .add(
            r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"r3","data":null}"#
                .into(),
        )
        .unwrap();
    replay.add(payload("r4", "m", false).replace("[{\"account_id\":\"a\"}]", "7")).unwrap();
    assert!(matches!(replay.add("{".into()), Err(ReplayError::Other(_) | ReplayError::NotJson(_))));
    assert!(matches!(replay.add(r#"{"event_type":20001}"#.into()), Err(ReplayError::Other(_))));
    let statuses: Vec<(String, &str)> = replay
        .finish()
        .iter()
        .map(|it| (it.progress.pull.robot_id.to_string(), it.status.as_str()))
        .collect();
    let expected =
        [("r1", "incomplete"), ("r2", "complete"), ("r3", "failed"), ("r4", "incomplete")];
    assert_eq!(statuses, expected.map(|(robot, status)| (robot.to_owned(), status)));
}
