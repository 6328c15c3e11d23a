//! Rows of accounts in the order of their ids, a page at a time.

use std::collections::VecDeque;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};
use qopen_sink::SinkError;
use qopen_sink::storage::OldRow;

use crate::blocking::bounded;

/// The most rows of a page.
const ROWS: usize = 1_024;

/// Bytes that a page is meant to have: 2 MiB.
const BYTES: usize = 2 << 20;

/// A cursor. No result is open between pages: the platform may be asked about customers meanwhile, for longer than a
/// server waits for the reader of a result.
pub(crate) struct Cursor {
    statement: String,
    /// The values before the id.
    values: Vec<Value>,
    page: VecDeque<Account>,
    /// The id after which the next page begins.
    last: String,
    /// The rows of the next page; 0 after the last one.
    rows: usize,
}

struct Account {
    id: String,
    text: Option<String>,
}

impl Cursor {
    /// The rows of a table that fulfil a condition with these values. `text` is the column with the record.
    pub(crate) fn new(table: &str, text: &str, condition: &str, values: Vec<Value>) -> Self {
        // The order of the primary key, without a sort, which would compare the first 1,024 bytes only.
        let statement = format!(
            "SELECT account_id, {text} FROM {table} FORCE INDEX (PRIMARY)
             WHERE {condition} AND account_id > ? ORDER BY account_id LIMIT ?"
        );
        let (page, last) = (VecDeque::new(), String::new());
        Self { statement, values, page, last, rows: 64 }
    }

    /// Reads the first row.
    pub(crate) async fn open(mut self, connection: &mut Conn) -> Result<Self, SinkError> {
        self.fill(connection).await?;
        Ok(self)
    }

    pub(crate) async fn advance(&mut self, connection: &mut Conn) -> Result<(), SinkError> {
        self.page.pop_front();
        match self.page.is_empty() {
            true => self.fill(connection).await,
            false => Ok(()),
        }
    }

    /// Returns the current row; `None` at the end.
    pub(crate) fn row(&self) -> Option<OldRow<'_>> {
        let Account { id, text } = self.page.front()?;
        Some(OldRow { id, record: text.as_deref(), row: None })
    }

    async fn fill(&mut self, connection: &mut Conn) -> Result<(), SinkError> {
        if self.rows == 0 {
            return Ok(());
        }
        let own = [Value::from(self.last.as_str()), Value::from(self.rows)];
        let values: Vec<Value> = self.values.iter().cloned().chain(own).collect();
        let rows = bounded("reading the last list", connection.exec(&self.statement, values));
        let rows: Vec<Row> = rows.await?;
        let mut bytes = 0;
        for row in &rows {
            let text = |at| match row.as_ref(at) {
                // A row that was edited is compared, too.
                Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
                _ => None,
            };
            let account = Account { id: text(0).unwrap_or_default(), text: text(1) };
            bytes += account.id.len() + account.text.as_ref().map_or(0, String::len);
            self.page.push_back(account);
        }
        if let Some(last) = self.page.back() {
            self.last.clone_from(&last.id);
        }
        self.rows = match rows.len() < self.rows {
            true => 0,
            false => (BYTES / (bytes / rows.len()).max(1)).clamp(1, ROWS),
        };
        Ok(())
    }
}
