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

struct Row {
    values: Vec<Value>,
    bytes: usize,
}

/// Rows that wait for a statement.
pub(crate) struct Batch {
    shapes: [(usize, Arc<str>); SHAPES.len()],
    rows: Vec<Row>,
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
        self.rows.push(Row { values: row, bytes });
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
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        self.bytes = 0;
        while let Some(count) = self.fitting(rows.as_slice()) {
            let (count, statement) = &self.shapes[count];
            let next = rows.by_ref().take(*count).flat_map(|it| it.values);
            let values: Vec<Value> = first.iter().cloned().chain(next).collect();
            bounded("writing rows", connection.exec_drop(&**statement, values)).await?;
            affected += connection.affected_rows();
        }
        Ok(affected)
    }

    /// Returns the place of the largest shape that these rows fill, and a message holds. Each row fits alone.
    fn fitting(&self, rows: &[Row]) -> Option<usize> {
        let room = BYTES.min(self.limit) - OVERHEAD.min(self.limit);
        let holds = |count: usize| {
            let rows = rows.get(..count);
            rows.is_some_and(|it| count == 1 || it.iter().map(|it| it.bytes).sum::<usize>() <= room)
        };
        self.shapes.iter().position(|it| holds(it.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_as_many_rows_as_a_message_holds() {
        let table = Table::new("t (a)", "(?)");
        for (bytes, limit, shapes) in [
            (10, 1 << 24, vec![128, 128, 32, 8, 1, 1, 1, 1]),
            (9_000, 1 << 24, vec![32; 9].into_iter().chain([8, 1, 1, 1, 1]).collect()),
            (100_000, 1 << 20, vec![1; 300]),
            (1_000_000, 1 << 20, vec![1; 300]),
        ] {
            let mut batch = Batch::new(&table, limit);
            for _ in 0..300 {
                batch.push(vec![Value::Bytes(vec![0; bytes])]).unwrap();
            }
            let (mut rows, mut found) = (&batch.rows[..], Vec::new());
            while let Some(shape) = batch.fitting(rows) {
                found.push(SHAPES[shape]);
                rows = &rows[SHAPES[shape]..];
            }
            assert_eq!(found, shapes, "{bytes}");
            let refused = batch.push(vec![Value::Bytes(vec![0; limit])]).unwrap_err();
            assert!(matches!(refused, SinkError::Database(_)));
        }
    }
}
