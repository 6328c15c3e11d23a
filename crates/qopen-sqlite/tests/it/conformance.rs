//! What every database of lists must do.

use qopen_sink::conformance::{check, publish_without_end};
use qopen_sqlite::SqliteSink;

use crate::support::{File, PUBLISH};

#[test]
fn sqlite_does_what_every_database_of_lists_must_do() {
    check(|_| Box::new(File::new()));
}

/// The process that the suite kills runs this test alone, with the path of the file.
#[test]
fn a_process_that_is_killed() {
    if let Some(path) = std::env::var_os(PUBLISH) {
        publish_without_end(&SqliteSink::new(path));
    }
}
