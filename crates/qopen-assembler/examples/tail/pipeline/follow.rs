//! Follows a file to which lines are appended, through rotation, truncation and restarts.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use qopen_assembler::PageDigest;
use serde::{Deserialize, Serialize};

/// Bytes before a position that recognise its file: 64 KiB.
const WINDOW: u64 = 64 << 10;

/// Bytes of the longest line: 16 MiB.
const LONGEST: u64 = 16 << 20;

/// How far a log was read.
///
/// The bytes before the offset recognise the file, whatever its name is by now. A shorter file than the window is
/// recognised by all that was read of it. Lines carry their time, so that no truncated file begins as it did before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Bytes that were read. The next line begins there.
    offset: u64,
    /// The digest of the last bytes among them. `None` at the start.
    window: Option<PageDigest>,
}

impl Position {
    /// The position at this offset of a file.
    fn at(file: &mut File, offset: u64) -> io::Result<Self> {
        let length = offset.min(WINDOW);
        file.seek(SeekFrom::Start(offset - length))?;
        let mut window = Vec::new();
        file.take(length).read_to_end(&mut window)?;
        if window.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { offset, window: Some(PageDigest::of(&window)) })
    }

    fn is_in(self, file: &mut File) -> io::Result<bool> {
        let is_long_enough = file.metadata()?.len() >= self.offset;
        Ok(self.window.is_some() && is_long_enough && Self::at(file, self.offset)? == self)
    }
}

/// What a log has.
pub(crate) enum Found<'a> {
    /// A whole line, without its end.
    Line(&'a [u8]),
    /// The file of the position is gone, and lines may be lost. All files of the log follow.
    Gap,
}

/// Calls `found` with what the log has since a position, and moves the position on.
///
/// The log is `PATH`, and before it `PATH.1`, `PATH.2` and so on. After an error the position is unchanged, and the
/// next call repeats lines. A page that is read twice is a copy, which changes no list.
pub(crate) fn follow(
    path: &Path,
    position: &mut Position,
    mut found: impl FnMut(Found<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut files = open(path)?;
    let mut own = None;
    // A newer file may begin with copies of the same lines. The oldest one that fits skips none.
    for (at, file) in files.iter_mut().enumerate().rev() {
        if position.is_in(file)? {
            own = Some(at);
            break;
        }
    }
    let (mut next, mut offset) = (*position, own.map_or(0, |_| position.offset));
    if own.is_none() && position.window.is_some() {
        found(Found::Gap)?;
        next = Position::default();
    }
    files.truncate(own.map_or(files.len(), |at| at + 1));
    while let Some(mut file) = files.pop() {
        let mut is_followed = false;
        for newer in &files {
            is_followed |= newer.metadata()?.len() > 0;
        }
        let end = lines(&mut file, offset, is_followed, &mut found)?;
        if end > 0 {
            next = Position::at(&mut file, end)?;
        }
        offset = 0;
    }
    *position = next;
    Ok(())
}

/// The files of a log, newest first: a rotation meanwhile makes one appear twice, and none be skipped.
fn open(path: &Path) -> io::Result<Vec<File>> {
    let rotated = (1..).map(|number| {
        let mut name = OsString::from(path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let mut files = Vec::new();
    for (number, path) in std::iter::once(path.to_owned()).chain(rotated).enumerate() {
        match File::open(path) {
            Ok(file) => files.push(file),
            // Between its two steps, a rotation leaves no file of the newest name.
            Err(error) if error.kind() == io::ErrorKind::NotFound && number == 0 => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// Reads the lines from an offset on. Returns the offset of the first line that has no end yet. In a file that another
/// one follows, the last line needs no end: its writer is gone.
fn lines(
    file: &mut File,
    mut offset: u64,
    is_followed: bool,
    found: &mut impl FnMut(Found<'_>) -> io::Result<()>,
) -> io::Result<u64> {
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let length = reader.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)? as u64;
        match bytes.split_last() {
            Some((b'\n', whole)) => found(Found::Line(whole))?,
            _ if length == LONGEST => {
                let what = format!("the line at byte {offset} is longer than {LONGEST} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            Some(_) if is_followed => found(Found::Line(&bytes))?,
            _ => return Ok(offset),
        }
        offset += length;
    }
}
