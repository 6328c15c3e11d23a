//! The tables: whose they are, their version, and their creation.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row, Value};
use qopen_sink::SinkError;
use qopen_sink::storage::account_of;
use qopen_types::{FormatChange, Upgrade};

use crate::blocking::{STEP, bounded};
use crate::columns::Columns;
use crate::error::MysqlError;
use crate::server::Server;

/// The steps from one format to the next, oldest first. A published step is never changed; later ones are added.
const MIGRATIONS: [&str; 1] = [include_str!("1.sql")];

/// The version of the tables counts steps in thousands and columns of accounts in units, so that a qopen that does not
/// know a column does not write rows without it.
const STEP_OF_VERSION: i64 = 1_000;

/// The tables that the first step makes.
const TABLES: [&str; 10] = [
    "robot_account",
    "tag",
    "partial_robot_account",
    "partial_tag",
    "pull",
    "quarantine",
    "list",
    "change",
    "list_order",
    "robot_writer",
];

/// Collations that tell any two texts apart, trailing spaces included: MariaDB's and MySQL's.
const COLLATIONS: [&str; 2] = ["utf8mb4_nopad_bin", "utf8mb4_0900_bin"];

/// A table is missing.
const NO_TABLE: u16 = 1146;

/// The longest time to wait for another process that makes the tables, in seconds.
const LOCK_SECONDS: u64 = 60;

fn known(columns: &Columns) -> i64 {
    let count = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
    count(MIGRATIONS.len()) * STEP_OF_VERSION + count(columns.len())
}

/// The version of the tables; 0 if there are none.
async fn version(connection: &mut Conn) -> Result<i64, Error> {
    let read = "SELECT coalesce(max(version), 0) FROM qopen_version";
    match connection.query_first(read).await {
        Err(Error::Server(error)) if error.code == NO_TABLE => Ok(0),
        found => Ok(found?.unwrap_or(0)),
    }
}

/// Makes the tables, or brings them to this format. Returns the number of steps. A step that failed is done again by
/// the next call: statements about tables are transactions of their own.
pub(crate) async fn prepare(
    connection: &mut Conn,
    server: &Server,
    columns: &Columns,
) -> Result<usize, SinkError> {
    let known = known(columns);
    let found = bounded("looking at the tables", version(connection)).await?;
    if is_current(found, known)? {
        // A user without the right to create tables can still use existing ones.
        return Ok(0);
    }
    // Locks of that kind end with their connection.
    let name = format!("qopen {:.50}", server.database());
    let lock = connection.exec_first("SELECT GET_LOCK(?, ?)", (&name, LOCK_SECONDS));
    let locked: Option<Option<i64>> = bounded("waiting for another migration", lock).await?;
    if locked.flatten() != Some(1) {
        return Err(SinkError::TimedOut { step: "waiting for another migration", limit: STEP / 2 });
    }
    let found = bounded("looking at the tables", version(connection)).await?;
    let steps = match is_current(found, known)? {
        true => 0,
        false => migrate(connection, columns, found).await?,
    };
    let unlock = connection.exec_drop("DO RELEASE_LOCK(?)", (&name,));
    bounded("creating the tables", unlock).await?;
    Ok(steps)
}

/// What [`prepare`] would do. Changes nothing.
pub(crate) async fn examine(
    connection: &mut Conn,
    columns: &Columns,
) -> Result<Upgrade, SinkError> {
    const STEP: &str = "looking at the tables";
    let (known, found) = (known(columns), bounded(STEP, version(connection)).await?);
    let change = match (is_current(found, known)?, found) {
        (true, _) => FormatChange::None,
        (_, 0) => FormatChange::Made,
        _ => {
            let mut added = Vec::new();
            for table in TABLES_OF_COLUMNS {
                let present = bounded(STEP, connection.exec(COLUMNS_OF, (table,))).await?;
                added.extend(
                    columns.missing(&present).map(|it| format!("column {table}.{}", it.name)),
                );
            }
            FormatChange::Migrated(added)
        }
    };
    let found = (found > 0).then_some(found.unsigned_abs());
    Ok(Upgrade::new(found, known.unsigned_abs(), change))
}

/// The tables that have a column for each field of an account.
const TABLES_OF_COLUMNS: [&str; 2] = ["robot_account", "partial_robot_account"];

/// The columns of a table.
const COLUMNS_OF: &str = "SELECT COLUMN_NAME FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";

fn is_current(found: i64, known: i64) -> Result<bool, MysqlError> {
    match found > known {
        true => Err(MysqlError::Newer { found, known }),
        false => Ok(found == known),
    }
}

