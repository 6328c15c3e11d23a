//! The records of lists, in the order of robots and ids, in a file that only this process can read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use qopen_sink::storage::unnamed;
use qopen_sink::{SinkError, Sorter};

use crate::error::SqliteError;

/// The name of the file in messages.
pub(crate) const RECORDS: &str = "the records of a list";

/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 18;

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(action, Path::new(RECORDS))
}

/// Records on their way into the file.
pub(crate) struct Spool {
    out: BufWriter<File>,
    folder: Option<PathBuf>,
    /// The last robot and id.
    last: (usize, String),
    /// Whether each record comes after the one before.
    is_sorted: bool,
    counts: Vec<i64>,
}

impl Spool {
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        let out = BufWriter::with_capacity(BUFFER, unnamed(folder, Path::new(RECORDS))?);
        let (folder, last) = (folder.map(Path::to_owned), (0, String::new()));
        Ok(Self { out, folder, last, is_sorted: true, counts: Vec::new() })
    }

    /// Adds a record. `robot` counts the lists, from 0.
    pub(crate) fn push(&mut self, robot: usize, id: &str, record: &str) -> Result<(), SinkError> {
        self.is_sorted &= (robot, id) > (self.last.0, self.last.1.as_str());
        self.last.0 = robot;
        self.last.1.clear();
        self.last.1.push_str(id);
        count(&mut self.counts, robot);
        put(&mut self.out, robot, id, record).map_err(failed("writing"))
    }

    /// Returns the records in order.
    pub(crate) fn finish(self) -> Result<Records, SinkError> {
        let file = self.out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        if self.is_sorted {
            return Ok(Records { file, counts: self.counts });
        }
        let mut sorter = Sorter::default().in_folder(self.folder.as_deref());
        let mut reader = Reader::new(&file)?;
        while reader.advance()? {
            let key = format!("{:016x}{}", reader.robot, reader.id);
            sorter.push(&key, &reader.record)?;
        }
        let file = unnamed(self.folder.as_deref(), Path::new(RECORDS))?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let (mut last, mut counts) = (None, Vec::new());
        for pair in sorter.finish()? {
            let (key, record) = pair?;
            if last.as_ref() == Some(&key) {
                return Err(SqliteError::Repeated.into());
            }
            let (robot, id) = key.split_at(16);
            let robot = usize::from_str_radix(robot, 16).unwrap_or_default();
            count(&mut counts, robot);
            put(&mut out, robot, id, &record).map_err(failed("writing"))?;
            last = Some(key);
        }
        let file = out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        Ok(Records { file, counts })
    }
}

fn count(counts: &mut Vec<i64>, robot: usize) {
    if counts.len() <= robot {
        counts.resize(robot + 1, 0);
    }
    counts[robot] += 1;
}

fn put(out: &mut impl io::Write, robot: usize, id: &str, record: &str) -> io::Result<()> {
    for number in [robot, id.len(), record.len()] {
        let number = u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(id.as_bytes())?;
    out.write_all(record.as_bytes())
}

/// All records, each robot's in the order of their ids.
pub(crate) struct Records {
    file: File,
    /// Each robot's number of records.
    counts: Vec<i64>,
}

impl Records {
    pub(crate) fn count(&self, robot: usize) -> i64 {
        self.counts.get(robot).copied().unwrap_or_default()
    }

    /// Reads the records from the first.
    pub(crate) fn read(&self) -> Result<Reader<'_>, SinkError> {
        Reader::new(&self.file)
    }
}

/// A reader of records. One at a time reads a file.
pub(crate) struct Reader<'a> {
    file: BufReader<&'a File>,
    /// The place of the next record.
    next: u64,
    /// The place of the current record.
    pub(crate) place: u64,
    pub(crate) robot: usize,
    pub(crate) id: String,
    pub(crate) record: String,
}

impl<'a> Reader<'a> {
    fn new(file: &'a File) -> Result<Self, SinkError> {
        let mut file = BufReader::with_capacity(BUFFER, file);
        file.rewind().map_err(failed("reading"))?;
        let (id, record) = (String::new(), String::new());
        Ok(Self { file, next: 0, place: 0, robot: 0, id, record })
    }

    /// Moves to the next record. Returns false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, SinkError> {
        let Some([robot, id, record]) = self.head().map_err(failed("reading"))? else {
            return Ok(false);
        };
        self.robot = robot;
        let mut read = || {
            fill(&mut self.file, &mut self.id, id)?;
            fill(&mut self.file, &mut self.record, record)
        };
        read().map_err(failed("reading"))?;
        Ok(true)
    }

    /// Moves to the record at a place.
    pub(crate) fn go(&mut self, place: u64) -> Result<(), SinkError> {
        let forward = place.checked_sub(self.next).and_then(|it| i64::try_from(it).ok());
        match forward {
            Some(forward) => self.file.seek_relative(forward),
            None => self.file.seek(SeekFrom::Start(place)).map(drop),
        }
        .map_err(failed("reading"))?;
        self.next = place;
        match self.advance()? {
            true => Ok(()),
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
        let [robot, id, record] = [number(0), number(4), number(8)];
        self.place = self.next;
        self.next += (head.len() + id + record) as u64;
        Ok(Some([robot, id, record]))
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
