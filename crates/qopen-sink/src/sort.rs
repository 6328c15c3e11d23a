//! Sorting more records than fit in memory: sorted runs in unnamed files, merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::SinkError;
use crate::temporary::unnamed;

/// Bytes of records that are sorted in memory before a run is written: 32 MiB.
const MEMORY: usize = 32 << 20;

/// Runs that are merged at once; more are first merged among themselves.
const FAN_IN: usize = 64;

/// The name of the unnamed files of the runs, for messages.
const RUN: &str = "a temporary sort file";

/// A record: its key, and the text that goes with it.
pub type Pair = (Box<str>, Box<str>);

/// Sorts records by key and text, in bounded memory, and drops copies.
///
/// A list that is written in the order of its ids is the same file whatever order the pages came
/// in, and two lists can be compared line by line. The runs are unnamed files that only this process
/// can read.
#[derive(Debug)]
pub struct Sorter {
    folder: Option<PathBuf>,
    memory: usize,
    held: usize,
    buffer: Vec<Pair>,
    runs: Vec<File>,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::with_memory(MEMORY)
    }
}

impl Sorter {
    /// A sorter that holds about this many bytes of records in memory.
    #[must_use]
    pub fn with_memory(memory: usize) -> Self {
        Self { folder: None, memory, held: 0, buffer: Vec::new(), runs: Vec::new() }
    }

    /// The same, with its runs in that folder. Without one they are in the system's for temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.folder = folder.map(Path::to_owned);
        self
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`SinkError`], if a run cannot be written.
    pub fn push(&mut self, key: &str, text: &str) -> Result<(), SinkError> {
        self.held += key.len() + text.len() + size_of::<Pair>();
        self.buffer.push((key.into(), text.into()));
        if self.held >= self.memory {
            let records = self.sorted();
            let folder = self.folder.as_deref();
            let run = write_run(folder, records.into_iter().map(Ok))?;
            self.runs.push(run);
            if self.runs.len() >= FAN_IN {
                let all = Merge::new(std::mem::take(&mut self.runs), Vec::new())?;
                let merged = write_run(folder, all)?;
                self.runs.push(merged);
            }
        }
        Ok(())
    }

    /// The records in the order of their keys, those of one key in the order of their texts.
    ///
    /// # Errors
    /// [`SinkError`], here and at each record, if a run cannot be read.
    pub fn finish(mut self) -> Result<impl Iterator<Item = Result<Pair, SinkError>>, SinkError> {
        let last = self.sorted();
        Merge::new(self.runs, last)
    }

    fn sorted(&mut self) -> Vec<Pair> {
        self.held = 0;
        let mut records = std::mem::take(&mut self.buffer);
        records.sort_unstable();
        records.dedup();
        records
    }
}

fn write_run(
    folder: Option<&Path>,
    records: impl Iterator<Item = Result<Pair, SinkError>>,
) -> Result<File, SinkError> {
    let io = || SinkError::io("writing", Path::new(RUN));
    let mut out = BufWriter::with_capacity(1 << 16, unnamed(folder, Path::new(RUN))?);
    for record in records {
        let (key, text) = record?;
        for part in [&key, &text] {
            out.write_all(&(part.len() as u64).to_le_bytes()).map_err(io())?;
            out.write_all(part.as_bytes()).map_err(io())?;
        }
    }
    let mut file = out.into_inner().map_err(|error| io()(error.into_error()))?;
    file.rewind().map_err(io())?;
    Ok(file)
}

/// One of the things that are merged.
enum Run {
    File(BufReader<File>),
    Memory(std::vec::IntoIter<Pair>),
}

impl Run {
    fn next(&mut self) -> Result<Option<Pair>, SinkError> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::File(file) => read_pair(file).map_err(SinkError::io("reading", Path::new(RUN))),
        }
    }
}

fn read_pair(file: &mut BufReader<File>) -> io::Result<Option<Pair>> {
    let Some(key) = read_part(file)? else {
        return Ok(None);
    };
    let text = read_part(file)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some((key, text)))
}

fn read_part(file: &mut BufReader<File>) -> io::Result<Option<Box<str>>> {
    let mut length = [0; 8];
    match file.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::try_from(u64::from_le_bytes(length)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map(|text| Some(text.into())).map_err(io::Error::other)
}

struct Merge {
    runs: Vec<Run>,
    /// The next record of each run that has one, and the run's number.
    heads: BinaryHeap<Reverse<(Pair, usize)>>,
}

impl Merge {
    fn new(files: Vec<File>, memory: Vec<Pair>) -> Result<Self, SinkError> {
        let files = files.into_iter().map(|it| Run::File(BufReader::with_capacity(1 << 16, it)));
        let runs = files.chain([Run::Memory(memory.into_iter())]).collect();
        let mut merge = Self { runs, heads: BinaryHeap::new() };
        for run in 0..merge.runs.len() {
            merge.advance(run)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, run: usize) -> Result<(), SinkError> {
        self.heads.extend(self.runs[run].next()?.map(|pair| Reverse((pair, run))));
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = Result<Pair, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((pair, mut run)) = self.heads.pop()?;
        loop {
            if let Err(error) = self.advance(run) {
                // Nothing that came after could be trusted to be whole.
                self.heads.clear();
                return Some(Err(error));
            }
            // Its copies come next, each from another run.
            match self.heads.peek() {
                Some(Reverse((next, _))) if *next == pair => {}
                _ => return Some(Ok(pair)),
            }
            run = self.heads.pop()?.0.1;
        }
    }
}
