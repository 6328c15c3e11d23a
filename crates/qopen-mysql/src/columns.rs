//! The columns of the tables of accounts, from the layout of an account.

use mysql_async::Value;
use qopen_sink::storage::{LATEST_TIME, table_columns, without_nul};
use qopen_types::{Account, Cell, Column};

use crate::batch::Table;

#[cfg(test)]
mod tests;

/// The columns between `account_id` and `account`.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Vec<Column>);

impl Columns {
    /// The columns of tables among these of an account, without the key.
    pub(crate) fn of(layout: &[Column]) -> Self {
        Self(table_columns(layout))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The columns' declarations, each with a comma behind it.
    pub(crate) fn declared(&self) -> String {
        self.0.iter().map(|it| format!("{}, ", declared(it))).collect()
    }

    /// The columns that are not among these names.
    pub(crate) fn missing(&self, present: &[String]) -> impl Iterator<Item = &Column> {
        self.0.iter().filter(|it| !present.iter().any(|name| name == it.name))
    }

    /// The statements that add the columns that are not among these names.
    pub(crate) fn additions(&self, table: &str, present: &[String]) -> Vec<String> {
        let missing = self.missing(present);
        missing.map(|it| format!("ALTER TABLE {table} ADD COLUMN {}", declared(it))).collect()
    }

    /// The statement that sets all columns of a row from its record. Its parameters are those of
    /// [`values`](Self::values), then the key.
    pub(crate) fn update(&self, table: &str) -> String {
        let set: Vec<_> =
            self.0.iter().map(|it| format!("`{}` = {}", it.name, value(it))).collect();
        format!("UPDATE {table} SET {} WHERE robot_key = ? AND account_id = ?", set.join(", "))
    }

    /// The table of accounts.
    pub(crate) fn table(&self, partial: &str) -> Table {
        let names: String = self.0.iter().map(|it| format!("`{}`, ", it.name)).collect();
        let values: String = self.0.iter().map(|it| format!("{}, ", value(it))).collect();
        Table::new(
            format!("{partial}robot_account (robot_key, robot_id, account_id, {names}account)"),
            format!("(?, ?, ?, {values}?)"),
        )
    }

    /// The values of an account's columns.
    pub(crate) fn values(&self, account: &Account) -> impl Iterator<Item = Value> {
        self.0.iter().map(|it| read(it, account))
    }

    /// The values of a row for [`table`](Self::table).
    pub(crate) fn row(
        &self,
        robot_key: &str,
        robot: &str,
        account: &Account,
        record: &str,
    ) -> Vec<Value> {
        let key = [robot_key.into(), robot.into(), account.account_id.as_str().into()];
        key.into_iter().chain(self.values(account)).chain([record.into()]).collect()
    }
}

fn read(column: &Column, account: &Account) -> Value {
    match column.cell {
        Cell::Text(read) => without_nul(read(account)).as_ref().into(),
        Cell::Integer(read) => read(account).into(),
        Cell::UnixSeconds(read) => {
            Some(read(account)).filter(|it| (1..=LATEST_TIME).contains(it)).into()
        }
        Cell::Code(read) => read(account).code.into(),
        Cell::Flag(read) => read(account).into(),
        // Texts always encode.
        Cell::Rows(_, read) => serde_json::to_string(&read(account)).unwrap_or_default().into(),
        Cell::Json(read) => read(account).into(),
    }
}

/// The expression of a column's value. It depends on no time zone.
fn value(column: &Column) -> &'static str {
    match column.cell {
        Cell::UnixSeconds(_) => "TIMESTAMPADD(SECOND, ?, '1970-01-01 00:00:00')",
        _ => "?",
    }
}

/// The name and the type in a table of accounts. Texts have any length. A column that a later version adds is null
/// until the row is filled.
fn declared(column: &Column) -> String {
    let sql_type = match column.cell {
        Cell::Text(_) | Cell::Rows(..) | Cell::Json(_) => "LONGTEXT",
        Cell::UnixSeconds(_) => "DATETIME",
        Cell::Integer(_) | Cell::Code(_) => "BIGINT",
        Cell::Flag(_) => "BOOLEAN",
    };
    format!("`{}` {sql_type}", column.name)
}
