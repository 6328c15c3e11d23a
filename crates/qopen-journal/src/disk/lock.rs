//! The lock file, which names its holder: one process at a time uses a journal.
//!
//! The file also has the time of its own birth, by which a copy is told: a file that is restored has another.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::at::{At, unavailable};
use super::segment;
use crate::JournalError;

/// The lock file of a journal's folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// Holds the journal's folder until it is dropped, or the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// The birth of this file, if the file system has it.
    born: Option<u128>,
    /// Whether the file had the birth of another one.
    pub(super) is_copy: bool,
}

/// What the line with the birth begins with; nanoseconds since 1970 follow.
const BORN: &str = "born ";

fn born_in(content: &str) -> Option<u128> {
    content.lines().find_map(|line| line.strip_prefix(BORN)?.parse().ok())
}

/// The birth of no file: the journal had lost its lock file.
const LOST: u128 = 0;

/// Whether a folder has a journal without its lock file, which every journal keeps.
fn is_lost(folder: &Path) -> std::io::Result<bool> {
    Ok(!path(folder).try_exists()? && !segment::numbers(folder)?.is_empty())
}

fn is_copy(noted: Option<u128>, born: Option<u128>) -> bool {
    noted.is_some() && born.is_some() && noted != born
}

fn holder_in(content: &str) -> String {
    match content.lines().next().map(str::trim) {
        None | Some("") => "it does not say which".to_owned(),
        Some(holder) => holder.to_owned(),
    }
}

fn birth_of(file: &File) -> Option<u128> {
    let born = file.metadata().and_then(|it| it.created()).ok()?;
    Some(born.duration_since(UNIX_EPOCH).ok()?.as_nanos())
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a child process that was just forked has the file too. If
        // unlocking fails, closing is all that remains.
        let _ = self.file.unlock();
    }
}

/// What a lock file says, without taking the lock.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The process that has the journal open.
    pub(super) holder: Option<String>,
    /// Whether the file is a copy.
    pub(super) is_copy: bool,
}

/// Looks at the lock file of a folder. Writes nothing, and keeps no lock.
pub(super) fn look(folder: &Path) -> Result<Seen, JournalError> {
    let path = path(folder);
    let failed = |error| unavailable(Arc::new(At::new(&path, error)));
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Seen { holder: None, is_copy: is_lost(folder).map_err(failed)? });
        }
        Err(error) => return Err(failed(error)),
    };
    let mut content = String::new();
    // A file that is no text names no process.
    let _ = file.read_to_string(&mut content);
    let is_copy = is_copy(born_in(&content), birth_of(&file));
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map_err(failed).map(|()| Seen { holder: None, is_copy }),
        Err(TryLockError::WouldBlock) => Ok(Seen { holder: Some(holder_in(&content)), is_copy }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, JournalError> {
        let path = path(folder);
        let failed = |error| unavailable(Arc::new(At::new(&path, error)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let is_lost = is_lost(folder).map_err(failed)?;
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // An unreadable file names no process.
                let _ = file.read_to_string(&mut holder);
                return Err(JournalError::Locked { holder: holder_in(&holder) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut content = String::new();
        // A file that is no text has no birth either.
        let _ = file.read_to_string(&mut content);
        let (noted, born) = (born_in(&content), birth_of(&file));
        let noted = noted.or(is_lost.then_some(LOST));
        let is_copy = is_lost || is_copy(noted, born);
        let mut lock = Self { file, born, is_copy };
        // The other birth stays until the copy has been counted.
        let kept = if is_copy { noted } else { born.or(noted) };
        lock.write(kept).map_err(failed)?;
        Ok(lock)
    }

    /// Makes this file the original.
    pub(super) fn settle(&mut self) -> std::io::Result<()> {
        self.write(self.born)?;
        self.is_copy = false;
        Ok(())
    }

    fn write(&mut self, born: Option<u128>) -> std::io::Result<()> {
        let mut content = format!("process {}\n", std::process::id());
        if let Some(born) = born {
            content.push_str(&format!("{BORN}{born}\n"));
        }
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(content.as_bytes())
    }
}
