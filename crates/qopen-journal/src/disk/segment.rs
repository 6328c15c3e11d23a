//! Segments: files of records, written from front to back.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use qopen_types::Digest;

use super::allocate::set_aside;
use super::at::At;
use super::faults::Faults;
use super::frame::Kind;
use super::reserve;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) offset: u32,
    /// Bytes up to the next record.
    pub(super) length: u32,
}

/// The number of leading records that fit into `bytes`; at least one.
pub(super) fn fitting(records: &[Location], bytes: usize) -> usize {
    let mut sum = 0;
    let fits = |at: &&Location| {
        sum += at.length as usize;
        sum <= bytes
    };
    records.iter().take_while(fits).count().max(1).min(records.len())
}
/// The version of the written format. Every earlier one is read: 1 had no events, 2 had them between the
/// pages, and 3 had no held lists.
pub(super) const FORMAT: u32 = 4;

/// Bytes before the first record.
pub(super) const START: u32 = 64;

const MAGIC: [u8; 8] = *b"qopenjrn";

/// The streams of segments. Events have their own, because they are deleted long before pages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    /// Everything but events.
    Pages = 0,
    /// Events, and their acknowledgements.
    Events = 1,
}

impl Stream {
    pub(super) const ALL: [Self; 2] = [Self::Pages, Self::Events];

    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Event | Kind::Taken => Self::Events,
            _ => Self::Pages,
        }
    }
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) number: u32,
    /// Bytes that were set aside for it. A segment that was closed in order is cut to its end.
    pub(super) capacity: u32,
    pub(super) stream: Stream,
    /// Whether it was made for the last batch of the previous segment, which may not be durable
    /// there.
    pub(super) secures: bool,
    /// The segment before, of the same stream.
    pub(super) previous: u32,
    /// Where that one ends: nothing beyond was ever promised.
    pub(super) previous_end: u32,
}

impl Opening {
    fn write(&self) -> [u8; START as usize] {
        let mut out = [0; START as usize];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[12..16].copy_from_slice(&self.number.to_le_bytes());
        out[16..20].copy_from_slice(&self.capacity.to_le_bytes());
        out[20..24].copy_from_slice(&self.previous.to_le_bytes());
        out[24..28].copy_from_slice(&self.previous_end.to_le_bytes());
        (out[28], out[29]) = (self.stream as u8, u8::from(self.secures));
        let check = Digest::of(&out[..48]).to_u128().to_le_bytes();
        out[48..].copy_from_slice(&check);
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoOpening> {
        let Some(bytes) = bytes.get(..START as usize) else { return Err(NoOpening::Damaged) };
        let number = |at: usize| {
            let mut four = [0; 4];
            four.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(four)
        };
        if Digest::of(&bytes[..48]).to_u128().to_le_bytes() != bytes[48..] || bytes[..8] != MAGIC {
            return Err(NoOpening::Damaged);
        }
        if !(1..=FORMAT).contains(&number(8)) {
            return Err(NoOpening::Format(number(8)));
        }
        let (previous, previous_end) = (number(20), number(24));
        let stream = if bytes[28] == 1 { Stream::Events } else { Stream::Pages };
        let (secures, number, capacity) = (bytes[29] == 1, number(12), number(16));
        Ok(Self { number, capacity, stream, secures, previous, previous_end })
    }
}

/// Writes a part of a segment over itself, syncs it, and cuts off what is behind it. Takes no
/// space.
pub(super) fn write_again(path: &Path, from: u32, to: u32, faults: &Faults) -> io::Result<()> {
    faults.before_write()?;
    faults.before_again()?;
    let file = File::options().read(true).write(true).open(path)?;
    let mut at = from;
    while at < to {
        let bytes = read_record(&file, at, (to - at).min(AT_A_TIME))?;
        if bytes.is_empty() {
            // The zeros that fill the last record up need not be there.
            break;
        }
        write_all_at(&file, &bytes, u64::from(at))?;
        at += u32::try_from(bytes.len()).map_err(io::Error::other)?;
    }
    faults.before_sync()?;
    file.sync_data()?;
    file.set_len(u64::from(to))?;
    file.sync_data()
}

/// Bytes that are written again in one go.
const AT_A_TIME: u32 = 1 << 20;

/// Makes the segments that are stored and follow another say that it ends elsewhere.
pub(super) fn name_end(folder: &Path, previous: u32, end: u32) -> Result<(), At> {
    use std::io::{Read as _, Seek as _, Write as _};
    let amend = |path: &Path| {
        let mut file = File::options().read(true).write(true).open(path)?;
        let mut bytes = [0; START as usize];
        file.read_exact(&mut bytes)?;
        let Ok(opening) = Opening::read(&bytes) else { return Ok(()) };
        if opening.previous == previous {
            file.rewind()?;
            file.write_all(&Opening { previous_end: end, ..opening }.write())?;
            file.sync_data()?;
        }
        Ok(())
    };
    let numbers = numbers(folder).map_err(|error| At::new(folder, error))?;
    for number in numbers.into_iter().filter(|number| *number > previous) {
        let path = path_of(folder, number);
        amend(&path).map_err(|error| At::new(&path, error))?;
    }
    Ok(())
}

/// The format of a segment, if its beginning holds.
pub(super) fn format_of(bytes: &[u8]) -> Result<u32, NoOpening> {
    Opening::read(bytes).map(|_| u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]))
}

