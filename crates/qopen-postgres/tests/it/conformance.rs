//! What every database of lists must do.

use std::process::Command;

use qopen_postgres::PostgresSink;
use qopen_postgres::testing::Server;
use qopen_sink::Sink;
use qopen_sink::conformance::{Reader, Subject, check, check_changes, publish_without_end};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The URL of the database for the process that publishes until it is killed.
const PUBLISH: &str = "QOPEN_TEST_POSTGRES_PUBLISH";

pub(crate) struct Database(pub(crate) String);

impl Subject for Database {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(PostgresSink::new(&self.0).unwrap())
    }

    fn reader(&self) -> Box<dyn Reader> {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.0, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Box::new(Connected(runtime, client))
    }

    fn publisher(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "conformance::a_process_that_is_killed", "--nocapture"]);
        command.env(PUBLISH, &self.0);
        command
    }
}

struct Connected(Runtime, Client);

impl Reader for Connected {
    fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.0.block_on(self.1.simple_query(sql)).unwrap();
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let text = |at| row.get(at).unwrap_or("NULL").to_owned();
                Some((0..row.len()).map(text).collect())
            }
            _ => None,
        });
        rows.collect()
    }

    fn execute(&mut self, sql: &str) {
        self.0.block_on(self.1.batch_execute(sql)).unwrap();
    }

    fn begin(&mut self) {
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM qopen.pull");
    }

    fn fields(&self) -> &'static str {
        "array_to_json(fields)::text"
    }
}

#[test]
fn postgresql_does_what_every_database_of_lists_must_do() {
    let Some(server) = Server::start() else { return };
    let runtime = Runtime::new().unwrap();
    let mut number = 0;
    check(|_| {
        number += 1;
        let url = runtime.block_on(server.create(&format!("case_{number}"))).unwrap();
        // A reader may come before the first list.
        PostgresSink::new(&url).unwrap().migrate().unwrap();
        Box::new(Database(url))
    });
}

#[test]
fn changes_are_read_as_a_file_has_them() {
    let Some(server) = Server::start() else { return };
    let runtime = Runtime::new().unwrap();
    let sink = PostgresSink::new(&runtime.block_on(server.create("changes")).unwrap()).unwrap();
    sink.migrate().unwrap();
    check_changes(&sink, &mut |robot, since| {
        let found = runtime.block_on(sink.changes(robot, since)).unwrap();
        found.map(|mut lines| {
            let mut all = Vec::new();
            while let Some(piece) = runtime.block_on(lines.next()).unwrap() {
                all.extend(piece);
            }
            all
        })
    });
}

/// The process that the suite kills runs this test alone, with the URL of the database.
#[test]
fn a_process_that_is_killed() {
    if let Ok(url) = std::env::var(PUBLISH) {
        publish_without_end(&PostgresSink::new(&url).unwrap());
    }
}
