//! Transactions that publish lists: in the log, or, for the first list of a file, without it.

use std::ops::RangeInclusive;
use std::time::Duration;

use qopen_sink::SinkError;
use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

use crate::error::failed;
use crate::file::DatabaseFile;

/// Records of a first list that is written without the log. A shorter list gains nothing; a longer one would lock
/// readers out for more than a few seconds.
const UNLOGGED: RangeInclusive<i64> = 10_000..=2_000_000;

/// A transaction that publishes lists. Dropping it undoes it.
pub(crate) struct Publication<'a> {
    file: &'a Connection,
    /// Until it ends.
    transaction: Option<Transaction<'a>>,
    is_logged: bool,
}

impl<'a> Publication<'a> {
    /// Begins to publish this number of records: takes the lock of writers.
    ///
    /// The log holds every page of a list until a checkpoint writes it a second time. A file without a list has no
    /// reader to spare: its first list goes straight into the file, which other connections cannot read until then.
    /// SQLite refuses to leave the log while another connection has the file open; the list goes into the log then.
    pub(crate) fn begin(
        file: &'a Connection,
        database: &DatabaseFile,
        records: i64,
    ) -> Result<Self, SinkError> {
        let fails = failed(database.wait);
        if UNLOGGED.contains(&records) && !has_list(file).map_err(fails)? {
            // Nothing is worth waiting for: the log is always possible.
            file.busy_timeout(Duration::ZERO).map_err(fails)?;
            let unlogged = Self::unlogged(file);
            file.busy_timeout(database.wait).map_err(fails)?;
            match unlogged {
                Some(begun) => return Ok(begun),
                None => drop(database.return_to_log(file).map_err(fails)?),
            }
        }
        let transaction = Transaction::new_unchecked(file, TransactionBehavior::Immediate);
        let transaction = Some(transaction.map_err(fails)?);
        Ok(Self { file, transaction, is_logged: true })
    }

    /// Begins without the log, if this connection has the file for itself.
    fn unlogged(file: &'a Connection) -> Option<Self> {
        if set_mode(file, "journal_mode = DELETE").ok()? != "delete" {
            return None;
        }
        let transaction = Transaction::new_unchecked(file, TransactionBehavior::Exclusive).ok()?;
        // Another process may have returned to the log meanwhile, or published a list.
        if set_mode(file, "journal_mode").ok()? != "delete" || has_list(file).ok()? {
            return None;
        }
        // The lock is kept until the file has its log again: a reader in between would delay that.
        if set_mode(file, "locking_mode = EXCLUSIVE").ok()? != "exclusive" {
            return None;
        }
        Some(Self { file, transaction: Some(transaction), is_logged: false })
    }

    pub(crate) fn commit(mut self) -> Result<()> {
        self.transaction.take().map_or(Ok(()), Transaction::commit)
    }
}

impl Drop for Publication<'_> {
    fn drop(&mut self) {
        // Undoes it, unless it was committed.
        drop(self.transaction.take());
        // Every connection sets the mode again before it writes.
        if !self.is_logged && set_mode(self.file, "journal_mode = WAL").is_err() {
            tracing::debug!("the file is without its log until the next connection");
        }
    }
}

/// Sets a pragma, and returns its value.
fn set_mode(file: &Connection, pragma: &str) -> Result<String> {
    file.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}

fn has_list(file: &Connection) -> Result<bool> {
    file.query_row("SELECT EXISTS (SELECT 1 FROM pull)", [], |row| row.get(0))
}
