//! The columns of the tables of accounts, from the layout of an account.

use std::borrow::Cow;

use qopen_sink::Record;
use qopen_sink::storage::{LATEST_TIME, table_columns};
use qopen_types::{Cell, Column};
use tokio_postgres::{Client, Error};

use super::statements::COMPARISON_TABLES;

#[cfg(test)]
mod tests;

/// How many columns the first migration makes between `account_id` and `account`. Later fields have the
/// columns behind them.
const FIRST: usize = 15;

/// The tables that have a column for each field of an account.
pub(super) const COLUMN_TABLES: [&str; 2] = ["qopen.robot_account", "qopen.partial_robot_account"];

/// The columns between `account_id` and `account`.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// The columns of tables among these of an account, without the key.
    pub(super) fn of(layout: &[Column]) -> Self {
        Self(table_columns(layout))
    }

    /// Makes the temporary tables of publications. They are visible to this connection only, are empty at the end of
    /// each transaction, and end with the connection. A pooler may keep those of an earlier client: they are dropped.
    pub(super) fn tables(&self) -> String {
        let columns = self.0.iter().map(|it| match it.cell {
            Cell::UnixSeconds(_) => format!("{} bigint", quoted(it)),
            _ => declared(it),
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!(
            "DISCARD TEMP;
             CREATE TEMPORARY TABLE new_account (
                 -- Counts the rows, from 1.
                 n bigint, robot_id text, account_id text, {columns}, account json
             ) ON COMMIT DELETE ROWS;
             CREATE TEMPORARY TABLE new_tag (
                 n bigint, robot_id text, account_id text, place integer, parent_tag_name text, tag_name text
             ) ON COMMIT DELETE ROWS;
             -- The accounts whose rows are replaced, by their numbers, and then those that go.
             CREATE TEMPORARY TABLE new_row (
                 n bigint, robot_id text, account_id text
             ) ON COMMIT DELETE ROWS;
             {COMPARISON_TABLES}"
        )
    }

    pub(super) fn copy(&self) -> String {
        let columns = self.list(quoted);
        format!("COPY new_account (n, robot_id, account_id, {columns}, account) FROM STDIN")
    }

    /// Notes the accounts of the new list, or of some of them, that the old one lacks, or has with another record.
    ///
    /// An equal record has equal columns, unless a process wrote it that did not know a later column.
    pub(super) fn differing(&self, partial: &str, which: &str) -> String {
        let later = self.later().iter().map(|it| {
            let (name, value) = (quoted(it), value(it));
            format!(" OR old.{name}::text IS DISTINCT FROM ({value})::text")
        });
        let later: String = later.collect();
        format!(
            "INSERT INTO new_row
             SELECT new.n, new.robot_id, new.account_id FROM (SELECT * FROM new_account {which}) AS new
             LEFT JOIN qopen.{partial}robot_account AS old
                 ON old.robot_id = new.robot_id AND old.account_id = new.account_id
             WHERE old.robot_id IS NULL OR old.account::text <> new.account::text{later}"
        )
    }

    /// Inserts or updates the noted accounts among those of the new list, or among some of them.
    pub(super) fn come(&self, partial: &str, which: &str) -> String {
        let columns = self.list(quoted);
        let (values, excluded) =
            (self.list(value), self.list(|it| format!("excluded.{}", quoted(it))));
        format!(
            "INSERT INTO qopen.{partial}robot_account (robot_id, account_id, {columns}, account)
             SELECT new.robot_id, new.account_id, {values}, new.account
             FROM (SELECT * FROM new_account {which}) AS new JOIN new_row USING (robot_id, account_id)
             ON CONFLICT (robot_id, account_id)
                 DO UPDATE SET ({columns}, account) = ROW ({excluded}, excluded.account)"
        )
    }

    /// A record's row with its number, in the order of [`copy`](Self::copy).
    pub(super) fn row<'a>(
        &self,
        number: i64,
        record: &Record<'a>,
        json: &'a str,
    ) -> Vec<Cow<'a, str>> {
        let account = record.account();
        let mut row = Vec::with_capacity(self.0.len() + 4);
        row.push(number.to_string().into());
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
        for table in COLUMN_TABLES {
            let missing = self.missing(client, table).await?;
            let missing: Vec<_> = missing
                .into_iter()
                .map(|it| format!("ADD COLUMN IF NOT EXISTS {}", declared(it)))
                .collect();
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

    /// The later columns that a table lacks.
    pub(super) async fn missing(
        &self,
        client: &Client,
        table: &str,
    ) -> Result<Vec<&Column>, Error> {
        let present = "SELECT attname::text FROM pg_attribute
             WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
        let present = client.query(present, &[&table]).await?;
        let is_missing = |it: &&Column| !present.iter().any(|row| row.get::<_, &str>(0) == it.name);
        Ok(self.later().iter().filter(is_missing).collect())
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

/// The value of an account of the new list.
fn value(column: &Column) -> String {
    let name = format!("new.{}", quoted(column));
    match column.cell {
        Cell::UnixSeconds(_) => {
            format!("CASE WHEN {name} BETWEEN 1 AND {LATEST_TIME} THEN to_timestamp({name}) END")
        }
        _ => name,
    }
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
