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
        let new = std::fs::canonicalize(folder.path().join(new)).unwrap();
        let shown = new.display();
        assert_eq!(said, format!("qopen: wrote 8 customers of 2 robots to {shown}\n"));
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
        let output = run(&input);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(customers));
    }
}

#[test]
fn a_damaged_list_is_named_by_line_and_reason_and_nothing_is_written() {
    let good = list();
    let lines: Vec<&str> = good.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n") + "\n"
    };
    let third = lines[2];
    let cut = &third[..third.find("\"phone\"").unwrap()];
    let no_record = "line 3 is not a customer's record";
    let no_json = "line 3 is not JSON from column";
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (good[..good.len() - 1].into(), "it ends in the middle of line 8"),
        (with(2, cut).into(), no_json),
        (with(2, "").into(), no_record),
        (with(2, &third.replace("\"profile\":{", "\"profile\":{,")).into(), no_json),
        (with(2, &third.replace("\"gender\":-7", "\"gender\":\"x\"")).into(), no_record),
        (with(2, &third.replace("\"profile\":{", "\"profile\":5,\"x\":{")).into(), no_record),
        (with(2, &format!("{third} x")).into(), no_json),
        (with(2, lines[1]).into(), "line 3 repeats an account"),
        (with(2, lines[0]).into(), "line 3 is out of order"),
        (with(2, lines[6]).into(), "line 4 begins a second part of one robot's list"),
        (
            format!("\u{feff}{good}").into(),
            "its first line is neither JSON nor the header of a list in CSV",
        ),
        (b"robot_id,account_id\nr1,a1\n".to_vec(), "its header differs"),
        (b"name,phone\nA,1\n".to_vec(), "its first line is neither JSON"),
        (b"{\"robot_id\":\"r1\",\"since\":null}\n".to_vec(), "line 1 is not a customer's record"),
        (
            b"{\"robot_id\":\"r1\",\"account_id\":\"a\",\"robot_id\":\"r2\"}\n".to_vec(),
            "line 1 is not a customer's record",
        ),
        (b"{\"robot_id\":\"r1\",\"account_id\":\"\xff\"}\n".to_vec(), "line 1 is not UTF-8 text"),
    ];
    for (list, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("l.jsonl"), &list).unwrap();
        std::fs::write(path("l.csv"), "before").unwrap();
        let output = convert(folder.path(), &["l.jsonl", "--format", "csv"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{says}: {said}");
        assert!(said.contains(says) && said.contains("l.jsonl cannot be read"), "{says}: {said}");
        assert!(!said.contains("8613800138000") && !said.contains("SUM"), "{said}");
        assert_eq!(std::fs::read_to_string(path("l.csv")).unwrap(), "before");
        let output = convert(folder.path(), &["l.jsonl", "--format", "xlsx", "--out", "-"]);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{says}");
        assert_eq!(names(folder.path()), ["l.csv", "l.jsonl"]);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("l.jsonl"), list()).unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    for (arguments, says) in [
        (&["l.jsonl"][..], "--format: choose the format"),
        (&["l.jsonl", "--out", "-"], "--format: choose the format"),
        (&["l.jsonl", "--out", "new"], "--format: choose the format"),
        (&["l.jsonl", "--out", "lists"], "--format: choose the format"),
        (&["l.jsonl", "--format", "jsonl"], "is the list that is read"),
        (&["l.jsonl", "--out", "./l.jsonl"], "is the list that is read"),
        (&["-", "--format", "csv"], "--out customers.xlsx"),
        (&["lists", "--format", "csv"], "is a folder"),
        (&["nothing.jsonl", "--format", "csv"], "nothing.jsonl"),
        (&["l.jsonl", "--out", "nowhere/x.csv"], "nowhere does not exist"),
        (&["l.jsonl", "--out", "x.xlsx", "--csv-safe"], "--csv-safe: for CSV only"),
        (&["l.jsonl", "--out", "x.jsonl", "--labels", "zh"], "--labels: for CSV and XLSX only"),
        (&["l.jsonl", "--out", "postgres://h.example/d"], "writes a file"),
        (&["l.jsonl", "--out", "x.ods"], "--out x.xlsx"),
    ] {
        let output = convert(folder.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    assert_eq!(names(folder.path()), ["l.jsonl", "lists"]);
}

#[test]
fn a_list_in_csv_is_read_back_with_its_marks_stripped() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("l.jsonl"), list()).unwrap();
    let run = |arguments: &[&str]| {
        let output = convert(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    };
    run(&["l.jsonl", "--out", "all.jsonl"]);
    // NUL is the one character that CSV has not.
    let all = std::fs::read_to_string(path("all.jsonl")).unwrap().replace("\\u0000", "\u{fffd}");
    for options in [&[][..], &["--bom"], &["--csv-safe"], &["--bom", "--csv-safe"]] {
        run(&[&["l.jsonl", "--out", "c.csv"], options].concat());
        run(&["c.csv", "--format", "jsonl"]);
        let back = std::fs::read_to_string(path("c.jsonl")).unwrap();
        for (back, line) in back.lines().zip(all.lines()) {
            let [back, line] = [back, line].map(|it| serde_json::from_str::<Value>(it).unwrap());
            assert_eq!(back, line, "{options:?}");
        }
        assert_eq!(back, all, "{options:?}");
        run(&["c.csv", "--format", "xlsx"]);
        assert_eq!(sheet(&path("c.xlsx")).matches("<row ").count(), 9);
    }
}

#[test]
fn a_damaged_list_in_csv_is_named_by_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("l.jsonl"), list()).unwrap();
    for (name, options) in [("plain.csv", &[][..]), ("zh.csv", &["--labels", "zh"])] {
        let output = convert(folder.path(), &[&["l.jsonl", "--out", name], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let good = std::fs::read_to_string(path("plain.csv")).unwrap();
    // The last three lines are short rows.
    let lines: Vec<&str> = good.lines().collect();
    let (before, last) = (lines[..lines.len() - 1].join("\n"), lines[lines.len() - 1]);
    let number = lines.len();
    for (list, says) in [
        (std::fs::read_to_string(path("zh.csv")).unwrap(), "--labels".to_owned()),
        (good[..good.len() - 1].to_owned(), format!("it ends in the middle of line {number}")),
        (good.replace('\n', "\r\n"), "another program saved it".to_owned()),
        (good.replace(',', ";"), "its header differs".to_owned()),
        (format!("{before}\n{}\n", last.replace("a2", "a1")), format!("line {number} repeats")),
        (format!("{before}\n{}\n", last.replace("a2", "a0")), format!("line {number} is out of")),
        (
            format!("{before}\n{}\n", last.replace("false", "no")),
            format!("line {number} is not a customer's record"),
        ),
        (format!("{good}x,y\n"), format!("line {} is not a customer's", number + 1)),
    ] {
        std::fs::write(path("d.csv"), list).unwrap();
        let output = convert(folder.path(), &["d.csv", "--out", "new.jsonl"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{says}: {said}");
        assert!(said.contains(&says) && said.contains("d.csv"), "{says}: {said}");
        assert!(!path("new.jsonl").exists(), "{says}");
    }
}

#[test]
fn a_file_that_is_no_text_is_refused_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["l.xlsx", "l.db"] {
        assert_eq!(assemble(folder.path(), &["--out", name], &accounts()).status.code(), Some(0));
    }
    std::fs::write(path("l.parquet"), b"PAR1\x15\x04\x15 and more that is no text").unwrap();
    std::fs::copy(path("l.xlsx"), path("l.jsonl")).unwrap();
    for (name, says, does) in [
        ("l.xlsx", "a workbook", "qopen pulls export MARK"),
        ("l.jsonl", "a workbook", "qopen pulls export MARK"),
        ("l.parquet", "a list in Parquet", "qopen pulls export MARK"),
        ("l.db", "an SQLite database", "SELECT account FROM robot_account"),
    ] {
        let output = convert(folder.path(), &[name, "--out", "new.csv"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(says) && said.contains(does), "{name}: {said}");
    }
    assert!(!path("new.csv").exists());
    // The advice for SQLite holds.
    let database = rusqlite::Connection::open(path("l.db")).unwrap();
    let query = "SELECT account FROM robot_account WHERE robot_id = ? ORDER BY account_id";
    let mut query = database.prepare(query).unwrap();
    let lines = query.query_map(["123456789012345678"], |row| row.get::<_, String>(0)).unwrap();
    let lines: String = lines.map(|it| it.unwrap() + "\n").collect();
    std::fs::write(path("from.jsonl"), lines).unwrap();
    assert_eq!(
        assemble(folder.path(), &["--out", "list.jsonl"], &accounts()).status.code(),
        Some(0)
    );
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("from.jsonl"), read("list.jsonl"));
}

#[cfg(unix)]
#[test]
fn a_pipe_with_a_name_is_refused_with_the_command_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = qopen(folder.path(), &["convert", "/dev/stdin", "--out", "new.csv"]);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/dev/stdin is a pipe") && said.contains("qopen convert - "), "{said}");
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
