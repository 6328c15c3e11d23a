//! What every database of lists must do.

use qopen_mysql::MysqlSink;
use qopen_mysql::testing::Server;
use qopen_sink::conformance::{Reader as _, check, publish_without_end};

use crate::support::{Connected, Database, PUBLISH};

#[test]
fn mysql_does_what_every_database_of_lists_must_do() {
    let Some(server) = Server::start() else { return };
    let mut admin = Connected::new(&server.url_of("information_schema"));
    check(|_| {
        admin.execute("DROP DATABASE IF EXISTS qopen");
        admin.execute("CREATE DATABASE qopen");
        // A reader may come before the first list.
        MysqlSink::new(&server.url()).unwrap().migrate().unwrap();
        Box::new(Database(server.url()))
    });
}

/// The process that the suite kills runs this test alone, with the URL of the database.
#[test]
fn a_process_that_is_killed() {
    if let Ok(url) = std::env::var(PUBLISH) {
        publish_without_end(&MysqlSink::new(&url).unwrap());
    }
}
