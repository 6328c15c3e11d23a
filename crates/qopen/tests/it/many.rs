//! Many pulls at once.

use std::sync::Arc;
use std::time::Duration;

use qopen::sink::{FileSink, Format, ListKind};
use qopen::{PullRequest, Status};
use qopen_simulator::{Chance, Dataset, Schedule};

use crate::harness::{Harness, parsed_of, timing};

#[tokio::test(flavor = "multi_thread")]
async fn i7_a_thousand_pulls_at_once_are_all_right() {
    let schedule = Schedule {
        accounts: 100,
        page_size: 30,
        parallel: 2,
        shuffle: true,
        duplicates: Chance::new(30),
        lost_acks: Chance::new(10),
        ..Schedule::default()
    };
    // A thousand pulls queue for few cores. The number of accounts is expected, so that no pause between
    // pages counts as the end.
    let timing = timing().idle_timeout(Duration::from_secs(120));
    let harness = Harness::start_with(schedule, |builder| builder.timing(timing)).await;
    let mut pulls = Vec::new();
    for number in 0..1_000 {
        let request = PullRequest::new(format!("robot-{number}").parse().unwrap());
        let request = request.expect_accounts(100);
        pulls.push(harness.client.pull(request).await.unwrap());
    }
    let mut lists = Vec::new();
    for (number, pull) in pulls.into_iter().enumerate() {
        let outcome = pull.outcome().await.unwrap();
        assert!(matches!(outcome.status, Status::Complete(_)), "{number}: {:?}", outcome.status);
        assert_eq!(
            (outcome.progress.figures.accounts, outcome.progress.figures.pages),
            (100, 4),
            "{number}"
        );
        lists.push(outcome.list);
    }
    let (folder, kind) = (tempfile::tempdir().unwrap(), ListKind::Complete);
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    qopen::publish(lists, Arc::new(sink.clone()), kind).await.unwrap();
    let text = std::fs::read_to_string(sink.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 100_000);
    // One list after the other, in the order in which they were given.
    for (number, list) in lines.chunks(100).enumerate() {
        let robot: qopen::types::RobotId = format!("robot-{number}").parse().unwrap();
        let expected = Dataset::new(&harness.schedule, &robot, false).expected();
        assert_eq!(parsed_of(&list.join("\n"), robot.as_str()), expected, "{number}");
    }
    assert_eq!(harness.simulator.counts().given_up, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lists_are_published_as_one() {
    let harness = Harness::start(Schedule { accounts: 50, ..Schedule::default() }).await;
    let mut lists = Vec::new();
    for robot in ["b", "a"] {
        lists.push(harness.pull_as(PullRequest::new(robot.parse().unwrap())).await.list);
    }
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let kind = ListKind::Complete;
    let published = qopen::publish(lists, Arc::new(sink.clone()), kind).await.unwrap();
    assert_eq!(published.lists.iter().map(|it| it.accounts).collect::<Vec<_>>(), [50, 50]);
    let text = std::fs::read_to_string(sink.path()).unwrap();
    let robots: Vec<bool> =
        text.lines().map(|line| line.starts_with("{\"robot_id\":\"b\"")).collect();
    assert_eq!(robots, [vec![true; 50], vec![false; 50]].concat(), "in the order they were given");
}
