//! Lines and rows of bounded length, read in place.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use super::problem::ListProblem;
use crate::SinkError;

/// Bytes that are read at once: 256 KiB.
const BUFFER: usize = 1 << 18;

/// The longest line or row of a list: 64 MiB.
pub(super) const RECORD: usize = 64 << 20;

/// The longest line of changes, which may hold two records: 192 MiB.
pub(super) const CHANGE: usize = 192 << 20;

/// A file's lines or rows, one at a time. Every one has an end.
pub(super) struct Lines<'a, R> {
    reader: BufReader<R>,
    path: &'a Path,
    limit: usize,
    /// The number of the current line, from 1; of a row, the number of its first line.
    number: u64,
    /// Line breaks inside the current row.
    breaks: u64,
    /// Whether line breaks in quotes belong to a row of CSV.
    has_quotes: bool,
    /// The current line, if it does not lie in the reader's buffer.
    long: Vec<u8>,
    is_long: bool,
    /// Bytes of the buffer that the current line takes, with its end.
    taken: usize,
}

impl<'a, R: Read> Lines<'a, R> {
    /// Reads lines after the first `before` ones of that file.
    pub(super) fn new(reader: R, path: &'a Path, limit: usize, before: u64) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, reader),
            path,
            limit,
            number: before,
            breaks: 0,
            has_quotes: false,
            long: Vec::new(),
            is_long: false,
            taken: 0,
        }
    }

    /// Reads rows of CSV, which may have line breaks in quotes.
    pub(super) fn rows(self) -> Self {
        Self { has_quotes: true, ..self }
    }

    /// The number of the current line.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Moves to the next line. Returns false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, SinkError> {
        let reading = || SinkError::io("reading", self.path);
        self.reader.consume(std::mem::take(&mut self.taken));
        self.is_long = false;
        let buffer = self.reader.fill_buf().map_err(reading())?;
        if buffer.is_empty() {
            return Ok(false);
        }
        self.number += 1 + std::mem::take(&mut self.breaks);
        let mut is_quoted = false;
        let found = end(buffer, self.has_quotes, &mut is_quoted, &mut self.breaks);
        if let Some(end) = found {
            self.taken = end + 1;
            return Ok(true);
        }
        self.is_long = true;
        self.long.clear();
        (self.breaks, is_quoted) = (0, false);
        loop {
            let buffer = self.reader.fill_buf().map_err(reading())?;
            if buffer.is_empty() {
                let line = self.number + self.breaks;
                return Err(self.fails(ListProblem::CutOff { line }));
            }
            let end = end(buffer, self.has_quotes, &mut is_quoted, &mut self.breaks);
            let part = end.unwrap_or(buffer.len());
            if self.long.len() + part > self.limit {
                let limit = (self.limit >> 20) as u64;
                return Err(self.fails(ListProblem::TooLong { line: self.number, limit }));
            }
            self.long.extend_from_slice(&buffer[..part]);
            self.reader.consume(part + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The current line without its end.
    pub(super) fn line(&self) -> &[u8] {
        match self.is_long {
            true => &self.long,
            false => self.reader.buffer().get(..self.taken.saturating_sub(1)).unwrap_or_default(),
        }
    }

    /// The error of this file.
    pub(super) fn fails(&self, problem: ListProblem) -> SinkError {
        fails(self.path, problem)
    }
}

/// Finds the end of a line, or of a row. `is_quoted` and `breaks` are those of the row up to this part of it.
fn end(part: &[u8], has_quotes: bool, is_quoted: &mut bool, breaks: &mut u64) -> Option<usize> {
    if !has_quotes {
        return memchr::memchr(b'\n', part);
    }
    for at in memchr::memchr2_iter(b'"', b'\n', part) {
        match (part[at], *is_quoted) {
            (b'"', _) => *is_quoted = !*is_quoted,
            (_, true) => *breaks += 1,
            (_, false) => return Some(at),
        }
    }
    None
}

/// The error of a file that cannot be compared.
pub(super) fn fails(path: &Path, problem: ListProblem) -> SinkError {
    SinkError::NotAList { path: PathBuf::from(path), problem }
}
