//! The records of lists, in the order of robots and ids, in a file that only this process can read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::record_error::RecordError;
use crate::temporary::unnamed;
use crate::{SinkError, Sorter};

/// The name of a [`Spool`]'s file in messages.
pub const RECORDS: &str = "the records of a list";

/// Bytes that are read and written at once: 256 KiB.
const BUFFER: usize = 1 << 18;

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(action, Path::new(RECORDS))
}

/// Records on their way into an unnamed file.
pub struct Spool {
    out: BufWriter<File>,
    folder: Option<PathBuf>,
    /// The last robot and id.
    last: (usize, String),
    /// Whether each record comes after the one before.
    is_sorted: bool,
    counts: Vec<i64>,
}

impl Spool {
    /// Creates the file in this folder, or in the system's folder of temporary files.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be created.
    pub fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        let out = BufWriter::with_capacity(BUFFER, unnamed(folder, Path::new(RECORDS))?);
        let (folder, last) = (folder.map(Path::to_owned), (0, String::new()));
        Ok(Self { out, folder, last, is_sorted: true, counts: Vec::new() })
    }

    /// Adds a record. `robot` counts the lists, from 0.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be written.
    pub fn push(&mut self, robot: usize, id: &str, record: &str) -> Result<(), SinkError> {
        self.is_sorted &= (robot, id) > (self.last.0, self.last.1.as_str());
        self.last.0 = robot;
        self.last.1.clear();
        self.last.1.push_str(id);
        count(&mut self.counts, robot);
        put(&mut self.out, robot, id.as_bytes(), record.as_bytes()).map_err(failed("writing"))
    }

    /// Returns the records in order, without copies.
    ///
    /// # Errors
    /// [`RecordError::Repeated`], if an id comes twice with different records, and [`SinkError::Io`].
    pub fn finish(self) -> Result<Records, SinkError> {
        let file = self.out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        if self.is_sorted {
            return Ok(Records { file, counts: self.counts });
        }
        let mut sorter = Sorter::default().in_folder(self.folder.as_deref());
        let mut reader = RecordReader::new(&file)?;
        while reader.advance()? {
            let SpooledRecord { robot, id, text, .. } = &reader.current;
            sorter.push(&format!("{robot:016x}{id}"), text.as_bytes())?;
        }
        let file = unnamed(self.folder.as_deref(), Path::new(RECORDS))?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let (mut last, mut counts) = (Vec::new(), Vec::new());
        let mut sorted = sorter.finish()?;
        while sorted.advance()? {
            let key = sorted.key();
            if last == key {
                return Err(RecordError::Repeated.into());
            }
            last.clear();
            last.extend_from_slice(key);
            let (robot, id) = key.split_at(16);
            let robot = std::str::from_utf8(robot).ok();
            let robot = robot.and_then(|it| usize::from_str_radix(it, 16).ok()).unwrap_or_default();
            count(&mut counts, robot);
            put(&mut out, robot, id, sorted.text()).map_err(failed("writing"))?;
        }
        let file = out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        Ok(Records { file, counts })
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("is_sorted", &self.is_sorted).finish_non_exhaustive()
    }
}

fn count(counts: &mut Vec<i64>, robot: usize) {
    if counts.len() <= robot {
        counts.resize(robot + 1, 0);
    }
    counts[robot] += 1;
}

fn put(out: &mut impl io::Write, robot: usize, id: &[u8], record: &[u8]) -> io::Result<()> {
    for number in [robot, id.len(), record.len()] {
        let number = u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(id)?;
    out.write_all(record)
}

/// All records, each robot's in the order of their ids.
#[derive(Debug)]
pub struct Records {
    file: File,
    /// Each robot's number of records.
    counts: Vec<i64>,
}

impl Records {
    /// Returns the number of a robot's records.
    #[must_use]
    pub fn count(&self, robot: usize) -> i64 {
        self.counts.get(robot).copied().unwrap_or_default()
    }

    /// Reads the records from the first. One reader at a time reads the file.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be read.
    pub fn read(&self) -> Result<RecordReader<'_>, SinkError> {
        let mut reader = RecordReader::new(&self.file)?;
        reader.advance()?;
        Ok(reader)
    }
}

/// A record of a [`Spool`]. `Debug` prints only its place.
#[derive(Default)]
#[non_exhaustive]
pub struct SpooledRecord {
    /// The place of its list, from 0.
    pub robot: usize,
    /// The account's id.
    pub id: String,
    /// The record, a line of JSON.
    pub text: String,
    /// Its place in the file, for [`RecordReader::go`].
    pub place: u64,
}

impl fmt::Debug for SpooledRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpooledRecord").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A reader of records.
#[derive(Debug)]
pub struct RecordReader<'a> {
    file: BufReader<&'a File>,
    /// The place of the next record.
    next: u64,
    current: SpooledRecord,
    is_at_end: bool,
}

impl<'a> RecordReader<'a> {
    fn new(file: &'a File) -> Result<Self, SinkError> {
        let mut file = BufReader::with_capacity(BUFFER, file);
        file.rewind().map_err(failed("reading"))?;
        Ok(Self { file, next: 0, current: SpooledRecord::default(), is_at_end: false })
    }

    /// Returns the current record; `None` at the end.
    #[must_use]
    pub fn current(&self) -> Option<&SpooledRecord> {
        (!self.is_at_end).then_some(&self.current)
    }

    /// Returns the current record, if it belongs to that list.
    #[must_use]
    pub fn current_of(&self, robot: usize) -> Option<&SpooledRecord> {
        self.current().filter(|it| it.robot == robot)
    }

    /// Moves to the next record. Returns false at the end.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be read.
    pub fn advance(&mut self) -> Result<bool, SinkError> {
        let head = self.head().map_err(failed("reading"))?;
        self.is_at_end = head.is_none();
        let Some([robot, id, text]) = head else { return Ok(false) };
        self.current.robot = robot;
        let mut read = || {
            fill(&mut self.file, &mut self.current.id, id)?;
            fill(&mut self.file, &mut self.current.text, text)
        };
        read().map_err(failed("reading"))?;
        Ok(true)
    }

    /// Moves to the record at a place, and returns it.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be read.
    pub fn go(&mut self, place: u64) -> Result<&SpooledRecord, SinkError> {
        let forward = place.checked_sub(self.next).and_then(|it| i64::try_from(it).ok());
        match forward {
            Some(forward) => self.file.seek_relative(forward),
            None => self.file.seek(SeekFrom::Start(place)).map(drop),
        }
        .map_err(failed("reading"))?;
        self.next = place;
        match self.advance()? {
            true => Ok(&self.current),
            false => Err(failed("reading")(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn head(&mut self) -> io::Result<Option<[usize; 3]>> {
        let mut head = [0; 12];
        match self.file.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            done => done?,
        }
        let number = |at: usize| {
            let bytes = head.get(at..at + 4).and_then(|it| it.try_into().ok());
            u32::from_le_bytes(bytes.unwrap_or_default()) as usize
        };
        let [robot, id, text] = [number(0), number(4), number(8)];
        self.current.place = self.next;
        self.next += (head.len() + id + text) as u64;
        Ok(Some([robot, id, text]))
    }
}

/// Replaces a text by the next bytes.
fn fill(file: &mut impl io::Read, text: &mut String, length: usize) -> io::Result<()> {
    let mut bytes = std::mem::take(text).into_bytes();
    bytes.resize(length, 0);
    file.read_exact(&mut bytes)?;
    *text = String::from_utf8(bytes).map_err(io::Error::other)?;
    Ok(())
}
