//! Unreadable items on their way into their file.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::beside::{folder, remove};
use crate::{Quarantine, SinkError, temporary};

/// Unreadable items, ready to be put in their place.
pub(crate) struct Staged {
    path: PathBuf,
    file: Option<NamedTempFile>,
}

impl Staged {
    pub(crate) fn new(path: PathBuf, quarantine: Quarantine) -> Result<Self, SinkError> {
        if quarantine.is_empty() {
            return Ok(Self { path, file: None });
        }
        let mut file = BufWriter::new(temporary::beside(folder(&path))?);
        let writing = || SinkError::io("writing", &path);
        for line in quarantine.into_lines()? {
            writeln!(file, "{}", line?).map_err(writing())?;
        }
        let file = file.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        Ok(Self { path, file: Some(file) })
    }

    /// Whether there are any.
    pub(crate) fn is_some(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn location(&self) -> Option<String> {
        self.file.as_ref().map(|_| self.path.display().to_string())
    }

    /// Puts the items in their place, or removes an earlier file if there are none. Returns whether
    /// there are any.
    pub(crate) fn commit(self) -> Result<bool, SinkError> {
        match self.file {
            Some(file) => {
                let persisted = file.persist(&self.path);
                persisted.map_err(|it| SinkError::io("writing", &self.path)(it.error))?;
                Ok(true)
            }
            None => remove(&self.path).map(|()| false),
        }
    }
}
