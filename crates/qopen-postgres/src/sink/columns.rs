//! The columns of the tables of accounts, from the layout of an account.

use std::borrow::Cow;

use qopen_sink::Record;
use qopen_sink::storage::{LATEST_TIME, table_columns};
use qopen_types::{Cell, Column};
use tokio_postgres::{Client, Error};

#[cfg(test)]
mod tests;

/// How many columns the first migration makes between `account_id` and `account`. Later fields have the
/// columns behind them.
const FIRST: usize = 15;

/// The columns between `account_id` and `account`.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// The columns of tables among these of an account, without the key.
    pub(super) fn of(layout: &[Column]) -> Self {
        Self(table_columns(layout))
    }

    /// Begins a publication. Its temporary tables are visible to this connection only, and end with it.
    pub(super) fn begin(&self) -> String {
        let columns = self.0.iter().map(|it| match it.cell {
            Cell::UnixSeconds(_) => format!("{} bigint", quoted(it)),
            _ => declared(it),
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!(
            "BEGIN;
             -- A publisher that stops in the middle must not delay the others.
             SET LOCAL idle_in_transaction_session_timeout = '30s';
             SET LOCAL lock_timeout = '30s';
             -- The server gives a step up when the publisher does.
             SET LOCAL statement_timeout = '120s';
             CREATE TEMPORARY TABLE new_account (
                 n bigint GENERATED ALWAYS AS IDENTITY,
                 robot_id text, account_id text, {columns}, account json
             ) ON COMMIT DROP;
             CREATE TEMPORARY TABLE new_tag (
                 n bigint GENERATED ALWAYS AS IDENTITY,
                 robot_id text, account_id text, place integer, parent_tag_name text, tag_name text
             ) ON COMMIT DROP;"
        )
    }

    pub(super) fn copy(&self) -> String {
        let columns = self.list(quoted);
        format!("COPY new_account (robot_id, account_id, {columns}, account) FROM STDIN")
    }

    /// Inserts or updates the accounts of the new list, or some of them.
    ///
    /// An equal record has equal columns, unless a process wrote it that did not know a later column.
    pub(super) fn come(&self, partial: &str, which: &str) -> String {
        let columns = self.list(quoted);
        let excluded = self.list(|it| format!("excluded.{}", quoted(it)));
        let values = self.list(|it| match it.cell {
            Cell::UnixSeconds(_) => {
                let name = quoted(it);
                format!(
                    "CASE WHEN {name} BETWEEN 1 AND {LATEST_TIME} THEN to_timestamp({name}) END"
                )
            }
            _ => quoted(it),
        });
        let later = self
            .later()
            .iter()
            .map(quoted)
            .map(|name| format!(" OR old.{name}::text IS DISTINCT FROM excluded.{name}::text"));
        let later: String = later.collect();
        format!(
            "INSERT INTO qopen.{partial}robot_account AS old (robot_id, account_id, {columns}, account)
             SELECT robot_id, account_id, {values}, account FROM new_account {which}
             ON CONFLICT (robot_id, account_id)
                 DO UPDATE SET ({columns}, account) = ROW ({excluded}, excluded.account)
             WHERE old.account::text <> excluded.account::text{later}"
        )
    }

    /// A record's row in the order of [`copy`](Self::copy).
    pub(super) fn row<'a>(&self, record: &Record<'a>, json: &'a str) -> Vec<Cow<'a, str>> {
        let account = record.account();
        let mut row = Vec::with_capacity(self.0.len() + 3);
        row.push(record.robot_id().as_str().into());
        row.push(account.account_id.as_str().into());
        row.extend(self.0.iter().map(|it| -> Cow<'a, str> {
            match it.cell {
                Cell::Text(read) => read(account).into(),
                Cell::Integer(read) | Cell::UnixSeconds(read) => read(account).to_string().into(),
                Cell::Code(read) => read(account).code.to_string().into(),
                Cell::Flag(read) => match read(account) {
                    true => "t".into(),
                    false => "f".into(),
                },
                // Texts always encode.
                Cell::Rows(_, read) => {
                    serde_json::to_string(&read(account)).unwrap_or_default().into()
                }
                Cell::Json(read) => read(account).into(),
            }
        }));
        row.push(json.into());
        row
    }

    /// Adds the columns of later fields to the tables that lack them. Returns how many tables it changed.
    ///
    /// No migration: processes of an earlier version would refuse the database. They go on writing the columns
    /// that they know. A later column is null in the rows that they insert, and keeps its value in those that
    /// they update, until a process of this version publishes the list again.
    pub(super) async fn add_missing(&self, client: &Client) -> Result<usize, Error> {
        let mut changed = 0;
        for table in ["qopen.robot_account", "qopen.partial_robot_account"] {
            let present = "SELECT attname::text FROM pg_attribute
                 WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
            let present = client.query(present, &[&table]).await?;
            let is_missing =
                |it: &&Column| !present.iter().any(|row| row.get::<_, &str>(0) == it.name);
            let missing = self.later().iter().filter(is_missing);
            let missing: Vec<_> =
                missing.map(|it| format!("ADD COLUMN IF NOT EXISTS {}", declared(it))).collect();
            if missing.is_empty() {
                continue;
            }
            // A null column without a default changes no row; the lock is short, once it is there.
            let add =
                format!("SET lock_timeout = '30s'; ALTER TABLE {table} {}", missing.join(", "));
            client.batch_execute(&add).await?;
            changed += 1;
        }
        Ok(changed)
    }

    /// The columns that the first migration does not make.
    pub(super) fn later(&self) -> &[Column] {
        self.0.get(FIRST..).unwrap_or_default()
    }

    fn list(&self, text: impl Fn(&Column) -> String) -> String {
        self.0.iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

/// The name; some names are words of SQL.
fn quoted(column: &Column) -> String {
    format!("\"{}\"", column.name)
}

/// The name and the type in a table of accounts.
fn declared(column: &Column) -> String {
    let sql_type = match column.cell {
        Cell::Text(_) => "text",
        Cell::Integer(_) | Cell::Code(_) => "bigint",
        Cell::UnixSeconds(_) => "timestamptz",
        Cell::Flag(_) => "boolean",
        Cell::Rows(..) | Cell::Json(_) => "json",
    };
    format!("{} {sql_type}", quoted(column))
}
