//! Lines that are set aside while a list is written: few in memory, many in an unnamed file.

use std::io::{BufRead as _, BufReader, Seek as _, Write as _};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::SinkError;

/// Bytes that are held in memory before a file is used: 1 MiB.
const MEMORY: usize = 1 << 20;

/// The name of the unnamed file, for messages.
const FILE: &str = "a temporary quarantine file";

/// Lines set aside, in order. `Debug` prints only how many.
pub struct Quarantine {
    file: SpooledTempFile,
    lines: u64,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self::in_folder(None)
    }
}

impl Quarantine {
    /// A quarantine whose file is in this folder, or in the system's folder for temporary files.
    #[must_use]
    pub fn in_folder(folder: Option<&Path>) -> Self {
        let file = folder.map_or_else(
            || SpooledTempFile::new(MEMORY),
            |folder| SpooledTempFile::new_in(MEMORY, folder),
        );
        Self { file, lines: 0 }
    }

    /// Sets a line aside. Its line breaks, if it has any, become spaces.
    ///
    /// # Errors
    /// [`SinkError`], if the file cannot be written.
    pub fn push(&mut self, line: &str) -> Result<(), SinkError> {
        let line = line.replace(['\n', '\r'], " ");
        writeln!(self.file, "{line}").map_err(SinkError::io("writing", Path::new(FILE)))?;
        self.lines += 1;
        Ok(())
    }

    /// How many lines were set aside.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.lines
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The lines, from the first.
    ///
    /// # Errors
    /// [`SinkError`], here and at each line, if the file cannot be read.
    pub fn into_lines(
        mut self,
    ) -> Result<impl Iterator<Item = Result<String, SinkError>>, SinkError> {
        let reading = || SinkError::io("reading", Path::new(FILE));
        self.file.rewind().map_err(reading())?;
        Ok(BufReader::new(self.file).lines().map(move |line| line.map_err(reading())))
    }
}

impl std::fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quarantine").field("lines", &self.lines).finish_non_exhaustive()
    }
}
