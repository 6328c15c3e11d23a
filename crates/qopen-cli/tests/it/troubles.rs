//! Settings that keep pages away: said while it happens, and at the end with the one setting to check.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use qopen_simulator::{ErrorFault, Refusal, Schedule};
use serde_json::Value;

use crate::served::Served;
use crate::support::{Stage, qopen, text, with_settings};

/// A variable with another value than the platform's, and what the finding names.
const WRONG: [(&str, &str, &str); 4] = [
    (
        "QOPEN_CALLBACK_TOKEN",
        "another-token",
        "wrong signature; is QOPEN_CALLBACK_TOKEN the console's?",
    ),
    (
        "QOPEN_ENCODING_AES_KEY",
        "another-key-of-32-bytes-00000000",
        "do not decrypt; is QOPEN_ENCODING_AES_KEY the console's?",
    ),
    (
        "QOPEN_CALLBACK_PATH",
        "/qopen",
        "the last went to /callback, callbacks are taken at /qopen (QOPEN_CALLBACK_PATH)",
    ),
    (
        "QOPEN_REFUSE_STALE",
        "2s",
        "is this machine's clock right? QOPEN_REFUSE_STALE sets the tolerance",
    ),
];

fn schedule(name: &str) -> Schedule {
    let stale_timestamps = name == "QOPEN_REFUSE_STALE";
    Schedule { stale_timestamps, ..Schedule::default() }
}

#[test]
fn troubles_are_said_while_they_happen_and_at_the_end() {
    for (name, value, says) in WRONG {
        let stage = Stage::new(&schedule(name));
        let mut command = stage.pull(&["--robot", "r1", "--out", "list", "--idle-timeout", "3s"]);
        let mut child = command.env(name, value).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.find(|line| line.starts_with("qopen: ") && line.contains(name));
        let first = first.unwrap_or_else(|| panic!("{name}: nothing was said"));
        assert!(child.try_wait().unwrap().is_none(), "{name}: {first}");
        let rest: Vec<_> = lines.collect();
        assert!([4, 3].contains(&child.wait().unwrap().code().unwrap()), "{name}: {rest:?}");
        // Once while it happens, and in the reason at the end.
        let end = rest.iter().find(|line| line.contains("no page of this pull came, but"));
        let end = end.unwrap_or_else(|| panic!("{name}: {rest:?}"));
        assert!(end.contains(says), "{name}: {end}");
        assert!(!rest.iter().any(|line| line.starts_with("qopen: ")), "{name}: {rest:?}");
        assert_eq!(rest.iter().filter(|line| line.contains(name)).count(), 1, "{name}: {rest:?}");
    }
}

#[tokio::test]
async fn a_service_says_the_first_trouble_of_each_kind() {
    let (name, value, says) = WRONG[0];
    let stage = Stage::new(&schedule(name));
    let mut command = Served::command(&stage, &[]);
    command.env(name, value);
    let served = Served::spawn(command);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["status"] == "failed").await;
    // Once while it happens, and in the reason at the end, which waits for the robot's state.
    served.until_it_says(2, says).await;
    let log = served.log();
    assert_eq!(log.matches(says).count(), 2, "{log}");
    assert!(!log.contains("another-token"));
}

#[tokio::test]
async fn every_line_of_a_service_has_its_time_and_a_list_its_robot_and_mark() {
    let stage = Stage::new(&Schedule::default());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.start_pull("r1").await;
    let list = format!("robot r1, mark {mark}: complete; 500 customers on 5 pages in ");
    served.until_it_says(1, &list).await;
    let log = served.log();
    for line in log.lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && rest.starts_with("qopen: "), "{line}");
    }
}

#[test]
fn a_report_in_json_counts_rejections_while_they_happen() {
    let stage =
        Stage::new(&Schedule { forged: 3, late_page: Some((4, 1_500)), ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "list", "--json"]);
    let lines = text(&output.stdout);
    let rejected = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["type"] == "progress").then(|| line["rejected_callbacks"].as_u64().unwrap())
    };
    let rejected: Vec<_> = lines.lines().filter_map(rejected).collect();
    assert_eq!(rejected.last(), Some(&3), "{lines}");
}

