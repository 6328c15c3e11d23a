//! `qopen robots list`: the robots of the app, their states and their last complete lists.

use std::process::Output;

use qopen_simulator::{Refusal, Schedule, SimulatedRobot};
use serde_json::{Value, json};

use crate::support::{Killed, Stage, steady, text};

fn robots() -> Vec<SimulatedRobot> {
    let host = |id: &str, name: &str| SimulatedRobot::host(id.parse().unwrap(), name);
    let mut all = vec![
        host("r1", "客服小王"),
        host("r2", "odd\u{1b}[31m\nname"),
        SimulatedRobot::platform("p1".parse().unwrap(), "Platform"),
        // The other list has it too.
        SimulatedRobot::platform("r1".parse().unwrap(), "Another name"),
        host("r3", &"a very long name ".repeat(20)),
    ];
    all[1].is_online = false;
    all[2].enabled = false;
    all
}

fn schedule() -> Schedule {
    Schedule { accounts: 30, gone_each: 4, new_each: 1, robots: robots(), ..Schedule::default() }
}

fn list(stage: &Stage, arguments: &[&str]) -> Output {
    stage.verb("robots", &[&["list"], arguments].concat()).output().unwrap()
}

/// The answer, and what was said beside it.
fn said(stage: &Stage, arguments: &[&str]) -> String {
    let output = list(stage, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    steady(&format!("exit {}\n{out}{err}", output.status.code().unwrap()), stage.folder.path())
}

fn objects(stage: &Stage) -> Vec<Value> {
    let output = list(stage, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

#[test]
fn robots_are_listed_without_a_journal_and_make_none() {
    let stage = Stage::new(&schedule());
    insta::assert_snapshot!("robots_table", said(&stage, &[]));
    insta::assert_snapshot!("robots_json", said(&stage, &["--json"]));
    assert!(std::fs::read_dir(stage.folder.path()).unwrap().next().is_none(), "nothing is written");
}

#[test]
fn a_robot_has_its_last_complete_list() {
    let stage = Stage::new(&schedule());
    // The list moves: the second one has 4 customers fewer and 1 more.
    for _ in 0..2 {
        assert_eq!(stage.run(&["--robot", "r1", "--out", "list.jsonl"]).status.code(), Some(0));
    }
    let incomplete = stage.run(&[
        "--robot",
        "r3",
        "--out",
        "other.jsonl",
        "--idle-timeout",
        "1s",
        "--expect-accounts",
        "99",
    ]);
    assert_eq!(incomplete.status.code(), Some(3), "{}", text(&incomplete.stderr));
    // A held list is not the last one.
    let held = stage.run(&["--robot", "r1", "--out", "list.jsonl", "--max-gone", "0"]);
    assert_eq!(held.status.code(), Some(3), "{}", text(&held.stderr));
    let robots = objects(&stage);
    let of =
        |id: &str| robots.iter().find(|it| it["robot_id"] == id).unwrap()["last_complete"].clone();
    assert_eq!((&of("r1")["accounts"], of("r3"), of("p1")), (&json!(27), Value::Null, Value::Null));
    let table = text(&list(&stage, &[]).stdout);
    let row = table.lines().find(|it| it.starts_with("r1")).unwrap();
    let (mark, started) = (of("r1")["mark_id"].clone(), of("r1")["started"].clone());
    assert!(
        row.contains(mark.as_str().unwrap()) && row.contains(started.as_str().unwrap()),
        "{table}"
    );
    assert!(of("r1")["age_s"].as_u64().is_some_and(|it| it < 600), "{table}");
    assert!(row.contains("s\t") || row.contains("min\t"), "{table}");
    assert!(stage.read("list.jsonl").lines().count() == 27);
}

#[test]
fn robots_are_listed_while_a_pull_holds_the_journal() {
    let silent = Schedule { silent: true, ..schedule() };
    let stage = Stage::new(&silent);
    let pull = stage.pull(&["--robot", "r1", "--out", "list", "--idle-timeout", "60s"]).spawn();
    let _pull = Killed(pull.unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let lock = || stage.verb("pulls", &["list"]).output().unwrap();
    // The pull has the journal once another process is refused.
    while !text(&lock().stderr).contains("in use") {
        assert!(std::time::Instant::now() < deadline, "{}", text(&lock().stderr));
    }
    let output = list(&stage, &[]);
    let err = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).lines().count()), (Some(0), 5), "{err}");
    assert!(err.starts_with("qopen: the last complete lists are not shown: "), "{err}");
}

#[test]
fn what_the_platform_does_not_tell_is_said_and_has_its_exit_code() {
    let refusal = Refusal { code: 60020, message: "no right\nto list".into() };
    for (name, schedule) in [
        ("no_robots", Schedule { robots: Vec::new(), ..schedule() }),
        ("damaged", Schedule { robots_damaged: 2, ..schedule() }),
        ("not_offered", Schedule { robots_not_offered: true, ..schedule() }),
        ("states_not_offered", Schedule { states_not_offered: true, ..schedule() }),
        ("refused", Schedule { robots_refused: Some(refusal), ..schedule() }),
        ("credentials", Schedule { refuse_credentials: true, ..schedule() }),
    ] {
        let stage = Stage::new(&schedule);
        insta::assert_snapshot!(format!("robots_{name}"), said(&stage, &[]));
    }
}

#[test]
fn a_wrong_setting_is_found_before_a_request() {
    let stage = Stage::new(&schedule());
    let run = |name: &str, value: &str| {
        let output = stage.verb("robots", &["list"]).env(name, value).output().unwrap();
        let err = text(&output.stderr);
        assert!(text(&output.stdout).is_empty() && !err.contains("canary"), "{err}");
        (output.status.code(), err)
    };
    let (code, err) = run("QOPEN_BASE_URL", "gateway.example");
    assert!(code == Some(2) && err.contains("QOPEN_BASE_URL"), "{err}");
    let (code, err) = run("QOPEN_JOURNAL", "mysql://u@h/d");
    assert!(code == Some(2) && err.contains("QOPEN_JOURNAL"), "{err}");
    // A port of this machine where nothing listens.
    let (code, err) =
        run("QOPEN_BASE_URL", &format!("http://127.0.0.1:{}", crate::support::free_port()));
    assert!(code == Some(1) && err.contains("check QOPEN_BASE_URL"), "{err}");
}
