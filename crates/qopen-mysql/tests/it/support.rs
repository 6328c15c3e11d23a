//! Databases of a test, and readers that are not qopen.

use std::process::Command;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, Row, Value};
use qopen_mysql::MysqlSink;
use qopen_sink::Sink;
use qopen_sink::conformance::{Reader, Subject};
use tokio::runtime::{Builder, Runtime};

/// The URL of the database for the process that publishes until it is killed.
pub(crate) const PUBLISH: &str = "QOPEN_TEST_MYSQL_PUBLISH";

/// A database by its URL.
pub(crate) struct Database(pub(crate) String);

impl Subject for Database {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(MysqlSink::new(&self.0).unwrap())
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Connected::new(&self.0))
    }

    fn publisher(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "conformance::a_process_that_is_killed", "--nocapture"]);
        command.env(PUBLISH, &self.0);
        command
    }
}

/// A connection that is not a sink's.
pub(crate) struct Connected(Runtime, Conn);

impl Connected {
    pub(crate) fn new(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(Conn::new(Opts::from_url(url).unwrap())).unwrap();
        let mut connected = Self(runtime, connection);
        // Names in double quotes, as in the SQL of other databases.
        connected.execute("SET sql_mode = 'ANSI_QUOTES'");
        connected
    }
}

impl Reader for Connected {
    fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows: Vec<Row> = self.0.block_on(self.1.query(sql)).unwrap();
        let text = |value: Value| match value {
            Value::NULL => "NULL".to_owned(),
            Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        };
        rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
    }

    fn execute(&mut self, sql: &str) {
        self.0.block_on(self.1.query_drop(sql)).unwrap();
    }

    fn begin(&mut self) {
        self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT");
        self.query("SELECT count(*) FROM qopen.pull");
    }

    fn fields(&self) -> &'static str {
        "fields"
    }

    fn text(&self, expression: &str) -> String {
        format!("CAST({expression} AS char)")
    }
}
