//! Files that earlier versions wrote, byte for byte: `tests/fixtures/formats`.

use std::fs;
use std::path::{Path, PathBuf};

use qopen_sink::conformance::{Subject as _, check_fixture, fixture_rows, publish_fixture};
use qopen_sink::{Sink as _, SinkError};
use qopen_sqlite::{SqliteError, SqliteSink};
use rusqlite::Connection;

use crate::support::File;

/// The format that this version writes.
const WRITTEN: &str = "1015";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

/// The formats with a fixture.
fn formats() -> Vec<String> {
    let folders = fs::read_dir(fixtures()).unwrap();
    let names = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut formats: Vec<_> = names.filter(|it| it.parse::<u32>().is_ok()).collect();
    formats.sort_by_key(|it| it.parse::<u32>().unwrap());
    formats
}

/// A file of a format, and what its readers get.
fn fixture(format: &str) -> (File, String) {
    let folder = fixtures().join(format);
    let file = File::new();
    let packed = fs::read(folder.join("lists.db.lz4")).unwrap();
    fs::write(file.path(), lz4_flex::decompress_size_prepended(&packed).unwrap()).unwrap();
    (file, fs::read_to_string(folder.join("rows.txt")).unwrap())
}

/// The number in the header of a file.
fn format_of(path: &Path) -> i32 {
    let file = Connection::open(path).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn the_written_format_has_a_fixture() {
    let file = File::new();
    publish_fixture(&file.sink());
    assert_eq!(format_of(&file.path()).to_string(), WRITTEN);
    if std::env::var("QOPEN_TEST_FIXTURES").as_deref() == Ok("write") {
        let folder = fixtures().join(WRITTEN);
        let rows = fixture_rows(&mut *file.reader());
        if !folder.exists() {
            fs::create_dir_all(&folder).unwrap();
            let bytes = fs::read(file.path()).unwrap();
            fs::write(folder.join("lists.db.lz4"), lz4_flex::compress_prepend_size(&bytes))
                .unwrap();
            fs::write(folder.join("rows.txt"), rows).unwrap();
        }
    }
    assert_eq!(formats().last().unwrap(), WRITTEN, "tests/fixtures/formats/README.md says how");
}

#[test]
fn a_file_of_each_format_is_read_and_written_on() {
    for format in formats() {
        let (file, rows) = fixture(&format);
        assert_eq!(format_of(&file.path()).to_string(), format);
        check_fixture(&file, &rows);
        assert_eq!(format_of(&file.path()).to_string(), WRITTEN);
    }
}

/// The calls that open a file, each with its error.
fn refusals(sink: &SqliteSink) -> Vec<SinkError> {
    let robot = "r1".parse().unwrap();
    vec![
        sink.check().unwrap_err(),
        sink.migrate().unwrap_err(),
        sink.holds(&robot).unwrap_err(),
        sink.changes(&robot, None).unwrap_err(),
        sink.begin(qopen_sink::ListKind::Complete).err().unwrap(),
    ]
}

#[test]
fn a_later_format_and_a_damaged_file_are_refused_and_not_touched() {
    for format in formats() {
        let (file, _) = fixture(&format);
        let number = format_of(&file.path()) + 1_000;
        let later = format!("PRAGMA user_version = {number}");
        Connection::open(file.path()).unwrap().execute_batch(&later).unwrap();
        let before = fs::read(file.path()).unwrap();
        for error in refusals(&file.sink()) {
            let SinkError::Database(error) = &error else { panic!("{error:?}") };
            let error = error.downcast_ref::<SqliteError>().unwrap();
            assert!(matches!(error, SqliteError::Newer { found, .. } if *found == number));
            let said = error.to_string();
            assert!(said.contains(&number.to_string()) && said.contains("use the later qopen"));
        }
        assert!(fs::read(file.path()).unwrap() == before);
        assert_eq!(fs::read_dir(file.0.path()).unwrap().count(), 1);
        // The header of the file, and the table of tables.
        for place in [0, 103] {
            let (file, _) = fixture(&format);
            let mut bytes = fs::read(file.path()).unwrap();
            bytes[place] ^= 0xA5;
            fs::write(file.path(), &bytes).unwrap();
            for error in refusals(&file.sink()) {
                let SinkError::Database(error) = &error else { panic!("{error:?}") };
                let error = error.downcast_ref::<SqliteError>().unwrap();
                let is_damage = matches!(error, SqliteError::NotADatabase | SqliteError::Damaged);
                assert!(is_damage, "byte {place}: {error:?}");
            }
            assert!(fs::read(file.path()).unwrap() == bytes, "byte {place}");
        }
    }
}
