//! What a file is, where it is, and who else uses it.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use qopen_sink::storage::RecordError;
use qopen_sink::{
    CompareOptions, ListInfo, ListKind, ListWriter, Predecessor, Record, Sink, SinkError,
};
use qopen_sqlite::{SqliteError, SqliteSink};
use qopen_types::{Account, MarkId, RobotId};
use rusqlite::Connection;

use crate::support::File;

pub(crate) fn begun(
    sink: &SqliteSink,
    robot: &str,
    mark: &str,
    ids: &[&str],
) -> Result<Box<dyn ListWriter>, SinkError> {
    let (robot, mark): (RobotId, MarkId) = (robot.parse().unwrap(), mark.parse().unwrap());
    let mut writer = sink.begin(ListKind::Complete)?;
    writer.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    for id in ids {
        writer.write(&Record::new(&robot, &Account::new(id.parse().unwrap())))?;
    }
    Ok(writer)
}

/// Publishes a list with its changes; returns how many accounts are added and gone.
pub(crate) fn publish(
    sink: &SqliteSink,
    mark: &str,
    ids: &[&str],
) -> Result<(u64, u64), SinkError> {
    let mut writer = begun(sink, "r", mark, ids)?;
    let compared = writer.compare(CompareOptions::default(), &mut |_, _| Ok(()))?;
    writer.commit()?;
    let counts = compared.unwrap()[0].counts;
    Ok((counts.added, counts.gone))
}

/// The error of a database file.
pub(crate) fn why<E: std::error::Error + 'static>(error: &SinkError) -> &E {
    let SinkError::Database(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap()
}

