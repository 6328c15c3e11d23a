//! Connections to a database file, and its creation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qopen_sink::storage::{can_create_in, create_empty, target};
use qopen_sink::{FileSink, Format, SinkError};
use qopen_types::{FormatChange, Upgrade};
use rusqlite::{Connection, Error, ErrorCode, MAIN_DB, OpenFlags};

use crate::columns::Columns;
use crate::error::{SqliteError, failed};
use crate::look::{Look, is_used};
use crate::opened::{Connecting, Looking, Opened};
use crate::schema::{self, Found};

/// Bytes of a page of a new file. Records have about 1 KB, so that a page has several.
const PAGE: u32 = 8_192;

/// Memory of a connection for pages: 32 MiB. More changes of one publication go to the log before its end.
const CACHE_KIB: i64 = 32 << 10;

/// The log is cut to this size when it begins anew: 64 MiB.
const LOG: i64 = 64 << 20;

/// Pause between two attempts to set the mode of a new file.
const LOOK: Duration = Duration::from_millis(10);

/// A database file.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    pub(crate) path: PathBuf,
    pub(crate) wait: Duration,
    pub(crate) columns: Columns,
}

impl DatabaseFile {
    /// The path with links followed.
    fn target(&self) -> Result<PathBuf, SinkError> {
        target(&self.path).map_err(|error| match error {
            SinkError::NotAFile { .. } => SqliteError::NotAFile.into(),
            error => error,
        })
    }

    /// Opens the file, creates it if it is missing, and brings its tables to this format. Returns the number of steps
    /// that this took, too.
    pub(crate) fn open(&self) -> Result<(Opened, usize), SinkError> {
        let target = self.target()?;
        if !exists(&target)? {
            // The files of the log inherit its mode.
            create_empty(&target)?;
        }
        let (mut file, found) = self.connect(&target)?;
        let steps = self.prepare(&mut file, found)?;
        Ok((file, steps))
    }

    /// Looks at what the next list would do to the format of the file. Changes nothing: what a killed writer has left is
    /// recovered in a copy, in the folder for temporary data. If this process has a connection already, that has recovered
    /// the file.
    pub(crate) fn examine(&self, scratch: Option<&Path>) -> Result<Upgrade, SinkError> {
        let target = self.target()?;
        if !exists(&target)? {
            let written = schema::known(&self.columns).unsigned_abs();
            return Ok(Upgrade::new(None, written.into(), FormatChange::Made));
        }
        refuse_one_byte(&target)?;
        let target = absolute(&target)?;
        let Some(_looking) = Looking::at(&target) else {
            let (file, found) = self.connect(&target)?;
            return schema::examine(&file, &found, &self.columns).map_err(failed(self.wait));
        };
        let look = Look { target: &target, wait: self.wait, scratch };
        Ok(look.read(|file| {
            file.execute_batch("BEGIN")?;
            let found = match schema::look(file, &self.columns)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            schema::examine(file, &found, &self.columns).map(Ok)
        })??)
    }

    /// Opens the file if it has lists, and brings their tables to this format.
    pub(crate) fn open_existing(&self) -> Result<Option<Opened>, SinkError> {
        let target = self.target()?;
        if !exists(&target)? {
            return Ok(None);
        }
        Ok(match self.connect(&target)? {
            (_, Found::Empty) => None,
            (mut file, Found::Older) => {
                self.prepare(&mut file, Found::Older)?;
                Some(file)
            }
            (file, Found::Current) => Some(file),
        })
    }

    /// Checks whether a list could be written, without a trace. The file need not exist.
    pub(crate) fn check(&self, scratch: Option<&Path>) -> Result<(), SinkError> {
        let target = self.target()?;
        let folder = target.parent().filter(|it| !it.as_os_str().is_empty());
        // Temporary files of processes that were killed while they created it.
        FileSink::new(&target, Format::Jsonl).sweep();
        // The log lies beside the file.
        can_create_in(folder.unwrap_or(Path::new(".")))?;
        match self.examine(scratch) {
            // The next list recovers it.
            Err(SinkError::Database(error))
                if matches!(error.downcast_ref(), Some(SqliteError::Interrupted)) => {}
            examined => drop(examined?),
        }
        if !exists(&target)? {
            return Ok(());
        }
        // As long as it reads nothing, a connection writes nothing.
        let file = self.open_file(&target)?;
        match file.is_readonly(MAIN_DB).map_err(failed(self.wait))? {
            true => Err(SqliteError::ReadOnly.into()),
            false => Ok(()),
        }
    }

