//! The columns of the tables of accounts, from the layout of an account.

use qopen_sink::storage::{LATEST_TIME, account_of, table_columns, without_nul};
use qopen_types::{Account, Cell, Column};
use rusqlite::{Connection, Result, Statement};

#[cfg(test)]
mod tests;

/// The tables that have a column for each field of an account.
pub(crate) const TABLES_OF_COLUMNS: [&str; 2] = ["robot_account", "partial_robot_account"];

/// The columns between `account_id` and `account`.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Vec<Column>);

/// The columns before the values of an account.
const KEY: [&str; 2] = ["robot_id", "account_id"];

impl Columns {
    /// The columns of tables among these of an account, without the key.
    pub(crate) fn of(layout: &[Column]) -> Self {
        Self(table_columns(layout))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Creates a table of accounts.
    pub(crate) fn create(&self, partial: &str) -> String {
        let columns: String = self.0.iter().map(|it| format!("{}, ", declared(it))).collect();
        format!(
            "CREATE TABLE {partial}robot_account (
                 robot_id TEXT NOT NULL, account_id TEXT NOT NULL, {columns}account TEXT NOT NULL,
                 PRIMARY KEY (robot_id, account_id)
             )"
        )
    }

    /// Inserts a record. The parameters are those of [`bind`](Self::bind), then the number of the row that it
    /// replaces, or null.
    pub(crate) fn insert(&self, partial: &str) -> String {
        let names: String = self.0.iter().map(|it| format!("{}, ", quoted(it))).collect();
        let values: String =
            (KEY.len() + 1..).zip(&self.0).map(|(n, it)| format!("{}, ", value(it, n))).collect();
        let record = KEY.len() + self.0.len() + 1;
        let row = record + 1;
        format!(
            "INSERT INTO {partial}robot_account (rowid, robot_id, account_id, {names}account)
             VALUES (?{row}, ?1, ?2, {values}?{record})"
        )
    }

    /// Binds a record's parameters for [`insert`](Self::insert).
    pub(crate) fn bind(
        &self,
        insert: &mut Statement<'_>,
        robot: &str,
        account: &Account,
        record: &str,
        row: Option<i64>,
    ) -> Result<()> {
        insert.raw_bind_parameter(1, robot)?;
        insert.raw_bind_parameter(2, account.account_id.as_str())?;
        for (n, column) in (KEY.len() + 1..).zip(&self.0) {
            bind(insert, n, column, account)?;
        }
        let n = KEY.len() + self.0.len() + 1;
        insert.raw_bind_parameter(n, record)?;
        insert.raw_bind_parameter(n + 1, row)
    }

    /// The columns that a table lacks.
    pub(crate) fn missing(&self, file: &Connection, table: &str) -> Result<Vec<Column>> {
        let mut names = file.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let present: Vec<String> =
            names.query_map([table], |row| row.get(0))?.collect::<Result<_>>()?;
        let is_missing = |it: &&Column| !present.iter().any(|name| name == it.name);
        Ok(self.0.iter().filter(is_missing).copied().collect())
    }

    /// Adds the columns that a file of an earlier version lacks, and fills them from the records.
    pub(crate) fn add_missing(&self, file: &Connection) -> Result<()> {
        for table in TABLES_OF_COLUMNS {
            let missing = self.missing(file, table)?;
            for column in &missing {
                let add = format!("ALTER TABLE {table} ADD COLUMN {}", declared(column));
                file.execute_batch(&add)?;
            }
            if !missing.is_empty() {
                fill(file, table, &missing)?;
            }
        }
        Ok(())
    }
}

/// Fills columns of all rows from the records.
fn fill(file: &Connection, table: &str, columns: &[Column]) -> Result<()> {
    /// Rows that are read at once.
    const ROWS: i64 = 512;
    let sets = (2..).zip(columns).map(|(n, it)| format!("{} = {}", quoted(it), value(it, n)));
    let sets: Vec<_> = sets.collect();
    let update = format!("UPDATE {table} SET {} WHERE rowid = ?1", sets.join(", "));
    let mut update = file.prepare(&update)?;
    let next =
        format!("SELECT rowid, account FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT {ROWS}");
    let mut next = file.prepare(&next)?;
    let mut last = i64::MIN;
    loop {
        let rows: Vec<(i64, String)> =
            next.query_map([last], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
        let Some((end, _)) = rows.last() else { return Ok(()) };
        last = *end;
        for (row, record) in &rows {
            // A record that was edited keeps nulls.
            let Some(account) = account_of(record) else { continue };
            update.raw_bind_parameter(1, row)?;
            for (n, column) in (2..).zip(columns) {
                bind(&mut update, n, column, &account)?;
            }
            update.raw_execute()?;
        }
    }
}

fn bind(statement: &mut Statement<'_>, n: usize, column: &Column, account: &Account) -> Result<()> {
    match column.cell {
        Cell::Text(read) => statement.raw_bind_parameter(n, without_nul(read(account))),
        Cell::Integer(read) | Cell::UnixSeconds(read) => {
            statement.raw_bind_parameter(n, read(account))
        }
        Cell::Code(read) => statement.raw_bind_parameter(n, read(account).code),
        Cell::Flag(read) => statement.raw_bind_parameter(n, read(account)),
        // Texts always encode.
        Cell::Rows(_, read) => statement
            .raw_bind_parameter(n, serde_json::to_string(&read(account)).unwrap_or_default()),
        Cell::Json(read) => statement.raw_bind_parameter(n, read(account)),
    }
}

/// The expression of a column's value from parameter `n`.
fn value(column: &Column, n: usize) -> String {
    match column.cell {
        Cell::UnixSeconds(_) => format!(
            "CASE WHEN ?{n} BETWEEN 1 AND {LATEST_TIME} THEN strftime('%Y-%m-%dT%H:%M:%SZ', ?{n}, 'unixepoch') END"
        ),
        _ => format!("?{n}"),
    }
}

/// The name; some names are words of SQL.
fn quoted(column: &Column) -> String {
    format!("\"{}\"", column.name)
}

/// The name and the type in a table of accounts.
fn declared(column: &Column) -> String {
    let sql_type = match column.cell {
        Cell::Text(_) | Cell::UnixSeconds(_) | Cell::Rows(..) | Cell::Json(_) => "TEXT",
        Cell::Integer(_) | Cell::Code(_) => "INTEGER",
        Cell::Flag(_) => "BOOLEAN",
    };
    format!("{} {sql_type}", quoted(column))
}
