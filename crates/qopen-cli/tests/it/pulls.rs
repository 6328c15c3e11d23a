//! `qopen pull` against `qopen simulate`: the list, or the exit code that says why not.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use qopen_simulator::{Dataset, ErrorFault, Refusal, Schedule};
use serde_json::{Value, json};

use crate::served::expected;
use crate::support::{Stage, ids, steady, text};

/// The list that must come out, whole, as JSON values.
fn expected_records(schedule: &Schedule, robot: &str) -> Vec<Value> {
    let list = Dataset::new(schedule, &robot.parse().unwrap(), false).expected();
    let record = |account| {
        let text = serde_json::to_string(&account).unwrap();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        record["robot_id"] = robot.into();
        record
    };
    list.into_values().map(record).collect()
}

fn records(list: &str) -> Vec<Value> {
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn summaries(lines: &[u8]) -> Vec<Value> {
    let objects = text(lines);
    let objects = objects.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.filter(|it| it["type"] == "summary").collect()
}

fn comes_out_right(schedule: &Schedule) {
    let stage = Stage::new(schedule);
    let output = stage.run(&["--robot", "r1", "--out", "list", "--json"]);
    let replay = serde_json::to_string(schedule).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}\nreplay: {replay}", text(&output.stderr));
    assert_eq!(records(&stage.read("list")), expected_records(schedule, "r1"), "replay: {replay}");
    let summary = &summaries(&output.stdout)[0];
    assert_eq!(summary["status"], "complete");
    assert_eq!(summary["conflicts"], schedule.conflicts.min(schedule.accounts));
}

#[test]
fn whatever_can_be_survived_gives_exactly_the_list() {
    (100..106).for_each(|seed| comes_out_right(&Schedule::survivable(seed)));
}

#[test]
fn each_survivable_fault_alone_gives_exactly_the_list() {
    let plain = Schedule { accounts: 60, page_size: 10, ..Schedule::default() };
    let mut schedules = Schedule::each_survivable(&plain);
    schedules.push(Schedule { late_page: Some((1, 600)), ..plain });
    std::thread::scope(|scope| {
        for part in schedules.chunks(5) {
            scope.spawn(move || part.iter().for_each(comes_out_right));
        }
    });
}

