//! A limit of the file size (`ulimit -f`), whose signal would end the process without a word.
#![cfg(unix)]

use qopen_simulator::Schedule;

use crate::guards::Scene;
use crate::support::{limited, qopen, text, with_settings};

/// 32 KiB, in blocks of 512 bytes.
const LIMIT: &str = "-f 64";

#[test]
fn a_list_past_the_limit_of_the_file_size_is_an_output_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let accounts: Vec<String> =
        (0..2000).map(|n| format!("{{\"account_id\":\"a{n:04}\"}}")).collect();
    let page = format!(
        "{{\"event_type\":42016,\"err_code\":0,\"robot_id\":\"r\",\"data\":{{\"has_more\":false,\"mark_id\":\"m\",\"account_list\":[{}]}}}}",
        accounts.join(",")
    );
    std::fs::write(path("capture.jsonl"), page).unwrap();
    std::fs::write(path("list.csv"), "the last list\n").unwrap();
    for out in ["list.jsonl", "list.csv"] {
        let assemble = qopen(folder.path(), &["assemble", "capture.jsonl", "--out", out]);
        let output = limited(LIMIT, &with_settings(assemble)).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{:?}: {said}", output.status);
        assert!(said.contains("File too large"), "{said}");
    }
    assert!(!path("list.jsonl").exists());
    assert_eq!(std::fs::read_to_string(path("list.csv")).unwrap(), "the last list\n");
}

#[test]
fn a_journal_past_the_limit_of_the_file_size_is_named() {
    let scene = Scene::new(Schedule { accounts: 20, ..Schedule::default() });
    let pull = scene.command(&["pull", "--robot", "r1", "--out", "list.jsonl"]);
    let output = limited(LIMIT, &pull).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{:?}: {said}", output.status);
    assert!(said.contains("qopen-data") && said.contains("File too large"), "{said}");
    assert!(!scene.exists("list.jsonl"));
}
