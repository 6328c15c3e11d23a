//! Failures of the file system, with the file.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::JournalError;

/// An error, with its file.
#[derive(Debug)]
pub(super) struct At {
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

impl At {
    pub(super) fn new(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self { path: path.into(), error }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl std::error::Error for At {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

pub(super) fn unavailable(error: Arc<At>) -> JournalError {
    JournalError::Unavailable(Box::new(error))
}

pub(super) fn stopped() -> JournalError {
    JournalError::Fatal("the journal's thread has stopped".into())
}

pub(super) fn too_large(bytes: usize) -> JournalError {
    JournalError::Fatal(format!("a payload of {bytes} bytes is too large for a record").into())
}
