//! The database file: transactions on a thread that may block, and what errors mean.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use qopen::journal::{JournalError, JournalStats};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior, ffi};

const FORMAT: u32 = 1;

/// An open file. Clones share it.
#[derive(Clone)]
pub(crate) struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    stats: Mutex<JournalStats>,
    /// One process has the journal: its claims are in memory. Locked until the file is closed.
    _lock: File,
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let lock = path.with_extension("lock");
        let lock = create(&lock).and_then(|()| File::open(&lock)).map_err(away)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked { holder: "unknown".into() });
            }
            Err(TryLockError::Error(error)) => return Err(away(error)),
        }
        // The files of the log inherit its mode.
        create(path).map_err(away)?;
        let connection = prepared(path).map_err(failed)?;
        let format = connection.query_row("SELECT format FROM journal", [], |row| row.get(0));
        match format.map_err(failed)? {
            FORMAT => {}
            found => return Err(JournalError::UnknownFormat { found, known: FORMAT }),
        }
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            stats: Mutex::default(),
            _lock: lock,
        })))
    }

    /// Runs a transaction, which is on the disk when this returns. `done` follows its commit, even if the caller waits
    /// no more.
    pub(crate) async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
        done: impl FnOnce(&R) + Send + 'static,
    ) -> Result<R, JournalError> {
        self.blocking(move |database| {
            let begun = Instant::now();
            let mut connection = database.connection();
            let written = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .and_then(|transaction| {
                    let result = work(&transaction)?;
                    transaction.commit()?;
                    Ok(result)
                });
            let mut stats = lock(&database.0.stats);
            stats.healthy = written.is_ok();
            stats.batches += 1;
            stats.records += u64::from(written.is_ok());
            stats.failures += u64::from(written.is_err());
            stats.waited += begun.elapsed();
            drop(stats);
            written.inspect(done).map_err(failed)
        })
        .await
    }

    /// Reads one state of the journal.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, JournalError> {
        self.blocking(move |database| {
            let mut connection = database.connection();
            connection.transaction().and_then(|it| work(&it)).map_err(failed)
        })
        .await
    }

    /// Runs something that is no transaction.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, JournalError> {
        self.blocking(move |database| work(&database.connection()).map_err(failed)).await
    }

    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, JournalError> + Send + 'static,
    ) -> Result<R, JournalError> {
        let database = self.clone();
        let ran = tokio::task::spawn_blocking(move || work(&database)).await;
        ran.map_err(|error| JournalError::Fatal(Box::new(error)))?
    }

    /// A second connection, which sees the journal as it is now and keeps seeing that.
    pub(crate) async fn snapshot(&self) -> Result<Connection, JournalError> {
        self.blocking(|database| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let open = || {
                let connection = Connection::open_with_flags(&database.0.path, flags)?;
                // The first read fixes the state.
                connection.execute_batch("BEGIN; SELECT last FROM journal")?;
                Ok(connection)
            };
            open().map_err(failed)
        })
        .await
    }

    pub(crate) fn stats(&self) -> JournalStats {
        *lock(&self.0.stats)
    }

    /// Held by threads that may block, never across an await.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        lock(&self.0.connection)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A transaction whose work panicked was rolled back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a file that only its owner reads, unless it exists. A database is not opened here otherwise: closing it would
/// drop the locks that SQLite has on it.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop),
    }
}

fn prepared(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // Streams read beside appends. NORMAL would sync the log only now and then.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is forgotten is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    let schema = include_str!("schema.sql");
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {schema} COMMIT"))?;
    Ok(connection)
}

/// Whether trying again may help decides what the platform is told.
pub(crate) fn failed(error: Error) -> JournalError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            JournalError::Damaged(Box::new(error))
        }
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory,
        ) => away(error),
        _ => JournalError::Fatal(Box::new(error)),
    }
}

fn away(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError::Unavailable(Box::new(error))
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The error of a value that no version of this journal writes.
pub(crate) fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(error.to_string()))
}