    fn open_file(&self, target: &Path) -> Result<Opened, SinkError> {
        let fails = failed(self.wait);
        let target = absolute(target)?;
        let connecting = Connecting::to(&target);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(target, flags).map_err(fails)?;
        file.busy_timeout(self.wait).map_err(fails)?;
        Ok(Opened::new(file, connecting))
    }

    fn connect(&self, target: &Path) -> Result<(Opened, Found), SinkError> {
        let fails = failed(self.wait);
        refuse_one_byte(target)?;
        let file = self.open_file(target)?;
        // One state of the file, which another process may be about to create.
        file.execute_batch("BEGIN").map_err(fails)?;
        let found = schema::look(&file, &self.columns).map_err(fails)??;
        file.execute_batch("ROLLBACK").map_err(fails)?;
        Ok((file, found))
    }

    /// Sets how the connection writes, and brings the tables to this format.
    fn prepare(&self, file: &mut Connection, found: Found) -> Result<usize, SinkError> {
        let fails = failed(self.wait);
        if found == Found::Empty {
            file.pragma_update(None, "page_size", PAGE).map_err(fails)?;
        }
        // Readers keep their list while the next one is written, and do not delay it.
        if self.return_to_log(file).map_err(fails)? != "wal" {
            return Err(SqliteError::NoLog.into());
        }
        remove_remains(file).map_err(fails)?;
        // The journal notes that a list is published: a commit must survive a loss of power. NORMAL syncs the log only
        // at checkpoints.
        file.pragma_update(None, "synchronous", "FULL").map_err(fails)?;
        file.pragma_update(None, "cache_size", -CACHE_KIB).map_err(fails)?;
        let limit = format!("PRAGMA journal_size_limit = {LOG}");
        file.query_row(&limit, [], |_| Ok(())).map_err(fails)?;
        match found {
            Found::Current => Ok(0),
            _ => Ok(schema::migrate(file, &self.columns).map_err(fails)??),
        }
    }
}

impl DatabaseFile {
    /// Sets the mode of the journal to the log, and returns the mode that is set.
    pub(crate) fn return_to_log(&self, file: &Connection) -> rusqlite::Result<String> {
        let until = Instant::now() + self.wait;
        loop {
            let set = file.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            let is_busy = |it: &Error| it.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            // SQLite waits for every other lock itself, but not for another process that sets the mode.
            if !set.as_ref().is_err_and(is_busy) || Instant::now() > until {
                return set;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Removes the journal that a process leaves if it is killed while it turns the log off: SQLite takes it for none, and
/// never removes it.
fn remove_remains(file: &Connection) -> rusqlite::Result<()> {
    let Some(journal) = file.path().map(|it| format!("{it}-journal")) else { return Ok(()) };
    if !Path::new(&journal).exists() {
        return Ok(());
    }
    // Another process that begins a journal must be the only one with the file. A reader of the log prevents that.
    let reader = file.unchecked_transaction()?;
    reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mode: String = reader.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal"
        && is_used(Path::new(&journal)).is_ok_and(|it| !it)
        && let Err(error) = fs::remove_file(&journal)
    {
        tracing::debug!(%error, "an unused journal beside the file was not removed");
    }
    Ok(())
}

/// Returns the path that is neither a URI nor the name of a database in memory.
fn absolute(target: &Path) -> Result<PathBuf, SinkError> {
    std::path::absolute(target).map_err(SinkError::io("resolving", target))
}

/// Refuses a file of one byte, which SQLite takes for an empty one.
fn refuse_one_byte(target: &Path) -> Result<(), SinkError> {
    match fs::metadata(target).is_ok_and(|it| it.len() == 1) {
        true => Err(SqliteError::NotADatabase.into()),
        false => Ok(()),
    }
}

fn exists(target: &Path) -> Result<bool, SinkError> {
    match fs::metadata(target) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(SinkError::io("looking at", target)(error)),
    }
}
