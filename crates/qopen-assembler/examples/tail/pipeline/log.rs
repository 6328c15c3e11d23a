//! The writer's side of a log, and what rotates it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::pages::Sent;
use super::Line;

/// A file to which one process appends lines.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// What the last line still lacks.
    rest: Vec<u8>,
}

impl Log {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: append(path)?, rest: Vec::new() })
    }

    /// Appends a page.
    pub(crate) fn append(&mut self, at: u64, page: &Sent) -> io::Result<()> {
        self.append_half(at, page)?;
        self.finish()
    }

    /// Appends the first half of a line, as a reader may find it.
    pub(crate) fn append_half(&mut self, at: u64, page: &Sent) -> io::Result<()> {
        self.finish()?;
        // A writer goes on in the file that it has open, until it opens its log again between two lines.
        self.file = append(&self.path)?;
        let mut line = serde_json::to_vec(&Line { at, page: page.clone() })?;
        line.push(b'\n');
        self.rest = line.split_off(line.len() / 2);
        self.file.write_all(&line)
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.file.write_all(&std::mem::take(&mut self.rest))
    }

    /// `PATH` becomes `PATH.1`, which becomes `PATH.2`, and so on.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        self.shift()?;
        fs::rename(&self.path, self.numbered(1))?;
        append(&self.path).map(drop)
    }

    /// `PATH.1` becomes a copy of `PATH`, which becomes empty.
    pub(crate) fn copy_and_truncate(&mut self) -> io::Result<()> {
        self.finish()?;
        self.shift()?;
        fs::copy(&self.path, self.numbered(1))?;
        self.truncate()
    }

    pub(crate) fn truncate(&mut self) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.path)?.set_len(0)
    }

    fn shift(&self) -> io::Result<()> {
        let last = (1..).find(|number| !self.numbered(*number).exists()).unwrap_or(1);
        for number in (1..last).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        Ok(())
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