#[test]
fn i6_a_page_that_comes_while_other_robots_are_pulled_makes_a_new_revision() {
    let schedule = Schedule { late_page: Some((0, 2_500)), ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("each")).unwrap();
    // One after the other: the first one's late page comes while the second is pulled, and the
    // second's while the first one's revision settles.
    let robots = ["--robot", "r1", "--robot", "r2", "--concurrency", "1"];
    let output = stage.run(&[&robots[..], &["--out", "each", "--json", "--settle", "2s"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = summaries(&output.stdout);
    assert_eq!(said[2]["revised"], json!({ "added": 100, "changed": 0 }));
    let said: Vec<_> =
        said.iter().map(|it| (it["robot_id"].clone(), it["revision"].clone())).collect();
    assert_eq!(
        said,
        [
            ("r1".into(), 1.into()),
            ("r2".into(), 1.into()),
            ("r1".into(), 2.into()),
            ("r2".into(), 2.into())
        ]
    );
    assert_eq!(records(&stage.read("each/r1.jsonl")), expected_records(&schedule, "r1"));
    assert_eq!(records(&stage.read("each/r2.jsonl")), expected_records(&schedule, "r2"));
}

#[test]
fn each_way_to_fail_has_its_exit_code_and_leaves_the_last_list_alone() {
    let error = |with_data| {
        let error =
            ErrorFault { code: 70001, message: "robot offline".into(), with_data, after_pages: 2 };
        Schedule { error: Some(error), parallel: 1, ..Schedule::default() }
    };
    let refusal = Some(Refusal { code: 60011, message: "no such robot".into() });
    for (name, schedule, code, partial) in [
        ("lost_last_page", Schedule { lost_last_page: true, ..Schedule::default() }, 3, true),
        ("silent", Schedule { silent: true, ..Schedule::default() }, 4, false),
        (
            "silent_and_forged",
            Schedule { lost_pages: (0..5).collect(), forged: 2, ..Schedule::default() },
            4,
            false,
        ),
        ("refused", Schedule { refusal, ..Schedule::default() }, 5, false),
        (
            "refused_credentials",
            Schedule { refuse_credentials: true, ..Schedule::default() },
            5,
            false,
        ),
        ("error_with_data", error(true), 6, true),
        ("error_without_data", error(false), 6, true),
        ("unreadable_page", Schedule { broken_page: Some(1), ..Schedule::default() }, 3, true),
    ] {
        let stage = Stage::new(&schedule);
        std::fs::write(stage.folder.path().join("list"), "the last list\n").unwrap();
        let output = stage.run(&["--robot", "r1", "--out", "list"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert_eq!(stage.read("list"), "the last list\n", "{name}");
        assert_eq!(stage.exists("list.partial"), partial, "{name}");
        let is_of_summary = |line: &&str| !line.starts_with("r1: ") && !line.starts_with("qopen: ");
        let summary: Vec<_> = said.lines().filter(is_of_summary).collect();
        insta::assert_snapshot!(
            format!("failed_{name}"),
            steady(&summary.join("\n"), stage.folder.path())
        );
    }
}

#[test]
fn a_lost_page_is_noticed_where_a_number_was_expected() {
    let stage = Stage::new(&Schedule { lost_pages: vec![2], ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "list", "--expect-accounts", "500"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(!stage.exists("list") && ids(&stage.read("list.partial")).len() == 400);
}

#[test]
fn the_json_report_keeps_its_contract() {
    let schedule = Schedule {
        accounts: 30,
        broken_accounts: 2,
        conflicts: 1,
        forged: 1,
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let output = stage.run(&["--robot", "r1", "--out", "list", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let objects: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects[..objects.len() - 1].iter().all(|it| it["type"] == "progress"));
    let mut summary = objects.last().unwrap().clone();
    assert!(summary["elapsed_ms"].as_u64().unwrap() >= 1000);
    (summary["elapsed_ms"], summary["mark_id"]) = (0.into(), "MARK".into());
    let folder = std::fs::canonicalize(stage.folder.path()).unwrap();
    assert_eq!(summary["output"], folder.join("list").to_str().unwrap());
    summary["output"] = "FOLDER/list".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&summary).unwrap());
    assert_eq!(stage.read("list").matches("\"_unread\":{\"profile.name\":[\"?\"]}").count(), 2);
}

#[test]
fn the_list_itself_may_go_to_standard_output() {
    let schedule = Schedule::default();
    let stage = Stage::new(&schedule);
    let output = stage.run(&["--robot", "r1", "--out", "-", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ids(&text(&output.stdout)), expected(&schedule, "r1"));
    assert_eq!(summaries(&output.stderr)[0]["output"], "-");

    let stage = Stage::new(&Schedule { lost_last_page: true, ..schedule });
    let output = stage.run(&["--robot", "r1", "--out", "-", "--json"]);
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(3), 0),
        "half a list is not shown"
    );
    let partial = summaries(&output.stderr)[0]["output"].as_str().unwrap().to_owned();
    assert_eq!(ids(&stage.read(&partial)).len(), 400);
}

#[test]
fn several_robots_go_into_one_file_or_a_file_each() {
    let schedule = Schedule { accounts: 40, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::write(stage.folder.path().join("robots"), "# ours\nr2\n\nr1 # again\n").unwrap();
    let several = ["--robot", "r1", "--robots-file", "robots", "--need-tags"];
    let output = stage.run(&[&several[..], &["--out", "all"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        ids(&stage.read("all")),
        [expected(&schedule, "r1"), expected(&schedule, "r2")].concat()
    );
    assert!(stage.read("all").contains("标签"), "tags were asked for");

    std::fs::create_dir(stage.folder.path().join("each")).unwrap();
    let output = stage.run(&[&several[..], &["--out", "each", "--format", "csv"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for robot in ["r1", "r2"] {
        assert_eq!(stage.read(&format!("each/{robot}.csv")).lines().count(), 41);
    }
}

#[test]
fn an_output_that_fails_at_the_end_has_its_exit_code() {
    let stage = Stage::new(&Schedule { max_delay_ms: 1500, ..Schedule::default() });
    let folder = stage.folder.path().join("gone");
    std::fs::create_dir(&folder).unwrap();
    let mut child = stage.pull(&["--robot", "r1", "--out", "gone/list", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The request is in flight, so the folder was looked at and found good.
    lines.next().unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let summary: Value = serde_json::from_str(&lines.map(Result::unwrap).last().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert!(summary["error"].as_str().unwrap().contains("does not exist"), "{summary}");
}

/// Ctrl-C and SIGTERM leave a pull as `kill -9` does: the same command goes on with it, and requests
/// the list anew, because pages may have come meanwhile.
#[cfg(unix)]
#[test]
fn an_interrupted_pull_is_gone_on_with_by_the_same_command() {
    for signal in ["-INT", "-TERM"] {
        let schedule = Schedule {
            accounts: 60,
            page_size: 10,
            late_page: Some((5, 3_000)),
            max_attempts: 1000,
            ..Schedule::default()
        };
        let stage = Stage::new(&schedule);
        let arguments = ["--robot", "r1", "--out", "list", "--json"];
        let mut child = stage.pull(&arguments);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let some_came = |line: &String| serde_json::from_str::<Value>(line).unwrap()["pages"] == 5;
        assert!(lines.by_ref().map(Result::unwrap).any(|line| some_came(&line)));
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let summary: Value =
            serde_json::from_str(&lines.map(Result::unwrap).last().unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!((&summary["status"], &summary["output"]), (&"incomplete".into(), &Value::Null));
        assert!(summary["error"].as_str().unwrap().contains("run the same command"), "{summary}");
        assert!(!stage.exists("list") && !stage.exists("list.partial"));
        let output = stage.run(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("resuming the interrupted pull"));
        assert_eq!(ids(&stage.read("list")).len(), 60);
        let listed = stage.verb("pulls", &["list"]).output().unwrap();
        assert_eq!(text(&listed.stdout).matches("\tcomplete\t").count(), 2, "{listed:?}");
    }
}
