//! `qopen assemble` and `qopen explain`: captured callbacks, no network.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use qopen::callback::{CallbackKeys, Keyring};
use qopen_simulator::{Dataset, Schedule};

use crate::callbacks::{self, TOKEN};
use crate::support::{SETTINGS, Stage, ids, qopen, steady, text, with_settings};

fn ring() -> Keyring {
    callbacks::ring(TOKEN)
}

fn sealed(payload: &str, nonce: usize) -> String {
    serde_json::to_string(&ring().seal(payload, &format!("n{nonce}"), 1_763_850_000)).unwrap()
}

fn with_input(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = with_settings(qopen(folder, arguments));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A capture of a pull, with every callback twice and in another order.
fn capture(schedule: &Schedule, robot: &str, mark: &str, envelope: bool) -> String {
    let pages =
        Dataset::new(schedule, &robot.parse().unwrap(), false).pages(&mark.parse().unwrap());
    let mut lines = Vec::new();
    for (number, page) in pages.iter().chain(&pages).enumerate() {
        let payload = page.payload.replace("\n  ", " ");
        lines.push(if envelope { sealed(&payload, number) } else { payload });
    }
    lines.sort();
    lines.join("\n") + "\n"
}

#[test]
fn a_capture_gives_the_same_file_as_the_pull() {
    let schedule =
        Schedule { conflicts: 9, drift: true, nulls: true, shuffle: true, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    assert_eq!(stage.run(&["--robot", "r1", "--out", "pulled"]).status.code(), Some(0));
    for envelope in [false, true] {
        std::fs::write(
            stage.folder.path().join("capture"),
            capture(&schedule, "r1", "m", envelope),
        )
        .unwrap();
        let arguments = ["assemble", "capture", "--out", "assembled", "--json"];
        let output = with_input(stage.folder.path(), &arguments, "");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(stage.read("assembled"), stage.read("pulled"));
    }
}

#[test]
fn what_a_capture_lacks_or_holds_too_much_of_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let schedule = Schedule { accounts: 30, page_size: 10, ..Schedule::default() };
    let say = |arguments: &[&str], input: &str| {
        let output = with_input(folder.path(), arguments, input);
        let (code, out, err) =
            (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr));
        steady(&format!("exit {code}\n{out}{err}"), folder.path())
    };
    let whole = capture(&schedule, "r1", "m", false);
    let without_last: String = whole
        .lines()
        .filter(|it| it.contains("\"has_more\":true"))
        .map(|it| format!("{it}\n"))
        .collect();
    insta::assert_snapshot!(
        "assemble_incomplete",
        say(&["assemble", "--out", "list"], &without_last)
    );
    assert!(folder.path().join("list.partial").exists() && !folder.path().join("list").exists());
    insta::assert_snapshot!("assemble_empty", say(&["assemble", "--out", "list"], "\n\n"));

    let two_marks = whole.clone() + &capture(&schedule, "r1", "n", false);
    insta::assert_snapshot!("assemble_two_marks", say(&["assemble", "--out", "list"], &two_marks));
    assert!(say(&["assemble", "--out", "list", "--mark", "n"], &two_marks).starts_with("exit 0"));

    let rubbish = "not json\n{\"app_key\":\"app\"}\n{\"event_type\":20001}\n".to_owned() + &whole;
    insta::assert_snapshot!("assemble_rubbish", say(&["assemble", "--out", "list"], &rubbish));
    insta::assert_snapshot!("assemble_no_file", say(&["assemble", "nothing", "--out", "list"], ""));

    let piped = with_input(folder.path(), &["assemble", "-", "--out", "-"], &whole);
    assert_eq!(ids(&text(&piped.stdout)).len(), 30);
}

#[test]
fn explain_says_step_by_step_what_holds_and_what_fails() {
    let folder = tempfile::tempdir().unwrap();
    let page = r#"{"event_type":42016,"err_code":0,"robot_id":"r","data":{"has_more":true,"mark_id":"m","account_list":[{"account_id":"a","profile":{"name":"canary-name"}},{"account_id":"b","profile":{"phone":{"canary":1}}}]}}"#;
    let other_keys =
        CallbackKeys::new(SETTINGS[2].1, &"another-aes-key-of-32-bytes-0000".into()).unwrap();
    let other_aes =
        serde_json::to_string(&Keyring::new("app", other_keys).seal(page, "n", 1)).unwrap();
    for (name, body) in [
        (
            "good",
            sealed(
                r#"{"event_type":42016,"err_code":0,"robot_id":"r","data":{"has_more":false,"mark_id":"m","account_list":null}}"#,
                1,
            ),
        ),
        ("unreadable_customer", sealed(page, 1)),
        ("opened", page.to_owned()),
        ("empty", String::new()),
        ("not_json", "canary".to_owned()),
        ("no_fields", "{}".to_owned()),
        ("other_app", sealed(page, 1).replace("\"app\"", "\"other\"")),
        ("wrong_signature", sealed(page, 1).replace("\"n1\"", "\"n2\"")),
        ("other_aes_key", other_aes),
        (
            "wrong_shape",
            sealed(
                r#"{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","account_list":7}}"#,
                1,
            ),
        ),
        ("not_a_page", sealed(r#"{"event_type":42016,"robot_id":"r","data":{"mark_id":"#, 1)),
        (
            "error_report",
            sealed(
                r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"r","data":null}"#,
                1,
            ),
        ),
        ("other_event", sealed(r#"{"event_type":20001,"canary":1}"#, 1)),
    ] {
        let output = with_input(folder.path(), &["explain"], &body);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains("canary"), "{name}: {said}");
        let said = format!("exit {}\n{said}", output.status.code().unwrap());
        // The age of a fixed timestamp grows.
        insta::assert_snapshot!(format!("explain_{name}"), steady(&said, folder.path()));
    }
    let without_keys = qopen(folder.path(), &["explain"]).output().unwrap();
    assert_eq!(without_keys.status.code(), Some(1), "an empty body is wrong whatever the keys");
}