async fn migrate(connection: &mut Conn, columns: &Columns, found: i64) -> Result<usize, SinkError> {
    const STEP: &str = "creating the tables";
    let collations = connection.query("SELECT COLLATION_NAME FROM information_schema.COLLATIONS");
    let collations: Vec<String> = bounded(STEP, collations).await?;
    let collation = COLLATIONS.iter().find(|it| collations.iter().any(|found| found == *it));
    let collation = collation.ok_or(MysqlError::TooOld)?;
    let table = format!(
        "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}"
    );
    let tables = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    let tables: Vec<String> = bounded(STEP, connection.query(tables)).await?;
    // The table of versions is made first: without it, nothing is qopen's.
    if !tables.iter().any(|it| it == "qopen_version")
        && let Some(table) = tables.into_iter().find(|it| TABLES.contains(&it.as_str()))
    {
        return Err(MysqlError::OtherProgram { table }.into());
    }
    let versions = format!(
        "CREATE TABLE IF NOT EXISTS qopen_version (
             version BIGINT NOT NULL PRIMARY KEY, applied_at DATETIME NOT NULL
         ) {table}"
    );
    bounded(STEP, connection.query_drop(versions)).await?;
    let done = usize::try_from(found / STEP_OF_VERSION).unwrap_or(0);
    let mut steps = 0;
    for step in MIGRATIONS.iter().skip(done) {
        for statement in statements(step) {
            let statement = statement.replace("{table}", &table);
            let statement = statement.replace("{columns}", &columns.declared());
            bounded(STEP, connection.query_drop(statement)).await?;
        }
        steps += 1;
    }
    let mut added = false;
    for table in TABLES_OF_COLUMNS {
        added |= add_missing(connection, columns, table).await?;
    }
    let note = "INSERT IGNORE INTO qopen_version (version, applied_at) VALUES (?, UTC_TIMESTAMP())";
    bounded(STEP, connection.exec_drop(note, (known(columns),))).await?;
    Ok(steps + usize::from(added))
}

/// The statements of a step, without the comments between them.
fn statements(step: &str) -> impl Iterator<Item = String> {
    let is_comment = |line: &&str| line.trim_start().starts_with("--");
    let text = step.lines().filter(move |it| !is_comment(it)).collect::<Vec<_>>().join("\n");
    let each = text.split(';').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
    each.collect::<Vec<_>>().into_iter()
}

/// Adds the columns that the tables of an earlier version lack, and fills them from the records. Returns whether there
/// were any.
async fn add_missing(
    connection: &mut Conn,
    columns: &Columns,
    table: &str,
) -> Result<bool, SinkError> {
    const STEP: &str = "adding columns";
    /// Rows that are read at once.
    const ROWS: usize = 256;
    let present: Vec<String> = bounded(STEP, connection.exec(COLUMNS_OF, (table,))).await?;
    let additions = columns.additions(table, &present);
    for add in &additions {
        bounded(STEP, connection.query_drop(add)).await?;
    }
    // Also if no column is missing: a process that was killed may have added them, and filled no row.
    let read = format!(
        "SELECT robot_key, account_id, account FROM {table} FORCE INDEX (PRIMARY)
         WHERE (robot_key, account_id) > (?, ?) ORDER BY robot_key, account_id LIMIT {ROWS}"
    );
    let update = columns.update(table);
    let mut last = (Value::Bytes(Vec::new()), Value::Bytes(Vec::new()));
    loop {
        let rows: Vec<Row> = bounded(STEP, connection.exec(&read, last.clone())).await?;
        let Some(end) = rows.last() else { return Ok(!additions.is_empty()) };
        let key = |row: &Row| Some((row.as_ref(0)?.clone(), row.as_ref(1)?.clone()));
        last = key(end).ok_or(MysqlError::Unexpected)?;
        for row in &rows {
            let record: Option<String> = row.get_opt(2).and_then(Result::ok);
            // A record that was edited keeps nulls.
            let Some(account) = record.as_deref().and_then(account_of) else { continue };
            let (robot_key, id) = key(row).ok_or(MysqlError::Unexpected)?;
            let values: Vec<Value> = columns.values(&account).chain([robot_key, id]).collect();
            bounded(STEP, connection.exec_drop(&update, values)).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_statement_for_each_table() {
        let all: Vec<String> = MIGRATIONS.into_iter().flat_map(statements).collect();
        assert_eq!(all.len(), TABLES.len() + 1);
        for table in TABLES {
            let begins = [
                format!("CREATE TABLE IF NOT EXISTS {table} "),
                format!("CREATE TABLE IF NOT EXISTS `{table}` "),
            ];
            assert!(
                all.iter().any(|it| begins.iter().any(|begin| it.starts_with(begin))),
                "{table}"
            );
        }
        assert!(all.iter().all(|it| !it.contains("--")));
    }
}
