//! `qopen diff`: two lists, and what changed between them.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{qopen, text};

fn line(robot: &str, id: &str, name: &str, lost: bool) -> String {
    format!(
        "{{\"robot_id\":\"{robot}\",\"account_id\":\"{id}\",\"deleted_by_contact\":{lost},\"deleted_by_staff\":false,\"profile\":{{\"name\":\"{name}\"}}}}\n"
    )
}

fn diff(folder: &Path, arguments: &[&str]) -> Output {
    qopen(folder, &[&["diff"], arguments].concat()).output().unwrap()
}

fn lists() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let old = [
        ("r1", "a", "A", false),
        ("r1", "b", "B", false),
        ("r1", "c", "C", false),
        ("r0", "x", "X", false),
    ];
    let new = [
        ("r1", "a", "A", true),
        ("r1", "c", "D", false),
        ("r1", "d", "D", false),
        ("r2", "y", "Y", false),
    ];
    for (name, lines) in [("old", old), ("new", new)] {
        let lines = lines.map(|(robot, id, name, lost)| line(robot, id, name, lost));
        fs::write(folder.path().join(name), lines.concat()).unwrap();
    }
    folder
}

#[test]
fn the_summary_counts_each_robots_changes() {
    let folder = lists();
    let done = diff(folder.path(), &["old", "new"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    insta::assert_snapshot!(text(&done.stdout));
    let done = diff(folder.path(), &["old", "old"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stdout).starts_with("robot r1: no changes; 3 customers before, 3 now\n"));
    fs::write(folder.path().join("none"), "").unwrap();
    assert_eq!(text(&diff(folder.path(), &["none", "none"]).stdout), "both lists are empty\n");
}

#[test]
fn the_changes_as_json_lead_from_the_earlier_list_to_the_later_one() {
    let folder = lists();
    let done = diff(folder.path(), &["old", "new", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    insta::assert_snapshot!(text(&done.stdout));
    fs::write(folder.path().join("changes"), &done.stdout).unwrap();
    let changes = qopen::sink::ListChanges::open(folder.path().join("changes")).unwrap();
    let mut later = Vec::new();
    changes.apply(folder.path().join("old"), &mut later).unwrap();
    assert_eq!(text(&later), text(&fs::read(folder.path().join("new")).unwrap()));
}

/// Customers' data is in the lines of `--json` alone.
#[test]
fn what_is_no_list_is_named_with_its_line_and_nothing_of_it_is_shown() {
    let folder = lists();
    let good = line("r", "a", "A", false);
    for (name, list, said) in [
        (
            "csv",
            "robot_id,account_id\nr,secret\n".to_owned(),
            "its header differs from the header of a list in CSV",
        ),
        ("cut", format!("{good}{}", &good[..30]), "line 2"),
        ("twice", format!("{good}{good}"), "line 2 repeats an account"),
        ("order", format!("{}{good}", line("r", "secret", "S", false)), "line 2 is out of order"),
        ("json", format!("{good}{}", good.replace(":false", ":secret")), "line 2"),
    ] {
        fs::write(folder.path().join(name), list).unwrap();
        for arguments in [["old", name], [name, "new"], [name, name]] {
            let done = diff(folder.path(), &arguments);
            let stderr = text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{name}: {stderr}");
            assert!(stderr.contains(said) && stderr.contains(name), "{stderr}");
            assert!(!stderr.contains("secret") && done.stdout.is_empty(), "{stderr}");
        }
    }
    for missing in [["missing", "new"], ["old", "missing"], ["old", "."]] {
        let done = diff(folder.path(), &missing);
        assert_eq!(done.status.code(), Some(2), "{}", text(&done.stderr));
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_a_list_too() {
    let folder = lists();
    let fifo = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let old = fs::read(folder.path().join("old")).unwrap();
    let writer = std::thread::spawn(move || fs::write(fifo, old).unwrap());
    let done = diff(folder.path(), &["pipe", "new"]);
    writer.join().unwrap();
    assert_eq!(done.stdout, diff(folder.path(), &["old", "new"]).stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_reader_that_left_have_their_exit_codes() {
    let folder = lists();
    for json in [&["old", "new"][..], &["old", "new", "--json"]] {
        let mut command = qopen(folder.path(), &[&["diff"], json].concat());
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(command.stdout(full).status().unwrap().code(), Some(7));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = qopen(folder.path(), &[&["diff"], json].concat());
        assert_eq!(command.stdout(writer).status().unwrap().code(), Some(141));
    }
}
