//! The lock file, which names its holder: one process at a time uses a journal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::at::{At, unavailable};
use crate::JournalError;

/// The lock file of a journal's folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// Holds the journal's folder until it is dropped, or the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a child process that was just forked has the file too. If
        // unlocking fails, closing is all that remains.
        let _ = self.file.unlock();
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
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // An unreadable file names no process.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "it does not say which".to_owned(),
                    holder => holder.to_owned(),
                };
                return Err(JournalError::Locked { holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "process {}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}
