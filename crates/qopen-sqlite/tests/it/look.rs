//! Looks at files that writers use, or were killed with: nothing changes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use qopen_sink::{Sink as _, SinkError};
use qopen_sqlite::{SqliteError, SqliteSink};
use qopen_types::{FormatChange, Upgrade};
use rusqlite::Connection;

use crate::files::{count, publish, why};
use crate::support::File;

/// The format of a file in these tests: one whose last migration only changed the number.
const COMMITTED: u64 = 1_014;

/// The format that a transaction without an end writes.
const UNFINISHED: &str = "PRAGMA user_version = 9000";

/// Each file of a folder with its bytes and the time of its last change.
fn files(folder: &Path) -> BTreeMap<OsString, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap());
    let read = |it: fs::DirEntry| {
        let changed = it.metadata().unwrap().modified().unwrap();
        (it.file_name(), (fs::read(it.path()).unwrap(), changed))
    };
    files.map(read).collect()
}

fn beside(place: &File, suffix: &str) -> PathBuf {
    place.0.path().join(format!("lists.db{suffix}"))
}

/// Copies what a killed process would leave.
fn copy(from: &File, to: &File, suffixes: &[&str]) {
    for suffix in suffixes {
        fs::copy(beside(from, suffix), beside(to, suffix)).unwrap();
    }
}

/// A file with a list.
fn published() -> File {
    let place = File::new();
    publish(&place.sink(), "m1", &["a"]).unwrap();
    place
}

/// What was killed after its list was in the file, and before that was committed.
fn killed_without_log() -> File {
    let (place, killed) = (published(), File::new());
    let writer = Connection::open(place.path()).unwrap();
    // The journal is complete as soon as it is written.
    let begin = format!(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF;
         PRAGMA user_version = {COMMITTED};
         BEGIN IMMEDIATE; DELETE FROM robot_account; {UNFINISHED}"
    );
    writer.execute_batch(&begin).unwrap();
    copy(&place, &killed, &["-journal"]);
    writer.execute_batch("COMMIT").unwrap();
    copy(&place, &killed, &[""]);
    killed
}

/// A writer that has committed into the log, and has not committed more of it.
fn logging(place: &File) -> Connection {
    let writer = Connection::open(place.path()).unwrap();
    let begin = format!(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 2;
         PRAGMA user_version = {COMMITTED};
         BEGIN IMMEDIATE; DELETE FROM robot_account; CREATE TABLE big (it TEXT);
         INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 99)
             SELECT printf('%.9000c', 'x') FROM n;
         {UNFINISHED}"
    );
    let logged = |path: &Path| fs::metadata(path).unwrap().len();
    writer.execute_batch(&begin).unwrap();
    assert!(logged(&beside(place, "-wal")) > 99 * 8_192, "the log has what is not committed");
    writer
}

/// What a look finds. It changes nothing.
pub(crate) fn looked(place: &File) -> Result<Upgrade, SinkError> {
    let scratch = tempfile::tempdir().unwrap();
    let before = files(place.0.path());
    let sink = place.sink().in_folder(Some(scratch.path()));
    sink.check().unwrap();
    let examined = sink.examine();
    assert!(files(place.0.path()) == before, "a look changed the file or its folder");
    assert!(files(scratch.path()).is_empty(), "a look left a copy");
    examined
}

#[track_caller]
fn has_what_is_committed(place: &File) {
    let found = looked(place).unwrap();
    let change = FormatChange::Migrated(Vec::new());
    assert_eq!((found.found, found.change), (Some(COMMITTED), change));
    // The next connection finds the same.
    assert_eq!(count(&place.path(), "robot_account"), 1);
    let file = Connection::open(place.path()).unwrap();
    let format: u32 = file.pragma_query_value(None, "user_version", |it| it.get(0)).unwrap();
    assert_eq!(u64::from(format), COMMITTED);
}

#[test]
fn a_look_does_not_undo_what_a_killed_writer_left_in_the_file() {
    has_what_is_committed(&killed_without_log());
}

