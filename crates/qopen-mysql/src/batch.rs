//! Rows on their way to a table, many with each statement.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};
use qopen_sink::SinkError;

use crate::blocking::bounded;
use crate::error::MysqlError;

/// The numbers of rows that a statement may have. Few shapes stay prepared on the server, whose limit all of its
/// clients share.
const SHAPES: [usize; 4] = [128, 32, 8, 1];

/// Bytes after which waiting rows are sent: 512 KiB.
const BYTES: usize = 512 << 10;

/// Bytes of a statement besides its texts: its head, and a few for each value.
const OVERHEAD: usize = 4 << 10;

/// A table that gets rows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The name, and the names of the columns in brackets.
    into: String,
    /// The expressions of one row.
    row: String,
}

impl Table {
    pub(crate) fn new(into: impl Into<String>, row: impl Into<String>) -> Self {
        Self { into: into.into(), row: row.into() }
    }

    fn insert(&self, rows: usize) -> String {
        format!("INSERT INTO {} VALUES {}", self.into, vec![&*self.row; rows].join(", "))
    }
}

/// Rows that wait for a statement.
pub(crate) struct Batch {
    shapes: [(usize, Arc<str>); SHAPES.len()],
    rows: Vec<Vec<Value>>,
    bytes: usize,
    limit: usize,
}

impl Batch {
    /// Rows of a table, on a server that takes messages of `limit` bytes.
    pub(crate) fn new(table: &Table, limit: usize) -> Self {
        Self::of(limit, |rows| table.insert(rows))
    }

    /// Keys of rows to delete. `from` is the table's name.
    pub(crate) fn deletion(from: &str, limit: usize) -> Self {
        Self::of(limit, |rows| {
            // The hint keeps the rows of other robots from being locked: a short table would be scanned.
            let ids = vec!["?"; rows].join(", ");
            format!(
                "DELETE old FROM {from} AS old FORCE INDEX (PRIMARY)
                 WHERE old.robot_key = ? AND old.account_id IN ({ids})"
            )
        })
    }

    fn of(limit: usize, statement: impl Fn(usize) -> String) -> Self {
        let shapes = SHAPES.map(|rows| (rows, Arc::from(statement(rows))));
        Self { shapes, rows: Vec::new(), bytes: 0, limit }
    }

    pub(crate) fn push(&mut self, row: Vec<Value>) -> Result<(), SinkError> {
        let size = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.len() + 9,
            _ => 16,
        };
        let bytes = row.iter().map(size).sum();
        if bytes + OVERHEAD > self.limit {
            return Err(MysqlError::TooLarge { bytes, limit: self.limit }.into());
        }
        self.bytes += bytes;
        self.rows.push(row);
        Ok(())
    }

    /// Whether the rows make a statement of the largest size.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= SHAPES[0] || self.bytes >= BYTES.min(self.limit / 4)
    }

    /// Sends the rows. Returns the number of affected ones.
    pub(crate) async fn send(&mut self, connection: &mut Conn) -> Result<u64, SinkError> {
        self.send_after(connection, &[]).await
    }

    /// Sends the rows, with these values before those of each statement.
    pub(crate) async fn send_after(
        &mut self,
        connection: &mut Conn,
        first: &[Value],
    ) -> Result<u64, SinkError> {
        let mut affected = 0;
        let mut rows = std::mem::take(&mut self.rows).into_iter().peekable();
        self.bytes = 0;
        while rows.peek().is_some() {
            let left = rows.len();
            let Some((count, statement)) = self.shapes.iter().find(|it| it.0 <= left) else {
                break;
            };
            let values: Vec<Value> =
                first.iter().cloned().chain(rows.by_ref().take(*count).flatten()).collect();
            bounded("writing rows", connection.exec_drop(&**statement, values)).await?;
            affected += connection.affected_rows();
        }
        Ok(affected)
    }
}
