//! The steps of a commit, in a file that only this process can read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::Path;

use crate::SinkError;
use crate::temporary::unnamed;

/// The name of the file of steps in messages.
const STEPS: &str = "the changes of a list";

/// Bytes that are read and written at once: 64 KiB.
const BUFFER: usize = 1 << 16;

/// What a commit does with an account. `Debug` prints no customer's data.
#[derive(Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The account's id.
    pub id: String,
    /// The number of its row in the table of accounts, if it has one with a number.
    pub row: Option<i64>,
    /// The place of its new record, if the new list has it.
    pub record: Option<u64>,
    /// Whether its row is deleted first.
    pub is_deleted: bool,
    /// Whether its new record is written.
    pub is_written: bool,
    /// Its change, if changes are published.
    pub change: Option<StepChange>,
}

/// A change of an account. `Debug` prints no customer's data.
#[derive(Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepChange {
    /// The name of the change, as tables have it.
    pub kind: String,
    /// A JSON array of the fields that differ.
    pub fields: String,
    /// The record in the list before.
    pub before: Before,
}

/// The record of an account in the list before. `Debug` prints no customer's data.
#[derive(Default, PartialEq, Eq)]
pub enum Before {
    /// The account was not in the list before.
    #[default]
    Absent,
    /// The record is in the row with the step's number.
    InRow,
    /// The record itself.
    Text(String),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("record", &self.record).finish_non_exhaustive()
    }
}

impl fmt::Debug for StepChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepChange").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::InRow => "InRow",
            Self::Text(_) => "Text",
        })
    }
}

/// The flags of the end of one list's steps.
const END: u8 = 1 << 7;

fn wrong(action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(action, Path::new(STEPS))
}

/// Steps on their way into the file.
#[derive(Debug)]
pub(super) struct Steps(BufWriter<File>);

impl Steps {
    pub(super) fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        unnamed(folder, Path::new(STEPS)).map(|file| Self(BufWriter::with_capacity(BUFFER, file)))
    }

    pub(super) fn push(&mut self, step: &Step) -> Result<(), SinkError> {
        let mut put = || {
            let Step { id, row, record, is_deleted, is_written, change } = step;
            let before = change.as_ref().map(|it| &it.before);
            let flags = [
                row.is_some(),
                record.is_some(),
                *is_deleted,
                *is_written,
                change.is_some(),
                matches!(before, Some(Before::InRow)),
                matches!(before, Some(Before::Text(_))),
            ];
            let flags = flags.into_iter().rev().fold(0, |all, it| all << 1 | u8::from(it));
            self.0.write_all(&[flags])?;
            put_text(&mut self.0, id)?;
            if let Some(row) = row {
                self.0.write_all(&row.to_le_bytes())?;
            }
            if let Some(place) = record {
                self.0.write_all(&place.to_le_bytes())?;
            }
            if let Some(StepChange { kind, fields, before }) = change {
                put_text(&mut self.0, kind)?;
                put_text(&mut self.0, fields)?;
                if let Before::Text(text) = before {
                    put_text(&mut self.0, text)?;
                }
            }
            Ok(())
        };
        put().map_err(wrong("writing"))
    }

    /// Ends one list's steps.
    pub(super) fn end(&mut self) -> Result<(), SinkError> {
        self.0.write_all(&[END]).map_err(wrong("writing"))
    }

    pub(super) fn finish(self) -> Result<StepFile, SinkError> {
        let file = self.0.into_inner().map_err(|error| wrong("writing")(error.into_error()))?;
        Ok(StepFile(file))
    }
}

fn put_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// The steps of all lists. They are read again when a transaction is tried again.
#[derive(Debug)]
pub(super) struct StepFile(File);

impl StepFile {
    pub(super) fn read(&self) -> Result<StepReader<'_>, SinkError> {
        let mut file = BufReader::with_capacity(BUFFER, &self.0);
        file.rewind().map_err(wrong("reading"))?;
        Ok(StepReader(file))
    }
}

/// The steps of all lists, in their order.
#[derive(Debug)]
pub struct StepReader<'a>(BufReader<&'a File>);

impl StepReader<'_> {
    /// Returns the next step of the current list. `None` ends a list: the next step is the next list's.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file cannot be read.
    #[allow(clippy::should_implement_trait, reason = "an iterator has no error that ends it")]
    pub fn next(&mut self) -> Result<Option<Step>, SinkError> {
        let mut read = || {
            let [flags] = self.bytes()?;
            if flags == END {
                return Ok(None);
            }
            let has = |bit: u8| flags & (1 << bit) != 0;
            let id = self.text()?;
            let row = match has(0) {
                true => Some(i64::from_le_bytes(self.bytes()?)),
                false => None,
            };
            let record = match has(1) {
                true => Some(u64::from_le_bytes(self.bytes()?)),
                false => None,
            };
            let change = match has(4) {
                true => Some(StepChange {
                    kind: self.text()?,
                    fields: self.text()?,
                    before: match (has(5), has(6)) {
                        (true, _) => Before::InRow,
                        (_, true) => Before::Text(self.text()?),
                        _ => Before::Absent,
                    },
                }),
                false => None,
            };
            let (is_deleted, is_written) = (has(2), has(3));
            Ok(Some(Step { id, row, record, is_deleted, is_written, change }))
        };
        read().map_err(wrong("reading"))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn text(&mut self) -> io::Result<String> {
        let length = u32::from_le_bytes(self.bytes()?);
        let mut bytes = vec![0; length as usize];
        self.0.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_were_written_and_more_than_once() {
        let found =
            |before| StepChange { kind: "changed".to_owned(), fields: "[]".to_owned(), before };
        let step = |id: &str, flags: [bool; 2], record, change| Step {
            id: id.to_owned(),
            row: None,
            record,
            is_deleted: flags[0],
            is_written: flags[1],
            change,
        };
        let text = |it: &str| Some(found(Before::Text(it.to_owned())));
        let in_row = step("row", [true, true], Some(3), Some(found(Before::InRow)));
        let all = [
            step("a", [true, false], None, text("{}")),
            step("ä😀", [true, true], Some(u64::MAX), Some(found(Before::Absent))),
            Step { row: Some(i64::MIN), ..in_row },
            step("", [false, true], Some(0), None),
            step("z", [false, false], Some(1), text("")),
        ];
        let mut steps = Steps::new(None).unwrap();
        all.iter().for_each(|it| steps.push(it).unwrap());
        steps.end().unwrap();
        let file = steps.finish().unwrap();
        for _ in 0..2 {
            let mut reader = file.read().unwrap();
            let read: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
            assert_eq!(read, all);
        }
    }
}
