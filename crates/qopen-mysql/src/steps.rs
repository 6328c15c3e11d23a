//! The steps of a commit, in a file that only this process can read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::Path;

use qopen_sink::SinkError;
use qopen_sink::storage::unnamed;

/// The name of the file of steps in messages.
const STEPS: &str = "the changes of a list";

/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 16;

/// What happens to an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// Whether its row in `robot_account` is deleted first.
    pub(crate) is_deleted: bool,
    /// Whether its record is written.
    pub(crate) is_written: bool,
    /// The place of its new record, if the new list has it.
    pub(crate) record: Option<u64>,
    pub(crate) change: Option<Found>,
}

/// A change of an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: String,
    /// A JSON array of the fields that differ.
    pub(crate) fields: String,
    /// The record in the list before.
    pub(crate) before: Option<String>,
}

/// The flags of the end of one list's steps.
const END: u8 = 1 << 7;

fn wrong(action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(action, Path::new(STEPS))
}

/// Steps on their way into the file.
pub(crate) struct Steps(BufWriter<File>);

impl Steps {
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, SinkError> {
        unnamed(folder, Path::new(STEPS)).map(|file| Self(BufWriter::with_capacity(BUFFER, file)))
    }

    pub(crate) fn push(&mut self, step: &Step) -> Result<(), SinkError> {
        let mut put = || {
            let Step { id, is_deleted, is_written, record, change } = step;
            let before = change.as_ref().and_then(|it| it.before.as_ref());
            let flags =
                [*is_deleted, *is_written, record.is_some(), change.is_some(), before.is_some()];
            let flags = flags.into_iter().rev().fold(0, |all, it| all << 1 | u8::from(it));
            self.0.write_all(&[flags])?;
            put_text(&mut self.0, id)?;
            if let Some(place) = record {
                self.0.write_all(&place.to_le_bytes())?;
            }
            if let Some(Found { kind, fields, .. }) = change {
                put_text(&mut self.0, kind)?;
                put_text(&mut self.0, fields)?;
            }
            before.map_or(Ok(()), |text| put_text(&mut self.0, text))
        };
        put().map_err(wrong("writing"))
    }

    /// Ends one list's steps.
    pub(crate) fn end(&mut self) -> Result<(), SinkError> {
        self.0.write_all(&[END]).map_err(wrong("writing"))
    }

    pub(crate) fn finish(self) -> Result<StepFile, SinkError> {
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
pub(crate) struct StepFile(File);

impl StepFile {
    pub(crate) fn read(&self) -> Result<StepReader<'_>, SinkError> {
        let mut file = BufReader::with_capacity(BUFFER, &self.0);
        file.rewind().map_err(wrong("reading"))?;
        Ok(StepReader(file))
    }
}

/// The steps of all lists, in their order.
pub(crate) struct StepReader<'a>(BufReader<&'a File>);

impl StepReader<'_> {
    /// Returns the next step of the current list; `None` at its end.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, SinkError> {
        let mut read = || {
            let [flags] = self.bytes()?;
            if flags == END {
                return Ok(None);
            }
            let has = |bit: u8| flags & (1 << bit) != 0;
            let id = self.text()?;
            let record = match has(2) {
                true => Some(u64::from_le_bytes(self.bytes()?)),
                false => None,
            };
            let mut change = match has(3) {
                true => Some(Found { kind: self.text()?, fields: self.text()?, before: None }),
                false => None,
            };
            if let Some(change) = change.as_mut().filter(|_| has(4)) {
                change.before = Some(self.text()?);
            }
            Ok(Some(Step { id, is_deleted: has(0), is_written: has(1), record, change }))
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
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_were_written_and_more_than_once() {
        let found = |before: Option<&str>| Found {
            kind: "changed".to_owned(),
            fields: "[]".to_owned(),
            before: before.map(str::to_owned),
        };
        let step = |id: &str, flags: [bool; 2], record, change| Step {
            id: id.to_owned(),
            is_deleted: flags[0],
            is_written: flags[1],
            record,
            change,
        };
        let all = [
            step("a", [true, false], None, Some(found(Some("{}")))),
            step("ä😀", [true, true], Some(u64::MAX), Some(found(None))),
            step("", [false, true], Some(0), None),
            step("z", [false, false], Some(1), Some(found(Some("")))),
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
