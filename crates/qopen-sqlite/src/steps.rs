//! The steps of a commit, in a file that only this process can read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::Path;

use qopen_sink::SinkError;
use qopen_sink::storage::unnamed;

/// The name of the file of steps in messages.
const STEPS: &str = "the changes of a list";

/// What happens to an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// The number of its row in `robot_account`, if it has one.
    pub(crate) row: Option<i64>,
    /// The place of its new record, if the new list has it.
    pub(crate) record: Option<u64>,
    /// Whether its row is replaced or deleted.
    pub(crate) is_written: bool,
    pub(crate) change: Option<Found>,
}

/// A change of an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: String,
    /// A JSON array of the fields that differ.
    pub(crate) fields: String,
    pub(crate) before: Before,
}

/// The record in the list before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Before {
    /// The account was not in the list before.
    #[default]
    Absent,
    /// The record is in the row that the step replaces or deletes, or leaves.
    InRow,
    /// The record of a list before the last one.
    Text(String),
}

/// Steps on their way into a file that only this process can read.
pub(crate) struct Steps(BufWriter<File>);

fn wrong(action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(action, Path::new(STEPS))
}

impl Steps {
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        unnamed(folder, Path::new(STEPS)).map(|file| Self(BufWriter::with_capacity(1 << 16, file)))
    }

    pub(crate) fn push(&mut self, step: &Step) -> Result<(), SinkError> {
        let mut put = || {
            let Step { id, row, record, is_written, change } = step;
            let before = change.as_ref().map(|it| &it.before);
            let flags = u8::from(row.is_some())
                | u8::from(record.is_some()) << 1
                | u8::from(*is_written) << 2
                | u8::from(change.is_some()) << 3
                | u8::from(matches!(before, Some(Before::InRow))) << 4
                | u8::from(matches!(before, Some(Before::Text(_)))) << 5;
            self.0.write_all(&[flags])?;
            put_text(&mut self.0, id)?;
            self.0.write_all(&row.unwrap_or_default().to_le_bytes())?;
            self.0.write_all(&record.unwrap_or_default().to_le_bytes())?;
            if let Some(Found { kind, fields, before }) = change {
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

    /// The end of one list's steps.
    pub(crate) fn end(&mut self) -> Result<(), SinkError> {
        self.0.write_all(&[END]).map_err(wrong("writing"))
    }

    pub(crate) fn finish(self) -> Result<StepReader, SinkError> {
        let mut file = self.0.into_inner().map_err(|error| wrong("writing")(error.into_error()))?;
        file.rewind().map_err(wrong("reading"))?;
        Ok(StepReader(BufReader::with_capacity(1 << 16, file)))
    }
}

/// The flags of the end of one list's steps.
const END: u8 = 1 << 7;

fn put_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// The steps of all lists, in their order.
pub(crate) struct StepReader(BufReader<File>);

impl StepReader {
    /// Returns the next step of the current list; `None` at its end.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, SinkError> {
        let mut read = || {
            let [flags] = self.bytes()?;
            if flags == END {
                return Ok(None);
            }
            let has = |bit: u8| flags & (1 << bit) != 0;
            let id = self.text()?;
            let (row, record) =
                (i64::from_le_bytes(self.bytes()?), u64::from_le_bytes(self.bytes()?));
            let change = match has(3) {
                true => Some(Found {
                    kind: self.text()?,
                    fields: self.text()?,
                    before: match (has(4), has(5)) {
                        (true, _) => Before::InRow,
                        (_, true) => Before::Text(self.text()?),
                        _ => Before::Absent,
                    },
                }),
                false => None,
            };
            let (row, record) = (has(0).then_some(row), has(1).then_some(record));
            Ok(Some(Step { id, row, record, is_written: has(2), change }))
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
