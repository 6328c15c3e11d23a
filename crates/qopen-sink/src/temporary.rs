//! Temporary files with customers: unnamed, or with a name that a later process finds.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::SinkError;

const PREFIX: &str = ".qopen-";
const SUFFIX: &str = ".tmp";

/// Attempts to create a file that a concurrent sweep does not remove.
const ATTEMPTS: usize = 16;

/// Creates an unnamed file in this folder, or in the system's folder of temporary files. It ends with the
/// process. Messages name the folder, or `what` it is for.
///
/// # Errors
/// [`SinkError::Io`], if the file cannot be created.
pub fn unnamed(folder: Option<&Path>, what: &Path) -> Result<File, SinkError> {
    let made = match folder {
        Some(folder) => tempfile::tempfile_in(folder),
        None => tempfile::tempfile(),
    };
    made.map_err(SinkError::io("creating a temporary file for", folder.unwrap_or(what)))
}

/// Checks that files can be created in a folder.
///
/// # Errors
/// [`SinkError::NoFolder`] and [`SinkError::Io`].
pub fn can_create_in(folder: &Path) -> Result<(), SinkError> {
    beside(folder).map(drop)
}

/// Creates an empty file with mode 0600, unless there is a file.
///
/// The file has another name until it is closed: closing a file drops all locks of the process on it, also those of a
/// connection that another thread opened meanwhile.
///
/// # Errors
/// [`SinkError::NoFolder`] and [`SinkError::Io`].
pub fn create_empty(target: &Path) -> Result<(), SinkError> {
    let folder = target.parent().filter(|it| !it.as_os_str().is_empty());
    for _ in 0..ATTEMPTS {
        let made = beside(folder.unwrap_or(Path::new(".")))?.into_temp_path();
        match made.persist_noclobber(target).map_err(|it| it.error) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => break,
            // A concurrent check took it for the file of a killed process.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done.map_err(SinkError::io("creating", target)),
        }
    }
    Ok(())
}

/// Creates a file in the folder of its target, with mode 0600, that will replace the target. It is locked while it is
/// written, so that one that a killed process has left is told from one in use.
///
/// # Errors
/// [`SinkError::NoFolder`] and [`SinkError::Io`].
pub(crate) fn beside(folder: &Path) -> Result<NamedTempFile, SinkError> {
    if !folder.is_dir() {
        return Err(SinkError::NoFolder { folder: folder.to_owned() });
    }
    let failed = || SinkError::io("creating a file in", folder);
    for _ in 0..ATTEMPTS {
        let made = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder);
        let file = made.map_err(failed())?;
        match file.as_file().try_lock() {
            // A concurrent sweep may have removed it.
            Ok(()) if file.path().exists() => return Ok(file),
            // File systems without locks are never swept.
            Err(TryLockError::Error(_)) => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
        }
    }
    Err(failed()(io::ErrorKind::WouldBlock.into()))
}

/// How long another process may hold a folder: it does so for a moment.
const HELD: Duration = Duration::from_secs(30);

/// Locks a folder until the value is dropped. Locks nothing on file systems without locks.
pub(crate) fn hold(folder: &Path) -> Result<Option<File>, SinkError> {
    let Ok(handle) = File::open(folder) else { return Ok(None) };
    let until = Instant::now() + HELD;
    loop {
        match handle.try_lock() {
            Ok(()) => return Ok(Some(handle)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if Instant::now() > until => {
                return Err(SinkError::TimedOut {
                    step: "waiting for another publication",
                    limit: HELD,
                });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Removes the files of processes that were killed while they wrote into a folder. Returns their
/// number. Unreadable ones stay.
pub(crate) fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let left = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
    });
    let remove = |path: &Path| {
        let file = File::options().read(true).write(true).open(path).ok()?;
        file.try_lock().ok()?;
        fs::remove_file(path).ok()
    };
    left.filter(|entry| entry.file_type().is_ok_and(|it| it.is_file()))
        .filter_map(|entry| remove(&entry.path()))
        .count()
}
