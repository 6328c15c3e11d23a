//! Reading a file without changing it or what lies beside it.
//!
//! A connection that may write completes or undoes what a killed writer has left, and the last one to close takes the log
//! away. A connection that may not write still makes a log for a file that had one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use qopen_sink::SinkError;
use rusqlite::{Connection, Error, OpenFlags, Result, ffi};
use tempfile::TempDir;

use crate::error::{SqliteError, WAITING, failed};

/// Bytes that a copy has at most of a file, of its journal and of its log: 64 MiB. The tables' descriptions are in the first
/// pages of a file; the rest is a hole.
const COPIED: u64 = 64 << 20;

/// What SQLite adds to the name of a file for its journal, its log, and the index of the log.
const JOURNAL: &str = "-journal";
const LOG: &str = "-wal";
const INDEX: &str = "-shm";

/// The longest pause between two attempts while another process has the file for itself.
const PAUSE: Duration = Duration::from_millis(100);

/// The bytes of a file, and the time of its last change.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// A file and what lies beside it, at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    file: Stamp,
    /// The journal of a transaction that is under way, or was interrupted.
    journal: Stamp,
    log: Stamp,
    /// The index of the log, which the processes share that use the log. Only whether it is there.
    index: bool,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// The file alone, without locks.
    Alone,
    /// The file without a log, under the locks of SQLite.
    Locked,
    /// The file with its log, under the locks of SQLite.
    Logged,
    /// A copy, which is recovered.
    Copy,
}

impl Seen {
    fn view(&self) -> View {
        let is_empty = |stamp: &Stamp| stamp.is_none_or(|(bytes, _)| bytes == 0);
        match (is_empty(&self.log), self.index) {
            // SQLite deletes what lies beside an empty file.
            _ if is_empty(&self.file) => View::Alone,
            (false, true) => View::Logged,
            (false, false) => View::Copy,
            // A process has the log, and has written nothing into it.
            (true, _) if self.journal.is_none() && (self.index || self.log.is_some()) => {
                View::Alone
            }
            (true, _) => View::Locked,
        }
    }
}

/// A file that is read.
pub(crate) struct Look<'a> {
    /// The path of the file, absolute and with links followed.
    pub(crate) target: &'a Path,
    /// How long another process may have the file for itself.
    pub(crate) wait: Duration,
    /// The folder for a copy; without one the system's folder for temporary files.
    pub(crate) scratch: Option<&'a Path>,
}

