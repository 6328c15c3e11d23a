//! The format of a file: whose it is, and its version.

use qopen_types::{FormatChange, Upgrade};
use rusqlite::{Connection, Result, TransactionBehavior};

use crate::columns::{Columns, TABLES_OF_COLUMNS};
use crate::error::SqliteError;

/// The application id in the header of each file: "qopn" in ASCII.
const APPLICATION: i32 = 0x716f_706e;

/// The steps from one format to the next, oldest first. A published step is never changed; later ones are added.
const MIGRATIONS: [&str; 1] = [include_str!("1.sql")];

/// The version of a file counts steps in thousands and columns of accounts in units, so that a qopen that does not
/// know a column does not write rows without it.
const STEP: i32 = 1_000;

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An empty file.
    Empty,
    /// A file of an earlier format.
    Older,
    /// A file of this format.
    Current,
}

/// The version of this format.
pub(crate) fn known(columns: &Columns) -> i32 {
    let count = |it: usize| i32::try_from(it).unwrap_or(i32::MAX);
    count(MIGRATIONS.len()) * STEP + count(columns.len())
}

/// Looks at a file. Writes nothing.
pub(crate) fn look(file: &Connection, columns: &Columns) -> Result<Result<Found, SqliteError>> {
    let number = |pragma: &str| file.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application_id, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = file.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let known = known(columns);
    Ok(match application_id {
        APPLICATION if version > known => Err(SqliteError::Newer { found: version, known }),
        APPLICATION if version == known => Ok(Found::Current),
        APPLICATION => Ok(Found::Older),
        0 if version == 0 && tables == 0 => Ok(Found::Empty),
        _ => Err(SqliteError::OtherProgram { application_id }),
    })
}

/// What [`migrate`] would do to a file. Writes nothing.
pub(crate) fn examine(file: &Connection, found: &Found, columns: &Columns) -> Result<Upgrade> {
    let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let change = match found {
        Found::Current => FormatChange::None,
        Found::Empty => FormatChange::Made,
        Found::Older => {
            let mut added = Vec::new();
            for table in TABLES_OF_COLUMNS {
                let missing = columns.missing(file, table)?;
                added.extend(missing.iter().map(|it| format!("column {table}.{}", it.name)));
            }
            FormatChange::Migrated(added)
        }
    };
    let stored = u64::try_from(version).ok().filter(|_| *found != Found::Empty);
    Ok(Upgrade::new(stored, known(columns).unsigned_abs().into(), change))
}

/// Makes the tables, or brings them to this format. Returns the number of steps.
pub(crate) fn migrate(
    file: &mut Connection,
    columns: &Columns,
) -> Result<Result<usize, SqliteError>> {
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = match look(&transaction, columns)? {
        Ok(Found::Current) => return Ok(Ok(0)),
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version / STEP).unwrap_or(0);
    let steps = MIGRATIONS.iter().skip(done);
    let mut count = steps.len();
    steps.into_iter().try_for_each(|step| transaction.execute_batch(step))?;
    if found == Found::Empty {
        for partial in ["", "partial_"] {
            transaction.execute_batch(&columns.create(partial))?;
        }
    } else {
        columns.add_missing(&transaction)?;
        count += 1;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known(columns))?;
    transaction.commit()?;
    Ok(Ok(count))
}