/// A live line on a terminal of that many columns.
fn on_a_terminal(stage: &Stage, columns: u32) -> std::io::Result<String> {
    let binary = assert_cmd::cargo::cargo_bin!("qopen");
    let script = format!(
        "stty rows 24 cols {columns}; exec '{}' pull --robot robot-1 --out list --settle 1s --idle-timeout 3s --new",
        binary.display()
    );
    let mut command = Command::new("script");
    let own = with_settings(qopen(stage.folder.path(), &[]));
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["-qec", &script, "/dev/null"]).current_dir(stage.folder.path());
    command.env("QOPEN_LISTEN", &stage.listen).env("QOPEN_BASE_URL", &stage.base_url);
    command.env_remove("COLUMNS").env("TERM", "xterm").stdin(Stdio::null());
    Ok(String::from_utf8_lossy(&command.output()?.stdout).into_owned())
}

#[test]
fn the_live_line_says_what_it_waits_for_at_80_and_at_40_columns() {
    let schedule = Schedule { forged: 2, late_page: Some((4, 1_500)), ..Schedule::default() };
    for (columns, wanted) in
        [(200, "waiting for the last page"), (80, "the last page"), (40, "last page")]
    {
        let stage = Stage::new(&schedule);
        let shown = match on_a_terminal(&stage, columns) {
            Ok(shown) => shown,
            Err(error) => {
                eprintln!("SKIPPED: `script` is not installed: {error}");
                return;
            }
        };
        let plain = console::strip_ansi_codes(&shown).into_owned();
        let lines: Vec<_> =
            plain.split(['\r', '\n']).filter(|it| it.contains("robot-1: 4")).collect();
        assert!(!lines.is_empty(), "{columns}: {shown:?}");
        for line in lines {
            assert!(line.contains(wanted) || line.contains("quiet"), "{columns}: {line:?}");
            assert!(console::measure_text_width(line.trim_end()) < columns as usize, "{line:?}");
        }
        let rejected = plain.contains("2 rejected");
        assert_eq!(rejected, columns >= 80, "{columns}: {plain:?}");
    }
}

#[test]
fn a_database_of_lists_that_is_down_has_exit_code_7_and_is_named() {
    let stage = Stage::new(&Schedule::default());
    let output = stage.run(&["--robot", "r1", "--out", "postgres://127.0.0.1:1/lists"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("127.0.0.1:1") && said.contains("Connection refused"), "{said}");
}

#[test]
fn a_refused_secret_names_the_setting_in_one_sentence() {
    let stage = Stage::new(&Schedule { refuse_credentials: true, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "list"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(
        said.contains("the platform refused the app key or secret (40013, hint log-simulated)"),
        "{said}"
    );
    assert!(said.contains("check QOPEN_APP_SECRET"), "{said}");
    assert!(!said.contains("0 customers on"), "{said}");
}

#[test]
fn texts_of_the_platform_move_no_cursor_and_forge_no_line() {
    let message =
        format!("\u{1b}[31mred\u{9b}\nrobot r1: complete (mark m) \u{202e}{}", "x".repeat(5000));
    let refusal = Some(Refusal { code: 40002, message: message.clone() });
    let reported = ErrorFault { code: 7, message, with_data: true, after_pages: 0 };
    for schedule in [
        Schedule { refusal, ..Schedule::default() },
        Schedule { error: Some(reported), ..Schedule::default() },
    ] {
        let stage = Stage::new(&schedule);
        let mut said = text(&stage.run(&["--robot", "r1", "--out", "list"]).stderr);
        let mark = text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
        let mark: Value = serde_json::from_str(mark.trim()).unwrap();
        let shown =
            stage.verb("pulls", &["show", mark["mark_id"].as_str().unwrap()]).output().unwrap();
        said.push_str(&text(&shown.stdout));
        assert!(said.contains("\\u001b[31mred\\u009b robot r1: complete"), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{said}");
        assert!(
            said.lines().all(|line| !line.starts_with("robot r1: complete") && line.len() < 1000),
            "{said}"
        );
    }
}
