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

/// Whether a folder has a journal. A journal has a lock file that is not empty.
fn has_journal(folder: &Path) -> std::io::Result<bool> {
    Ok(!segment::numbers(folder)?.is_empty())
}

fn is_copy(noted: Option<u128>, born: Option<u128>) -> bool {
    // A lost lock file is told without births.
    noted.is_some_and(|noted| noted == LOST || born.is_some_and(|born| born != noted))
}

fn holder_in(content: &str) -> String {
    match content.lines().next().map(str::trim) {
        None | Some("") => "it does not say which".to_owned(),
        Some(holder) => holder.to_owned(),
    }
}

fn is_empty(file: &File) -> std::io::Result<bool> {
    Ok(file.metadata()?.len() == 0)
}

fn birth_of(file: &File) -> Option<u128> {
    let born = file.metadata().and_then(|it| it.created()).ok()?;
    // Some file systems give every file the same one.
    Some(born.duration_since(UNIX_EPOCH).ok()?.as_nanos()).filter(|it| *it != LOST)
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
    // First: another process may be about to make the journal.
    let has_journal = has_journal(folder).map_err(failed)?;
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Seen { holder: None, is_copy: has_journal });
        }
        Err(error) => return Err(failed(error)),
    };
    let content = content_of(&mut file);
    let is_lost = has_journal && is_empty(&file).map_err(failed)?;
    let is_copy = is_lost || is_copy(born_in(&content), birth_of(&file));
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map_err(failed).map(|()| Seen { holder: None, is_copy }),
        Err(TryLockError::WouldBlock) => Ok(Seen { holder: Some(holder_in(&content)), is_copy }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The text of a lock file. Other bytes have no birth, and name no process.
fn content_of(file: &mut File) -> String {
    let mut content = Vec::new();
    // An unreadable file says nothing, either.
    let _ = file.read_to_end(&mut content);
    String::from_utf8_lossy(&content).into_owned()
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, JournalError> {
        let path = path(folder);
        let failed = |error| unavailable(Arc::new(At::new(&path, error)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked { holder: holder_in(&content_of(&mut file)) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let is_empty = is_empty(&file).map_err(failed)?;
        let noted = match is_empty && has_journal(folder).map_err(failed)? {
            true => Some(LOST),
            false => born_in(&content_of(&mut file)),
        };
        let born = birth_of(&file);
        let is_copy = is_copy(noted, born);
        let mut lock = Self { file, born, is_copy };
        // The other birth stays until the copy has been counted.
        let kept = if is_copy { noted } else { born.or(noted) };
        lock.write(kept).map_err(failed)?;
        if is_copy || is_empty {
            // A loss of power must neither hide a restoration nor empty the file.
            lock.file.sync_all().map_err(failed)?;
        }
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
        self.file.write_all(content.as_bytes())?;
        // Last: a full disk, or the end of the process, leaves a birth in the file.
        self.file.set_len(content.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_a_copy_is_told_by_another_birth_and_a_lost_lock_file_without_any() {
        assert!(!is_copy(None, Some(2)) && !is_copy(Some(1), None) && !is_copy(Some(1), Some(1)));
        assert!(is_copy(Some(1), Some(2)));
        assert!(is_copy(Some(LOST), None) && is_copy(Some(LOST), Some(2)));
    }
}