#[test]
fn a_look_does_not_complete_or_remove_the_log_of_a_killed_writer() {
    for suffixes in [&["", "-wal", "-shm"][..], &["", "-wal"]] {
        let (place, killed) = (published(), File::new());
        let writer = logging(&place);
        copy(&place, &killed, suffixes);
        has_what_is_committed(&killed);
        drop(writer);
    }
}

#[test]
fn a_look_beside_a_writer_sees_what_is_committed() {
    let place = published();
    let writer = logging(&place);
    let found = place.sink().examine().unwrap();
    assert_eq!(found.found, Some(COMMITTED));
    place.sink().check().unwrap();
    writer.execute_batch("ROLLBACK").unwrap();
    drop(writer);
    has_what_is_committed(&place);
}

#[test]
fn looks_beside_publications_are_right_and_disturb_none() {
    let place = published();
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for list in 0..40 {
                publish(&place.sink(), &format!("m{list}"), &["a", "b"]).unwrap();
            }
        });
        while !publisher.is_finished() {
            place.sink().check().unwrap();
            assert!(place.sink().examine().unwrap().is_nothing());
        }
    });
    assert_eq!(count(&place.path(), "robot_account"), 2);
}

#[test]
fn a_look_waits_for_a_process_that_has_the_file_for_itself() {
    let place = published();
    let writer = Connection::open(place.path()).unwrap();
    writer.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    let sink = place.sink().busy_timeout(Duration::from_millis(150));
    for error in [sink.check().unwrap_err(), sink.examine().unwrap_err()] {
        assert!(matches!(error, SinkError::TimedOut { .. }), "{error:?}");
    }
    std::thread::scope(|scope| {
        let looked = scope.spawn(|| place.sink().examine().unwrap());
        writer.execute_batch(&format!("PRAGMA user_version = {COMMITTED}; COMMIT")).unwrap();
        assert_eq!(looked.join().unwrap().found, Some(COMMITTED));
    });
}

#[test]
fn a_look_leaves_no_log_and_no_journal_beside_a_file_without_them() {
    let place = published();
    let found = looked(&place).unwrap();
    assert!(found.is_nothing() && files(place.0.path()).len() == 1, "{found:?}");
    // What a process leaves that is killed while it turns the log off, and an empty log.
    fs::write(beside(&place, "-journal"), [0; 512]).unwrap();
    fs::write(beside(&place, "-wal"), "").unwrap();
    assert!(looked(&place).unwrap().is_nothing());
    // Remains beside an empty file.
    for suffix in ["-journal", "-wal"] {
        let killed = killed_without_log();
        fs::rename(beside(&killed, "-journal"), beside(&killed, suffix)).unwrap();
        fs::write(killed.path(), "").unwrap();
        assert_eq!(looked(&killed).unwrap().change, FormatChange::Made);
    }
}

#[test]
fn a_look_copies_a_bounded_part_of_a_file() {
    let large = 65 << 20;
    let lengthen = |place: &File, suffix: &str| {
        let file = fs::File::options().append(true).open(beside(place, suffix)).unwrap();
        file.set_len(large).unwrap();
    };
    // The first list of a file is written without the log.
    let killed = killed_without_log();
    lengthen(&killed, "");
    has_what_is_committed(&killed);
    assert!(fs::metadata(killed.path()).unwrap().len() < large);
    let killed = killed_without_log();
    lengthen(&killed, "-journal");
    let error = looked(&killed).unwrap_err();
    assert!(matches!(why(&error), SqliteError::Interrupted), "{error:?}");
    assert_eq!(count(&killed.path(), "robot_account"), 1);
}

#[test]
fn a_path_of_any_characters_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a?b#c%41.db", "名 单.db", "file:x.db", "&immutable=0.db"] {
        let sink = SqliteSink::new(folder.path().join(name));
        publish(&sink, "m1", &["a"]).unwrap();
        assert!(sink.examine().unwrap().is_nothing(), "{name}");
    }
    assert_eq!(files(folder.path()).len(), 4);
}
