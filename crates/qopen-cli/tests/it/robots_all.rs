//! All robots of the app: `pull --all-robots`, schedules of all robots, and events about robots.

use std::process::Output;

use qopen_simulator::{Refusal, Schedule, SimulatedRobot};

use crate::served::expected;
use crate::support::{Stage, ids, text};

/// Three scan-code robots, the last one recycled, and two platform robots, one of them a scan-code robot too.
fn robots() -> Vec<SimulatedRobot> {
    let id = |name: &str| name.parse().unwrap();
    let mut all = vec![
        SimulatedRobot::host(id("r1"), "canary-name"),
        SimulatedRobot::host(id("r2"), "canary-name"),
        SimulatedRobot::host(id("r3"), "canary-name"),
        SimulatedRobot::platform(id("p1"), "canary-name"),
        SimulatedRobot::platform(id("r1"), "canary-name"),
    ];
    all[2].enabled = false;
    all
}

fn with_robots(schedule: Schedule) -> Schedule {
    Schedule { robots: robots(), accounts: 30, page_size: 10, ..schedule }
}

fn said(output: &Output) -> String {
    let said = text(&output.stderr);
    assert!(!said.contains("canary"), "{said}");
    said
}

#[test]
fn all_robots_pulls_each_robot_of_both_lists_once_and_leaves_out_recycled_ones() {
    let schedule = with_robots(Schedule::default());
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let output = stage.run(&["--all-robots", "--out", "lists"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("qopen: 1 recycled robot left out: r3\n"), "{told}");
    assert!(told.contains("qopen: pulling 3 robots\n"), "{told}");
    for robot in ["r1", "r2", "p1"] {
        assert_eq!(ids(&stage.read(&format!("lists/{robot}.jsonl"))), expected(&schedule, robot));
        assert_eq!(told.matches(&format!("robot {robot}: complete")).count(), 1, "{told}");
    }
    assert!(!stage.exists("lists/r3.jsonl"), "{told}");
}

#[test]
fn robots_whose_states_are_not_offered_are_all_pulled() {
    let schedule = Schedule { states_not_offered: true, ..with_robots(Schedule::default()) };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let output = stage.run(&["--all-robots", "--out", "lists", "--idle-timeout", "2s"]);
    let told = said(&output);
    // The recycled one answers nothing.
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("the states of the robots are unknown"), "{told}");
    assert!(told.contains("qopen: pulling 4 robots\n"), "{told}");
    assert_eq!(ids(&stage.read("lists/p1.jsonl")), expected(&schedule, "p1"));
}

#[test]
fn a_list_of_robots_that_does_not_come_creates_nothing_and_says_why() {
    let refused = Some(Refusal { code: 48002, message: "no permission".to_owned() });
    let recycled = |mut robot: SimulatedRobot| {
        robot.enabled = false;
        robot
    };
    let recycled = robots().into_iter().map(recycled).collect();
    for (schedule, code, parts) in [
        (Schedule::default(), 2, ["lists no robot of this app", "--robots-file"]),
        (Schedule { robots: recycled, ..Schedule::default() }, 2, ["is recycled", "--robot"]),
        (
            Schedule { robots_refused: refused, ..with_robots(Schedule::default()) },
            5,
            ["48002", "no permission"],
        ),
        (
            Schedule { robots_not_offered: true, ..with_robots(Schedule::default()) },
            5,
            ["does not offer the list", "QOPEN_BASE_URL"],
        ),
        (
            Schedule { refuse_credentials: true, ..with_robots(Schedule::default()) },
            5,
            ["40013", "QOPEN_APP_SECRET"],
        ),
    ] {
        let stage = Stage::new(&schedule);
        let output = stage.run(&["--all-robots", "--out", "list.jsonl"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{parts:?} in {told}");
        assert!(told.contains("--all-robots: "), "{told}");
        assert!(!stage.exists("qopen-data") && !stage.exists("list.jsonl"), "{told}");
    }
    let stage = Stage::new(&Schedule::default());
    let mut command = stage.pull(&["--all-robots", "--out", "list.jsonl"]);
    let output = command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be listed") && told.contains("QOPEN_BASE_URL"), "{told}");
    assert!(!stage.exists("qopen-data"), "{told}");
}

#[test]
fn all_robots_is_no_addition_to_named_ones_and_named_ones_are_not_asked_for() {
    let refused = Some(Refusal { code: 48002, message: "no permission".to_owned() });
    let stage =
        Stage::new(&Schedule { robots_refused: refused, ..with_robots(Schedule::default()) });
    std::fs::write(stage.folder.path().join("robots.txt"), "r1\n").unwrap();
    for other in [["--robot", "r1"], ["--robots-file", "robots.txt"], ["--resume", "mark"]] {
        let output = stage.run(&["--all-robots", other[0], other[1], "--out", "list.jsonl"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("--all-robots") && told.contains(other[0]), "{told}");
    }
    let output = stage.run(&["--robot", "r1", "--out", "list.jsonl"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(!told.contains("48002") && !told.contains("permission"), "{told}");
}