impl Look<'_> {
    /// Reads the file as the next process finds it: with what is committed, and without what was not.
    pub(crate) fn read<T>(&self, read: impl Fn(&Connection) -> Result<T>) -> Result<T, SinkError> {
        let until = Instant::now() + self.wait;
        loop {
            let seen = self.seen()?;
            let found = self.read_as(seen.view(), &seen, &read);
            let is_current = match &found {
                Err(SinkError::TimedOut { .. }) => false,
                Ok((_, View::Locked | View::Logged)) => true,
                // Without locks, a writer may have come between.
                _ => self.seen()? == seen,
            };
            if is_current {
                return found.map(|it| it.0);
            }
            if Instant::now() > until {
                return Err(SinkError::TimedOut { step: WAITING, limit: self.wait });
            }
        }
    }

    /// Reads the file in that way, or in the next possible one, which it returns.
    fn read_as<T>(
        &self,
        view: View,
        seen: &Seen,
        read: &impl Fn(&Connection) -> Result<T>,
    ) -> Result<(T, View), SinkError> {
        if view == View::Copy {
            return self.read_copy(seen, read).map(|it| (it, view));
        }
        let code = |error: &Error| match error {
            Error::SqliteFailure(code, _) => code.extended_code,
            _ => ffi::SQLITE_OK,
        };
        match self.open(view).and_then(|file| read(&file)) {
            Err(error) if code(&error) == ffi::SQLITE_READONLY_ROLLBACK => {
                self.read_as(View::Copy, seen, read)
            }
            // The file is one with a log, and has none at present.
            Err(error) if view == View::Locked && code(&error) == ffi::SQLITE_IOERR_LOCK => {
                self.read_as(View::Alone, seen, read)
            }
            found => found.map(|it| (it, view)).map_err(failed(self.wait)),
        }
    }

    fn open(&self, view: View) -> Result<Connection> {
        let path = percent_encode(self.target.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
        let how = match view {
            View::Alone => "immutable=1",
            _ => "mode=ro&readonly_shm=1",
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(format!("file:{path}?{how}"), flags)?;
        file.busy_timeout(self.wait.min(PAUSE))?;
        if view == View::Locked {
            // Before it makes a log, SQLite asks for a lock then that needs the right to write.
            file.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        }
        Ok(file)
    }

    /// Recovers a copy, and reads that.
    fn read_copy<T>(
        &self,
        seen: &Seen,
        read: &impl Fn(&Connection) -> Result<T>,
    ) -> Result<T, SinkError> {
        let size = |stamp: &Stamp| stamp.map_or(0, |(bytes, _)| bytes);
        if size(&seen.journal).max(size(&seen.log)) > COPIED {
            return Err(SqliteError::Interrupted.into());
        }
        let folder = self.private_folder()?;
        let copy = folder.path().join("copy.db");
        // Closing a file ends the locks that this process has on it. It has none: it has no connection to a file at which
        // it looks.
        copy_start(self.target, &copy)?;
        for (stamp, suffix) in [(&seen.journal, JOURNAL), (&seen.log, LOG)] {
            if stamp.is_some() {
                copy_start(&beside(self.target, suffix), &beside(&copy, suffix))?;
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(&copy, flags).and_then(|file| read(&file));
        found.map_err(|error| match error.sqlite_error_code() {
            // Perhaps only in the hole.
            Some(rusqlite::ErrorCode::DatabaseCorrupt) if size(&seen.file) > COPIED => {
                SqliteError::Interrupted.into()
            }
            _ => failed(self.wait)(error),
        })
    }

    fn private_folder(&self) -> Result<TempDir, SinkError> {
        let mut folder = tempfile::Builder::new();
        folder.prefix("qopen-");
        #[cfg(unix)]
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        #[cfg(unix)]
        folder.permissions(mode);
        let place = self.scratch.map_or_else(std::env::temp_dir, Path::to_owned);
        folder.tempdir_in(&place).map_err(SinkError::io("creating a folder in", &place))
    }

    fn seen(&self) -> Result<Seen, SinkError> {
        let journal = beside(self.target, JOURNAL);
        let is_used = is_used(&journal).map_err(SinkError::io("reading", &journal))?;
        Ok(Seen {
            file: stamp(self.target)?,
            journal: stamp(&journal)?.filter(|_| is_used),
            log: stamp(&beside(self.target, LOG))?,
            index: stamp(&beside(self.target, INDEX))?.is_some(),
        })
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(suffix);
    path.into()
}

fn stamp(path: &Path) -> Result<Stamp, SinkError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.len(), found.modified().ok()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SinkError::io("looking at", path)(error)),
    }
}

/// Whether SQLite would use a journal. It uses none that is missing or empty, or whose first byte is zero.
pub(crate) fn is_used(journal: &Path) -> io::Result<bool> {
    let mut first = [0];
    match File::open(journal).and_then(|mut it| it.read(&mut first)) {
        Ok(_) => Ok(first != [0]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies the beginning of a file. The copy has its length.
fn copy_start(from: &Path, to: &Path) -> Result<(), SinkError> {
    let source = File::open(from).map_err(SinkError::io("reading", from))?;
    let length = source.metadata().map_err(SinkError::io("looking at", from))?.len();
    let mut copy = File::create_new(to).map_err(SinkError::io("creating", to))?;
    io::copy(&mut source.take(COPIED), &mut copy)
        .and_then(|_| copy.set_len(length))
        .map_err(SinkError::io("copying", from))
}