/// Why a segment's beginning cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoOpening {
    Damaged,
    Format(u32),
}

/// The file of that segment.
pub(super) fn path_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.log"))
}

/// The numbers of the segments that are there, in order.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = |name: &str| name.strip_suffix(".log")?.parse::<u32>().ok();
        numbers.extend(name.to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    file: File,
    pub(super) opening: Opening,
    /// The place of the next record; everything before is durable.
    pub(super) end: u32,
    faults: Faults,
}

impl Active {
    /// Makes a segment and sets its room aside.
    pub(super) fn create(folder: &Path, opening: Opening, faults: &Faults) -> io::Result<Self> {
        let path = path_of(folder, opening.number);
        let made = Self::make(&path, opening, faults);
        if made.is_err() {
            // It holds nothing. Where it cannot be removed, it is found as a segment without records.
            let _ = std::fs::remove_file(&path);
        }
        made
    }

    fn make(path: &Path, opening: Opening, faults: &Faults) -> io::Result<Self> {
        faults.before_create(path.parent().is_some_and(reserve::exists))?;
        faults.before_write()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        set_aside(&file, u64::from(opening.capacity))?;
        let active = Self { file, opening, end: START, faults: faults.clone() };
        write_all_at(&active.file, &opening.write(), 0)?;
        // The first append makes it durable; that it is there must be so too.
        sync_folder(path.parent().unwrap_or(path))?;
        Ok(active)
    }

    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        bytes <= (self.opening.capacity - self.end) as usize
    }

    /// Writes at the end, and makes it durable.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.faults.before_write()?;
        write_all_at(&self.file, bytes, u64::from(self.end))?;
        self.faults.before_sync()?;
        self.file.sync_data()?;
        self.still_there()?;
        // It had room.
        self.end += u32::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(())
    }

    /// A deleted file accepts everything and keeps nothing.
    #[cfg(unix)]
    fn still_there(&self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        match self.file.metadata()?.nlink() {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "the journal's file was deleted")),
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    fn still_there(&self) -> io::Result<()> {
        Ok(())
    }

    /// Cuts the file to its records, which are durable already: the rest of a failed append is
    /// removed, if that works.
    pub(super) fn close(self) {
        let _ = self.file.set_len(u64::from(self.end));
    }

    /// Checks whether the file accepts writes, by writing its beginning again.
    pub(super) fn probe(&self) -> io::Result<()> {
        self.faults.before_write()?;
        write_all_at(&self.file, &self.opening.write(), 0)?;
        self.faults.before_sync()?;
        self.file.sync_data()?;
        self.still_there()
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Makes durable which files are in a folder.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

/// Reads the record at this place; fewer bytes if the file ends before, as it may in the padding.
pub(super) fn read_record(file: &File, offset: u32, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    let mut read = 0;
    while read < bytes.len() {
        match read_at(file, &mut bytes[read..], u64::from(offset) + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(bytes)
}
