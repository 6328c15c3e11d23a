//! What a case is given.

use std::process::Command;

use crate::Sink;

/// A database under test.
pub trait Subject: Send + Sync {
    /// A sink for the database. Each one is as one of another process.
    fn sink(&self) -> Box<dyn Sink>;

    /// A new connection of a reader.
    fn reader(&self) -> Box<dyn Reader>;

    /// A command that calls [`publish_without_end`](super::publish_without_end) with a sink for the database, in another process.
    fn publisher(&self) -> Command;
}

/// A connection that reads the tables.
pub trait Reader {
    /// Runs a query and returns its rows as texts, `NULL` for null.
    fn query(&mut self, sql: &str) -> Vec<Vec<String>>;

    /// Runs a statement.
    fn execute(&mut self, sql: &str);

    /// Begins a transaction that sees one state of the database, and reads.
    fn begin(&mut self);

    /// An expression for the JSON array of `change.fields`.
    fn fields(&self) -> &'static str;
}
