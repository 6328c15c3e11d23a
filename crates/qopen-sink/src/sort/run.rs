//! Sorted records in memory and in unnamed files.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::record::{HEAD, Place, Record, lengths};
use crate::SinkError;
use crate::temporary::unnamed;

/// Bytes that are read from a run at once: 64 KiB.
const READ: usize = 1 << 16;

/// Bytes that are written to a run at once: 256 KiB.
const WRITTEN: usize = 1 << 18;

/// The name of the unnamed files of the runs, for messages.
pub(super) const RUN: &str = "a temporary sort file";

/// A run that is written.
pub(super) struct NewRun(BufWriter<File>);

impl NewRun {
    pub(super) fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        let file = unnamed(folder, Path::new(RUN))?;
        Ok(Self(BufWriter::with_capacity(WRITTEN, file)))
    }

    pub(super) fn push(&mut self, record: Record<'_>) -> Result<(), SinkError> {
        self.0.write_all(record.0).map_err(SinkError::io("writing", Path::new(RUN)))
    }

    pub(super) fn finish(self) -> Result<File, SinkError> {
        let writing = || SinkError::io("writing", Path::new(RUN));
        let mut file = self.0.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.rewind().map_err(writing())?;
        Ok(file)
    }
}

/// One of the things that are merged, at its current record.
pub(super) enum Run {
    /// With the current record.
    File(BufReader<File>, Vec<u8>),
    /// With the places of the records that come next, the last one first.
    Memory { arena: Vec<u8>, places: Vec<Place>, at: usize },
}

impl Run {
    pub(super) fn of_file(file: File) -> Self {
        Self::File(BufReader::with_capacity(READ, file), Vec::new())
    }

    pub(super) fn of_memory(arena: Vec<u8>, mut places: Vec<Place>) -> Self {
        places.reverse();
        Self::Memory { arena, places, at: 0 }
    }

    /// Moves to the next record. Returns false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, SinkError> {
        match self {
            Self::Memory { places, at, .. } => {
                let next = places.pop();
                *at = next.as_ref().map_or(*at, |next| next.at);
                Ok(next.is_some())
            }
            Self::File(file, record) => {
                read_record(file, record).map_err(SinkError::io("reading", Path::new(RUN)))
            }
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        match self {
            Self::Memory { arena, at, .. } => Record::at(arena, *at),
            Self::File(_, record) => Record(record),
        }
    }
}

/// Reads the next record. Returns false at the end.
fn read_record(file: &mut BufReader<File>, record: &mut Vec<u8>) -> io::Result<bool> {
    let mut head = [0; HEAD];
    match file.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let (key, text) = lengths(&head);
    record.resize(HEAD + key + text, 0);
    record[..HEAD].copy_from_slice(&head);
    file.read_exact(&mut record[HEAD..])?;
    Ok(true)
}
