//! The place of a list: its file, and the files of changes beside it.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lines::fails;
use super::problem::ListProblem;
use crate::SinkError;

/// A list and the files of changes beside it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) path: PathBuf,
    /// The list, if there is one.
    pub(super) list: Option<File>,
    /// The changes that led to it.
    pub(super) changes: PathBuf,
    /// These changes, while a publication replaces both.
    pub(super) kept: PathBuf,
}

impl Place {
    /// Opens the list, if there is one.
    ///
    /// # Errors
    /// [`SinkError::NotAList`]: it cannot be read.
    pub(crate) fn open(path: &Path, changes: PathBuf, kept: PathBuf) -> Result<Self, SinkError> {
        Ok(Self { path: path.to_owned(), list: open(path)?, changes, kept })
    }

    /// Whether the list was removed, and its changes are there. A first publication that ended early leaves its
    /// changes under the name of the kept ones.
    pub(super) fn is_removed(&self) -> bool {
        self.list.is_none() && fs::symlink_metadata(&self.changes).is_ok()
    }

    /// Identifies the file of the list.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, SinkError> {
        let Some(file) = &self.list else { return Ok(None) };
        let found = file.metadata().map_err(SinkError::io("looking at", &self.path))?;
        Ok(Some(Identity::of(&found)))
    }
}

/// Identifies the file at a path, if there is one.
pub(crate) fn identity(path: &Path) -> Result<Option<Identity>, SinkError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(Identity::of(&found))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SinkError::io("looking at", path)(error)),
    }
}

/// Identifies a file and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    number: Option<(u64, u64)>,
    length: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    pub(crate) fn of(found: &Metadata) -> Self {
        Self { number: number(found), length: found.len(), modified: found.modified().ok() }
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have no number")]
fn number(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Opens a file if it exists.
fn open(path: &Path) -> Result<Option<File>, SinkError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fails(path, ListProblem::Unreadable { kind: error.kind() })),
    }
}
