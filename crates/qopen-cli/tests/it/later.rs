//! Pages that come after the publication.

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, ids, text};

/// The last page but one leaves long after the others.
fn late() -> Schedule {
    Schedule {
        accounts: 30,
        page_size: 10,
        late_page: Some((1, 6_000)),
        max_attempts: 1000,
        ..Schedule::default()
    }
}

fn summaries(output: &std::process::Output) -> Vec<Value> {
    let lines = text(&output.stdout);
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|it| it["type"] == "summary").collect()
}

#[tokio::test]
async fn i6_a_page_kept_after_the_publication_makes_a_higher_revision_when_it_is_resumed() {
    for robots in [&["r1"][..], &["r1", "r2", "r3"]] {
        let stage = Stage::new(&late());
        let of_robots: Vec<_> = robots.iter().flat_map(|it| ["--robot", it]).collect();
        let pull = stage.run(&[&of_robots[..], &["--out", "all.jsonl", "--json"]].concat());
        assert_eq!(pull.status.code(), Some(0), "{}", text(&pull.stderr));
        let first = summaries(&pull);
        assert!(first.iter().all(|it| it["revision"] == 1 && it["accounts"] == 20), "{first:?}");
        let marks: Vec<_> = first.iter().map(|it| it["mark_id"].as_str().unwrap()).collect();
        // A service without an output keeps the pages.
        let served = Served::new(&stage, &[], None);
        for mark in &marks {
            served.until(mark, |it| it["pages"] == 3).await;
        }
        assert!(served.stop().success());
        let resumed: Vec<_> = marks.iter().flat_map(|mark| ["--resume", mark]).collect();
        let again = stage.run(&[&resumed[..], &["--json"]].concat());
        assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
        for summary in summaries(&again) {
            let expected = (json!(2), json!(30), json!({ "added": 10, "changed": 0 }));
            let found = &summary;
            assert_eq!(
                (&found["revision"], &found["accounts"], &found["revised"]),
                (&expected.0, &expected.1, &expected.2),
                "{summary}"
            );
        }
        assert_eq!(ids(&stage.read("all.jsonl")).len(), 30 * robots.len());
        // Nothing came since.
        let third = stage.run(&[&resumed[..], &["--json"]].concat());
        assert!(summaries(&third).iter().all(|it| it["revision"] == 2), "{}", text(&third.stdout));
    }
}

#[test]
fn the_exit_code_says_how_each_list_of_a_folder_ends() {
    let schedule = Schedule { late_page: Some((1, 2_500)), ..late() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("each")).unwrap();
    let robots =
        ["--robot", "r1", "--robot", "r2", "--concurrency", "1", "--out", "each", "--json"];
    let pull = |options: &[&str]| stage.run(&[&robots[..], options].concat());
    assert_eq!(pull(&["--settle", "4s"]).status.code(), Some(0));
    let output = pull(&["--settle", "2s", "--max-gone", "0"]);
    let told: Vec<_> = summaries(&output)
        .iter()
        .map(|it| (it["robot_id"].clone(), it["status"].clone(), it["accounts"].clone()))
        .collect();
    let (held, whole) = (("incomplete", 20), ("complete", 30));
    let expected = [("r1", held), ("r2", held), ("r1", whole), ("r2", whole)];
    let expected = expected.map(|(robot, (status, n))| (json!(robot), json!(status), json!(n)));
    assert_eq!(told, expected);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
