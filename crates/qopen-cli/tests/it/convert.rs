//! `qopen convert`: a list in another format is the same list, and a damaged one is none.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{qopen, text};
use crate::xlsx::{accounts, assemble, run_with, sheet};

fn convert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = qopen(folder, &[&["convert"], arguments].concat());
    command.env("QOPEN_TIME_ZONE", "Asia/Shanghai").output().unwrap()
}

/// The files of a folder.
fn names(folder: &Path) -> Vec<String> {
    let name = |it: std::io::Result<std::fs::DirEntry>| it.unwrap().file_name();
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names.into_iter().map(|it| it.into_string().unwrap()).collect()
}

/// A list of two robots, as a file has it.
fn list() -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = assemble(folder.path(), &["--out", "list.jsonl"], &accounts());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = std::fs::read_to_string(folder.path().join("list.jsonl")).unwrap();
    let other = |id: &str| format!("{{\"robot_id\":\"r\\\"2\",\"account_id\":\"{id}\"}}\n");
    [list, other("a1"), other("a2")].concat()
}

#[test]
fn a_converted_list_is_what_a_pull_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let unread =
        json!({"account_id": "u", "profile": {"name": [1], "add_at": "?"}, "_note": {"a": 0.1}});
    let all = [accounts(), vec![unread]].concat();
    assert_eq!(assemble(folder.path(), &["--out", "list.jsonl"], &all).status.code(), Some(0));
    let forms = [
        &["--format", "csv"][..],
        &["--format", "csv", "--bom", "--csv-safe", "--labels", "zh"],
        &["--format", "xlsx"],
        &["--format", "xlsx", "--labels", "en"],
        &["--format", "jsonl"],
    ];
    for (n, options) in forms.into_iter().enumerate() {
        let (pulled, converted) = (format!("pulled-{n}"), format!("converted-{n}"));
        for out in [&pulled, &converted] {
            let arguments = [&["--out", out.as_str()], options].concat();
            let output = match out == &pulled {
                true => assemble(folder.path(), &arguments, &all),
                false => convert(folder.path(), &[&["list.jsonl"], &arguments[..]].concat()),
            };
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        }
        let read = |name: &str| std::fs::read(path(name)).unwrap();
        assert!(read(&pulled) == read(&converted), "{options:?}");
        let output = convert(folder.path(), &[&["list.jsonl", "--out", "-"], options].concat());
        assert!(output.stdout == read(&converted), "{options:?}");
    }
}

#[test]
fn the_new_list_has_the_name_of_the_list_and_the_ending_of_its_format() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    std::fs::create_dir(folder.path().join("new")).unwrap();
    for (name, options, new) in [
        ("c.jsonl", &["--format", "xlsx"][..], "c.xlsx"),
        ("c.NDJSON", &["--format", "csv"], "c.csv"),
        ("c.v2", &["--format", "csv"], "c.v2.csv"),
        ("c.jsonl.partial", &["--format", "xlsx"], "c.jsonl.partial.xlsx"),
        ("lists/r1.jsonl", &["--format", "xlsx"], "lists/r1.xlsx"),
        ("lists/r1.jsonl", &["--format", "xlsx", "--out", "new"], "new/r1.xlsx"),
        ("c.jsonl", &["--out", "x.csv"], "x.csv"),
    ] {
        std::fs::write(folder.path().join(name), list()).unwrap();
        let output = convert(folder.path(), &[&[name], options].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said, format!("qopen: wrote 8 customers of 2 robots to {new}\n"));
        let new = folder.path().join(new);
        if new.extension().is_some_and(|it| it == "xlsx") {
            assert_eq!(sheet(&new).matches("<row ").count(), 9);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn an_empty_list_is_converted_and_a_stream_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        |input: &str| run_with(qopen(folder.path(), &["convert", "-", "--out", "c.csv"]), input);
    let list = list();
    let windows = list.replace('\n', "\r\n");
    for (input, customers) in [
        (String::new(), "0 customers of 0 robots"),
        (list, "8 customers of 2 robots"),
        (windows, "8 customers of 2 robots"),
    ] {
        let output = convert(folder.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    assert_eq!(names(folder.path()), ["l.jsonl", "lists"]);
}

#[test]
fn a_list_that_does_not_fit_is_an_output_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut account: Value = accounts().remove(0);
    account["profile"]["desc"] = "x".repeat(32_768).into();
    assert_eq!(assemble(folder.path(), &["--out", "l.jsonl"], &[account]).status.code(), Some(0));
    let output = convert(folder.path(), &["l.jsonl", "--format", "xlsx"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("the desc of the customer in row 2 has 32,768 characters"), "{said}");
    assert!(!names(folder.path()).iter().any(|it| it.contains("xlsx")));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let line = |n: u32| format!("{{\"robot_id\":\"r1\",\"account_id\":\"{n:08}\"}}\n");
    std::fs::write(folder.path().join("l.jsonl"), (0..20_000).map(line).collect::<String>())
        .unwrap();
    let mut command =
        qopen(folder.path(), &["convert", "l.jsonl", "--out", "-", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(141), String::new()));
}
