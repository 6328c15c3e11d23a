//! Files of a test, and readers that are not qopen.

use std::path::{Path, PathBuf};
use std::process::Command;

use qopen_sink::Sink;
use qopen_sink::conformance::{Reader, Subject};
use qopen_sqlite::SqliteSink;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

/// A file of its own, in a folder of its own.
pub(crate) struct File(pub(crate) TempDir);

impl File {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("lists.db")
    }

    pub(crate) fn sink(&self) -> SqliteSink {
        SqliteSink::new(self.path())
    }
}

/// The path of the file for the process that publishes until it is killed.
pub(crate) const PUBLISH: &str = "QOPEN_TEST_SQLITE_PUBLISH";

impl Subject for File {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(File::sink(self))
    }

    fn reader(&self) -> Box<dyn Reader> {
        // A reader may come before the first list.
        File::sink(self).migrate().unwrap();
        Box::new(Connected(attached(&self.path())))
    }

    fn publisher(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "conformance::a_process_that_is_killed", "--nocapture"]);
        command.env(PUBLISH, self.path());
        command
    }
}

/// A connection with the tables in the schema `qopen`.
fn attached(path: &Path) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let attach = "ATTACH ?1 AS qopen";
    connection.execute(attach, [path.to_str().unwrap()]).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    connection
}

struct Connected(Connection);

impl Reader for Connected {
    fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let mut query = self.0.prepare(sql).unwrap();
        let columns = query.column_count();
        let rows = query.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
        let text = |value: Value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let row = |row: rusqlite::Result<Vec<Value>>| row.unwrap().into_iter().map(text).collect();
        rows.unwrap().map(row).collect()
    }

    fn execute(&mut self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }

    fn begin(&mut self) {
        self.0.execute_batch("BEGIN; SELECT count(*) FROM qopen.pull").unwrap();
    }

    fn fields(&self) -> &'static str {
        "fields"
    }
}
