//! Errors of a database file, without the data that it holds.

use std::time::Duration;

use qopen_sink::SinkError;
use rusqlite::{Error, ErrorCode, ffi};

/// An error of a database file. Never quotes a stored value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// The path leads to a folder, a device or a pipe.
    #[error("the path is not a regular file; name a file, such as lists.db")]
    NotAFile,
    /// The file has other contents.
    #[error("the file is not an SQLite database; choose another path, or move the file away")]
    NotADatabase,
    /// The database has another application's id or tables.
    #[error(
        "the file is another program's SQLite database{}; choose another path",
        shown_id(*application_id)
    )]
    OtherProgram {
        /// The id in the file.
        application_id: i32,
    },
    /// A later version of qopen wrote the tables.
    #[error(
        "the tables have format {found}, and this version of qopen knows {known}; use the later qopen that wrote them, restore a backup from before that, or choose another path"
    )]
    Newer {
        /// The format of the file.
        found: i32,
        /// The format that this qopen knows.
        known: i32,
    },
    /// The file or its folder cannot be written.
    #[error(
        "the file is read-only; a database is written in place, which needs the right to write the file and its folder"
    )]
    ReadOnly,
    /// The file cannot be opened.
    #[error("the file cannot be opened; may this user read and write it and its folder?")]
    CannotOpen,
    /// The disk has no more space.
    #[error("the disk is full; the list before is unchanged")]
    Full,
    /// The file system failed.
    #[error(
        "the file cannot be read or written (SQLite error {code}); is the disk sound, and does the limit of a file's size (ulimit -f) leave room? the list before is unchanged"
    )]
    Disk {
        /// The extended result code of SQLite.
        code: i32,
    },
    /// The file is damaged.
    #[error(
        "the file is damaged; restore it, or move it away to start a new one (sqlite3 FILE 'PRAGMA integrity_check' says more)"
    )]
    Damaged,
    /// A killed writer left more than a copy for a look may have.
    #[error(
        "the last writer was interrupted, and left too much to look at the file without changing it; the next list recovers it, and so does sqlite3 FILE 'PRAGMA user_version'"
    )]
    Interrupted,
    /// The file system has no shared memory, which the log of a database needs.
    #[error(
        "the file system does not support SQLite's write-ahead log, as network file systems do not; choose a path on a local disk"
    )]
    NoLog,
    /// A row disappeared between the comparison and the commit.
    #[error("a row of the last list was deleted during the publication; publish the list again")]
    RowMissing,
    /// The table of changes differs from the published one.
    #[error(
        "the table change was altered: it has other rows than the table list counts, or a row whose record is not JSON; read the whole list"
    )]
    ChangesAltered,
    /// SQLite failed.
    #[error("SQLite error {code}: {meaning}")]
    Other {
        /// The extended result code of SQLite.
        code: i32,
        /// Its meaning in SQLite's words.
        meaning: String,
    },
}

/// The id for a message. Many programs leave it at 0.
fn shown_id(application_id: i32) -> String {
    match application_id {
        0 => String::new(),
        id => format!(" (application_id {id:#x})"),
    }
}

impl From<SqliteError> for SinkError {
    fn from(error: SqliteError) -> Self {
        Self::Database(Box::new(error))
    }
}

/// The step that a locked file delays.
pub(crate) const WAITING: &str =
    "waiting for another process that writes the database (busy_timeout)";

/// Makes errors of SQLite into errors of a sink, for `map_err`. `wait` is the time for which SQLite waited for a lock.
pub(crate) fn failed(wait: Duration) -> impl Fn(Error) -> SinkError + Copy {
    move |error| {
        let Error::SqliteFailure(code, _) = &error else {
            // A value of another type than its column's, which is a row that was edited.
            let meaning = "a row has a value of an unexpected type".to_owned();
            return SqliteError::Other { code: ffi::SQLITE_MISMATCH, meaning }.into();
        };
        let own = match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                return SinkError::TimedOut { step: WAITING, limit: wait };
            }
            ErrorCode::NotADatabase => SqliteError::NotADatabase,
            ErrorCode::DatabaseCorrupt => SqliteError::Damaged,
            ErrorCode::ReadOnly => SqliteError::ReadOnly,
            ErrorCode::CannotOpen => SqliteError::CannotOpen,
            ErrorCode::DiskFull => SqliteError::Full,
            ErrorCode::SystemIoFailure => SqliteError::Disk { code: code.extended_code },
            _ => SqliteError::Other {
                code: code.extended_code,
                meaning: ffi::code_to_str(code.extended_code).to_owned(),
            },
        };
        own.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> SinkError {
        let error = Error::SqliteFailure(ffi::Error::new(code), Some("canary".to_owned()));
        failed(Duration::from_secs(3))(error)
    }

    #[test]
    fn an_error_says_what_to_do_and_quotes_no_value() {
        for (code, said) in [
            (ffi::SQLITE_FULL, "disk is full"),
            (ffi::SQLITE_READONLY_DIRECTORY, "read-only"),
            (ffi::SQLITE_CANTOPEN, "cannot be opened"),
            (ffi::SQLITE_IOERR_WRITE, "(SQLite error 778)"),
            (ffi::SQLITE_CORRUPT_INDEX, "integrity_check"),
            (ffi::SQLITE_NOTADB, "not an SQLite database"),
            (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "SQLite error 1555"),
        ] {
            let SinkError::Database(error) = of(code) else { panic!("{code}") };
            let text = format!("{error} {error:?}");
            assert!(text.contains(said) && !text.contains("canary"), "{text}");
        }
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED] {
            let said = of(code).to_string();
            assert!(said.ends_with("took longer than 3 seconds"), "{said}");
        }
    }
}