pub(crate) fn count(path: &Path, table: &str) -> i64 {
    let file = Connection::open(path).unwrap();
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[cfg(unix)]
#[test]
fn the_files_are_private_and_the_log_goes_with_the_last_connection() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = File::new();
    let sink = place.sink();
    sink.check().unwrap();
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0, "a check leaves no trace");
    let writer = begun(&sink, "r", "m1", &["a"]).unwrap();
    for file in fs::read_dir(place.0.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    writer.commit().unwrap();
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
    // A mode that the owner has chosen stays.
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
    publish(&sink, "m2", &["a"]).unwrap();
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o640);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_also_before_its_file_is_there() {
    let place = File::new();
    let link = place.0.path().join("link");
    std::os::unix::fs::symlink("lists.db", &link).unwrap();
    let sink = SqliteSink::new(&link);
    publish(&sink, "m1", &["a"]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(count(&place.path(), "robot_account"), 1);
    assert!(sink.is_at(&place.sink().location()) && place.sink().is_at(&sink.location()));
    assert!(!sink.is_at(&SqliteSink::new(place.0.path().join("other.db")).location()));
}

#[test]
fn what_is_not_qopens_is_refused_and_unchanged() {
    let place = File::new();
    let path = place.path();
    let other = |sql: &str| {
        let _ = fs::remove_file(&path);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    let refused = |expected: fn(&SqliteError) -> bool| {
        let before = fs::read(&path).unwrap();
        let sink = place.sink();
        let robot = "r".parse().unwrap();
        for error in [
            sink.check().expect_err(&format!("{} bytes", before.len())),
            sink.next_order().unwrap_err(),
            sink.holds(&robot).unwrap_err(),
            publish(&sink, "m1", &["a"]).unwrap_err(),
        ] {
            assert!(expected(why(&error)), "{error:?}");
        }
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
    };
    for text in ["{\"robot_id\":\"r\"}\n".repeat(99), "x".to_owned(), "x".repeat(1 << 20)] {
        fs::write(&path, text).unwrap();
        refused(|it| matches!(it, SqliteError::NotADatabase));
    }
    other("CREATE TABLE robot_account (a)");
    refused(|it| matches!(it, SqliteError::OtherProgram { application_id: 0 }));
    other("PRAGMA application_id = 7");
    refused(|it| matches!(it, SqliteError::OtherProgram { application_id: 7 }));
    other("PRAGMA user_version = 7");
    refused(|it| matches!(it, SqliteError::OtherProgram { .. }));
    // A later format.
    fs::remove_file(&path).unwrap();
    publish(&place.sink(), "m1", &["a"]).unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2000").unwrap();
    refused(|it| matches!(it, SqliteError::Newer { found: 2000, .. }));
    // A damaged page.
    fs::remove_file(&path).unwrap();
    let ids: Vec<String> = (0..2_000).map(|n| format!("{n:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    publish(&place.sink(), "m1", &ids).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[16_384..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let error = publish(&place.sink(), "m2", &ids).unwrap_err();
    assert!(matches!(why(&error), SqliteError::Damaged), "{error:?}");
}

#[test]
fn an_empty_file_becomes_a_database_and_a_folder_or_a_pipe_does_not() {
    let place = File::new();
    fs::write(place.path(), "").unwrap();
    place.sink().check().unwrap();
    assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
    publish(&place.sink(), "m1", &["a"]).unwrap();
    assert_eq!(place.sink().migrate().unwrap(), 0);
    let folder = SqliteSink::new(place.0.path());
    assert!(matches!(why(&folder.check().unwrap_err()), SqliteError::NotAFile));
    let missing = SqliteSink::new(place.0.path().join("no/lists.db"));
    assert!(matches!(missing.check(), Err(SinkError::NoFolder { .. })));
    // The name of a database in memory is a file's.
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        SqliteSink::new(":memory:").location(),
        format!("sqlite:{}", here.canonicalize().unwrap().join(":memory:").display())
    );
}

#[test]
fn a_writer_waits_for_another_one_as_long_as_it_may() {
    let place = File::new();
    publish(&place.sink(), "m1", &["a"]).unwrap();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sink = place.sink().busy_timeout(Duration::from_millis(1_200));
    let error = publish(&sink, "m2", &["b"]).unwrap_err();
    let said = "waiting for another process that writes the database (busy_timeout) took longer than 1 seconds";
    assert_eq!(error.to_string(), said);
    assert_eq!(count(&place.path(), "list"), 1);
    // A check asks nothing of the other one.
    sink.check().unwrap();
    let waiting = std::thread::spawn({
        let sink = place.sink();
        move || publish(&sink, "m2", &["b"])
    });
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), (1, 1));
}

/// The lock of writers is not held between comparison and commit, in which the platform may be asked about customers.
#[test]
fn a_list_that_is_replaced_after_the_comparison_is_not_replaced_again() {
    let place = File::new();
    let sink = place.sink();
    publish(&sink, "m1", &["a"]).unwrap();
    let mut slow = begun(&sink, "r", "m2", &["b"]).unwrap();
    slow.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    // Neither another robot's list nor a number that is taken disturbs it.
    begun(&sink, "other", "m9", &["z"]).unwrap().commit().unwrap();
    sink.next_order().unwrap();
    slow.commit().unwrap();
    let mut slow = begun(&sink, "r", "m3", &["c"]).unwrap();
    slow.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    publish(&sink, "m4", &["d"]).unwrap();
    let error = slow.commit().unwrap_err();
    assert!(matches!(error, SinkError::Replaced { .. }), "{error:?}");
    // So does a first list that came meanwhile, and a row that was deleted.
    let mut slow = begun(&sink, "new", "m5", &["c"]).unwrap();
    slow.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    begun(&sink, "new", "m6", &["d"]).unwrap().commit().unwrap();
    assert!(matches!(slow.commit(), Err(SinkError::Replaced { .. })));
    let mut slow = begun(&sink, "r", "m7", &["e"]).unwrap();
    slow.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    let edit = "DELETE FROM robot_account WHERE account_id = 'd' AND robot_id = 'r'";
    Connection::open(place.path()).unwrap().execute_batch(edit).unwrap();
    assert!(matches!(why(&slow.commit().unwrap_err()), SqliteError::RowMissing));
    assert_eq!(count(&place.path(), "robot_account"), 2);
}

#[test]
fn records_may_come_in_any_order_and_once_each() {
    let place = File::new();
    let sink = place.sink();
    publish(&sink, "m1", &["a", "b", "d"]).unwrap();
    assert_eq!(publish(&sink, "m2", &["d", "c", "b", "c"]).unwrap(), (1, 1));
    let (robot, mark): (RobotId, MarkId) = ("r".parse().unwrap(), "m3".parse().unwrap());
    let mut writer = sink.begin(ListKind::Complete).unwrap();
    let mut account = Account::new("x".parse().unwrap());
    let record = Record::new(&robot, &account);
    assert!(matches!(why(&writer.write(&record).unwrap_err()), RecordError::OutOfPlace { .. }));
    writer.begin_list(&ListInfo::new(&robot, &mark, 1)).unwrap();
    writer.write(&record).unwrap();
    account.profile.name = "another".to_owned();
    writer.write(&Record::new(&robot, &account)).unwrap();
    assert!(matches!(why(&writer.settle().unwrap_err()), RecordError::Repeated));
    assert_eq!(count(&place.path(), "robot_account"), 3);
}

/// A reader that stays in a transaction keeps its list, and the log, but delays nothing.
#[test]
fn a_reader_that_never_ends_delays_no_publication() {
    let place = File::new();
    publish(&place.sink(), "m1", &["a"]).unwrap();
    let reader = Connection::open(place.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM pull").unwrap();
    let (done, is_done) = mpsc::channel();
    let sink = place.sink().busy_timeout(Duration::ZERO);
    std::thread::spawn(move || {
        let results = (2..9).map(|n| publish(&sink, &format!("m{n}"), &[&format!("{n}")]));
        done.send(results.map(|it| it.is_ok()).collect::<Vec<_>>())
    });
    assert_eq!(is_done.recv().unwrap(), [true; 7]);
    let id: String =
        reader.query_row("SELECT account_id FROM robot_account", [], |row| row.get(0)).unwrap();
    assert_eq!(id, "a");
    drop(reader);
    assert_eq!(count(&place.path(), "change"), 14);
}

#[test]
fn a_list_without_a_comparison_is_compared_with_by_the_next_one() {
    let place = File::new();
    let sink = place.sink();
    publish(&sink, "m1", &["a"]).unwrap();
    begun(&sink, "r", "m2", &["a", "b"]).unwrap().commit().unwrap();
    let mut writer = begun(&sink, "r", "m3", &["b"]).unwrap();
    let compared = writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
    let compared = &compared.unwrap()[0];
    let since = Predecessor::List { mark_id: Some("m2".parse().unwrap()), revision: Some(1) };
    assert_eq!((&compared.since, compared.counts.gone), (&since, 1));
    writer.commit().unwrap();
    assert_eq!(count(&place.path(), "list"), 2);
}

/// All of them create the file and its tables at once.
#[test]
fn many_writers_may_begin_with_the_same_file() {
    const WRITERS: usize = 6;
    for _ in 0..40 {
        let place = File::new();
        let barrier = std::sync::Barrier::new(WRITERS);
        let take = || {
            barrier.wait();
            place.sink().next_order().unwrap().unwrap()
        };
        let mut taken = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(take)).collect();
            writers.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        taken.sort_unstable();
        assert_eq!(taken, (1..=WRITERS as u64).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
    }
}
