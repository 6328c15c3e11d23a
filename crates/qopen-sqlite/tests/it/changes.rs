//! The changes of lists, for readers.

use std::fs;

use qopen_sink::conformance::check_changes;
use qopen_sink::storage::FoundChanges;
use qopen_sink::{Sink, SinkError};
use qopen_sqlite::{ChangeLines, SqliteError, SqliteSink};
use qopen_types::{MarkId, RobotId};
use rusqlite::Connection;

use crate::files::{publish, why};
use crate::support::File;

fn found(sink: &SqliteSink, since: Option<&str>) -> FoundChanges<Box<ChangeLines>> {
    let robot: RobotId = "r".parse().unwrap();
    let mark: Option<MarkId> = since.map(|it| it.parse().unwrap());
    sink.changes(&robot, mark.as_ref().map(|it| (it, None))).unwrap()
}

fn lines(sink: &SqliteSink, since: Option<&str>) -> Box<ChangeLines> {
    let FoundChanges::Lines(lines) = found(sink, since) else { panic!("{since:?}") };
    lines
}

fn all(lines: &mut ChangeLines) -> Result<Vec<u8>, SinkError> {
    let mut all = Vec::new();
    while let Some(piece) = lines.next()? {
        assert!(piece.ends_with(b"\n") && piece.len() < 1 << 18);
        all.extend(piece);
    }
    Ok(all)
}

#[test]
fn changes_are_read_as_a_file_has_them() {
    let place = File::new();
    let sink = place.sink();
    assert!(matches!(found(&sink, None), FoundChanges::Unknown));
    assert!(!place.path().exists(), "a reader leaves no trace");
    check_changes(&sink, &mut |robot, since| {
        sink.changes(robot, since).unwrap().map(|mut lines| all(&mut lines).unwrap())
    });
}

/// A reader has one snapshot, and a publication waits for no reader.
#[test]
fn a_reader_of_changes_sees_no_later_list_and_delays_none() {
    let place = File::new();
    let sink = place.sink().busy_timeout(std::time::Duration::ZERO);
    let ids: Vec<String> = (0..2_000).map(|n| format!("{n:0>200}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    publish(&sink, "m1", &["a"]).unwrap();
    publish(&sink, "m2", &ids).unwrap();
    let mut reader = lines(&sink, Some("m1"));
    let first = reader.next().unwrap().unwrap();
    publish(&sink, "m3", &["b"]).unwrap();
    let forgotten =
        [qopen_types::PullId { robot_id: "r".parse().unwrap(), mark_id: "m2".parse().unwrap() }];
    assert_eq!(sink.forget(&forgotten).unwrap(), 2);
    let rest = all(&mut reader).unwrap();
    let read = String::from_utf8([first, rest].concat()).unwrap();
    assert_eq!(read.lines().count(), 1 + 2_001);
    assert!(read.starts_with("{\"type\":\"changes\",\"robot_id\":\"r\",\"mark_id\":\"m2\""));
    drop(reader);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1, "the log has gone");
    let mut reader = lines(&sink, None);
    assert_eq!(String::from_utf8(all(&mut reader).unwrap()).unwrap().lines().count(), 2_002);
}

#[test]
fn changes_that_were_altered_are_not_passed_over() {
    for edit in [
        "DELETE FROM change WHERE account_id = 'b'",
        "INSERT INTO change SELECT robot_id, number, 'x', mark_id, revision, since_mark_id, since_revision, change,
             fields, before, account FROM change WHERE account_id = 'b'",
        "UPDATE change SET account = '{' || char(10) || '}' WHERE account_id = 'b'",
        "UPDATE change SET account = 'text' WHERE account_id = 'b'",
        "UPDATE change SET account = x'ff' WHERE account_id = 'b'",
    ] {
        let place = File::new();
        let sink = place.sink();
        publish(&sink, "m1", &["a"]).unwrap();
        publish(&sink, "m2", &["a", "b", "c"]).unwrap();
        Connection::open(place.path()).unwrap().execute_batch(edit).unwrap();
        let error = all(&mut lines(&sink, None)).unwrap_err();
        assert!(matches!(why(&error), SqliteError::ChangesAltered), "{edit}: {error:?}");
    }
}

#[test]
fn a_file_that_is_no_database_has_no_changes() {
    let place = File::new();
    fs::write(place.path(), "text".repeat(999)).unwrap();
    let error = place.sink().changes(&"r".parse().unwrap(), None).unwrap_err();
    assert!(matches!(why(&error), SqliteError::NotADatabase), "{error:?}");
}
