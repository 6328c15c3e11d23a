//! The first list of a file, which is written without the log where no other connection has the file open.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use qopen_sink::{CompareOptions, Quarantine, Sink};
use rusqlite::Connection;

use crate::files::{begun, count, publish};
use crate::look::looked;
use crate::support::File;

/// Enough records to be written without the log.
const MANY: i64 = 12_000;

fn ids(prefix: &str) -> Vec<String> {
    (0..MANY).map(|n| format!("{prefix}{n:06}")).collect()
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn mode(path: &Path) -> String {
    let file = Connection::open(path).unwrap();
    file.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap()
}

fn check(path: &Path) -> String {
    let file = Connection::open(path).unwrap();
    file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

fn files(place: &File) -> usize {
    fs::read_dir(place.0.path()).unwrap().count()
}

#[test]
fn a_long_first_list_is_written_once_and_the_file_has_its_log_again() {
    let place = File::new();
    let ids = ids("");
    let sink = place.sink();
    let mut writer = begun(&sink, "r", "m1", &texts(&ids)).unwrap();
    writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    // A reader that keeps its connection, but no transaction, leaves no time for anything.
    let watch = std::thread::spawn({
        let path = place.path();
        move || {
            let reader = Connection::open(&path).unwrap();
            reader.busy_timeout(Duration::from_secs(60)).unwrap();
            let rows = "SELECT count(*) FROM robot_account";
            loop {
                let count: i64 = reader.query_row(rows, [], |row| row.get(0)).unwrap();
                assert!(count == 0 || count == MANY, "{count}");
                if count == MANY {
                    return;
                }
            }
        }
    });
    writer.commit().unwrap();
    watch.join().unwrap();
    assert_eq!((mode(&place.path()), check(&place.path())), ("wal".into(), "ok".into()));
    assert_eq!(files(&place), 1);
    let fewer: Vec<&str> = ids[1..].iter().map(String::as_str).collect();
    assert_eq!(publish(&sink, "m2", &fewer).unwrap(), (0, 1));
}

/// Whatever mode the file had: a connection that is open keeps it in its log.
#[test]
fn a_reader_of_an_empty_file_delays_no_first_list() {
    let place = File::new();
    place.sink().migrate().unwrap();
    let reader = Connection::open(place.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM pull").unwrap();
    let sink = place.sink().busy_timeout(Duration::ZERO);
    let ids = ids("");
    assert_eq!(publish(&sink, "m1", &texts(&ids)).unwrap(), (0, 0));
    let rows = "SELECT count(*) FROM robot_account";
    let count: i64 = reader.query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
    drop(reader);
    assert_eq!((mode(&place.path()), check(&place.path())), ("wal".into(), "ok".into()));
}

#[test]
fn a_first_list_that_fails_leaves_no_list_and_the_log() {
    let place = File::new();
    let (ids, sink) = (ids(""), place.sink());
    let mut writer = begun(&sink, "r", "m1", &texts(&ids)).unwrap();
    let mut lines = Quarantine::default();
    // A line without a robot fails at the end of the commit.
    lines.push("{}").unwrap();
    writer.set_aside(lines).unwrap();
    writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    writer.commit().unwrap_err();
    assert_eq!(["robot_account", "pull", "list"].map(|it| count(&place.path(), it)), [0; 3]);
    assert_eq!((mode(&place.path()), check(&place.path())), ("wal".into(), "ok".into()));
    assert_eq!(files(&place), 1);
    assert_eq!(publish(&sink, "m2", &texts(&ids)).unwrap(), (0, 0));
}

#[test]
fn first_lists_of_several_processes_are_all_published() {
    for _ in 0..2 {
        let place = File::new();
        let barrier = std::sync::Barrier::new(3);
        let write = |robot: &str| {
            let ids = ids(robot);
            barrier.wait();
            let order = place.sink().next_order().unwrap();
            assert!(order.is_some());
            let mut writer = begun(&place.sink(), robot, "m1", &texts(&ids)).unwrap();
            writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
            writer.commit().unwrap();
        };
        std::thread::scope(|scope| {
            let all = ["a", "b", "c"].map(|robot| scope.spawn(move || write(robot)));
            all.into_iter().for_each(|it| it.join().unwrap());
        });
        assert_eq!(count(&place.path(), "robot_account"), 3 * MANY);
        assert_eq!(["pull", "list"].map(|it| count(&place.path(), it)), [3, 3]);
        assert_eq!((mode(&place.path()), check(&place.path())), ("wal".into(), "ok".into()));
    }
}

#[test]
fn a_row_that_another_program_adds_before_the_commit_is_replaced() {
    let place = File::new();
    let sink = place.sink();
    publish(&sink, "m1", &["a"]).unwrap();
    let mut writer = begun(&sink, "r", "m2", &["a", "b"]).unwrap();
    writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    let file = Connection::open(place.path()).unwrap();
    let stray = "INSERT INTO robot_account (robot_id, account_id, account) VALUES ('r', 'b', '{}')";
    file.execute_batch(stray).unwrap();
    writer.commit().unwrap();
    assert_eq!(count(&place.path(), "robot_account"), 2);
    let stray = "robot_account WHERE account = '{}'";
    assert_eq!(count(&place.path(), stray), 0);
}

/// A process that is killed while it turns the log off leaves a journal whose first bytes are zero.
#[test]
fn a_journal_that_a_killed_process_did_not_begin_is_removed() {
    let place = File::new();
    publish(&place.sink(), "m1", &["a"]).unwrap();
    fs::write(place.0.path().join("lists.db-journal"), vec![0; 8_712]).unwrap();
    publish(&place.sink(), "m2", &["a", "b"]).unwrap();
    assert_eq!((files(&place), count(&place.path(), "robot_account")), (1, 2));
    assert_eq!((mode(&place.path()), check(&place.path())), ("wal".into(), "ok".into()));
}

/// The path of the file for the process that is killed.
const FIRST: &str = "QOPEN_TEST_SQLITE_FIRST";

/// The line before the commit.
const COMMIT: &str = "qopen commit";

/// The process that the next test kills runs this test alone.
#[test]
fn a_process_that_is_killed() {
    let Some(path) = std::env::var_os(FIRST) else { return };
    let sink = qopen_sqlite::SqliteSink::new(path);
    let ids = ids("");
    let mut writer = begun(&sink, "r", "m1", &texts(&ids)).unwrap();
    writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "{COMMIT}").and_then(|()| out.flush()).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_first_list_that_is_killed_leaves_no_list_or_the_whole_one() {
    let mut torn = 0;
    for size in [0, 200_000, 500_000, 1_500_000, 3_000_000] {
        let place = File::new();
        let mut publisher = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "first::a_process_that_is_killed", "--nocapture"])
            .env(FIRST, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(publisher.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(COMMIT)), "the commit was not reached");
        let length = || fs::metadata(place.path()).unwrap().len();
        while length() < size && publisher.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        publisher.kill().unwrap();
        publisher.wait().unwrap();
        torn += usize::from(place.0.path().join("lists.db-journal").exists());
        assert!(looked(&place).unwrap().is_nothing());
        let rows = count(&place.path(), "robot_account");
        assert!(rows == 0 || rows == MANY, "{rows}");
        let [lists, pulls] = ["list", "pull"].map(|it| count(&place.path(), it));
        assert_eq!((lists, pulls), (i64::from(rows > 0), i64::from(rows > 0)));
        assert_eq!(check(&place.path()), "ok");
        // The next list needs no repair.
        publish(&place.sink(), "m2", &["a"]).unwrap();
        assert_eq!((mode(&place.path()), count(&place.path(), "robot_account")), ("wal".into(), 1));
        assert_eq!(files(&place), 1);
    }
    assert!(torn > 0, "no process was killed in the middle");
}
