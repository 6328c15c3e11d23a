//! What a new list changes: found in one pass over sorted rows and sorted records, in constant memory.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::Path;

use qopen_sink::storage::{Digester, compare_records, unnamed};
use qopen_sink::{Change, ChangeCounts, SinkError};
use qopen_types::{AccountId, Digest, RobotId};
use rusqlite::{Connection, Rows, Statement};

use crate::error::failed;
use crate::file::DatabaseFile;
use crate::spool::Reader;

/// The name of the file of steps in messages.
pub(crate) const STEPS: &str = "the changes of a list";

/// Accounts after which a pass reports progress.
pub(crate) const MOVED_EVERY: u64 = 1_024;

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

    fn push(&mut self, step: &Step) -> Result<(), SinkError> {
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
    fn end(&mut self) -> Result<(), SinkError> {
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

/// A pass over one robot's list: rows of `robot_account`, changes of the list that the new one is a revision of, and
/// new records.
pub(crate) struct Pass<'a> {
    pub(crate) file: &'a Connection,
    pub(crate) database: &'a DatabaseFile,
    pub(crate) robot_id: &'a RobotId,
    /// The place of the robot's list among the new ones.
    pub(crate) place: usize,
    /// The number of the list that the new one is a revision of.
    pub(crate) replaced: Option<i64>,
    /// Whether changes are looked for.
    pub(crate) is_compared: bool,
    pub(crate) steps: &'a mut Steps,
    pub(crate) moved: &'a dyn Fn(),
}

/// The function that gets each customer who is gone.
pub(crate) type Gone<'a> = &'a mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>;

impl Pass<'_> {
    /// Finds the steps, counts the changes and digests the new list. `new` is at the first record that is not an earlier
    /// list's.
    pub(crate) fn run(
        self,
        new: &mut Option<Reader<'_>>,
        gone: Gone<'_>,
    ) -> Result<(ChangeCounts, Digest), SinkError> {
        let fails = failed(self.database.wait);
        let robot = self.robot_id.as_str();
        let rows = "SELECT account_id, account, rowid FROM robot_account
             WHERE robot_id = ?1 ORDER BY account_id";
        let mut rows = self.file.prepare(rows).map_err(fails)?;
        let mut old = Cursor::new(&mut rows, &[&robot], self.database)?;
        let past = "SELECT account_id, before, rowid FROM change
             WHERE robot_id = ?1 AND number = ?2 ORDER BY account_id";
        let mut past = self.file.prepare(past).map_err(fails)?;
        // No list has the number 0.
        let number = self.replaced.filter(|_| self.is_compared).unwrap_or(0);
        let mut past = Cursor::new(&mut past, &[&robot, &number], self.database)?;
        let (mut counts, mut digester) = (ChangeCounts::default(), Digester::default());
        let mut passed = 0;
        loop {
            let record = new.as_ref().filter(|it| it.robot == self.place);
            let ids = [old.id(), past.id(), record.map(|it| it.id.as_str())];
            let Some(id) = ids.into_iter().flatten().min() else { break };
            let [is_old, is_past, is_new] = ids.map(|it| it == Some(id));
            let before = match is_past {
                true => past.text(),
                false => old.text().filter(|_| is_old),
            };
            let after = record.filter(|_| is_new).map(|it| it.record.as_str());
            if let Some(after) = after {
                digester.add(after.as_bytes());
            }
            let written = old.text().filter(|_| is_old) != after;
            let change = match self.is_compared {
                true => difference(before, after),
                false => None,
            };
            if let Some((kind, _)) = &change {
                kind.count(&mut counts);
            }
            let is_gone = matches!(change, Some((Change::Gone, _)));
            if written || change.is_some() {
                let step = Step {
                    id: id.to_owned(),
                    row: is_old.then_some(old.row),
                    record: record.filter(|_| is_new).map(|it| it.place),
                    is_written: written,
                    change: change.map(|(kind, fields)| Found {
                        kind: kind.as_str().to_owned(),
                        // Texts always encode.
                        fields: serde_json::to_string(&fields).unwrap_or_default(),
                        before: match (before, is_past) {
                            (None, _) => Before::Absent,
                            (Some(text), true) => Before::Text(text.to_owned()),
                            (Some(_), false) => Before::InRow,
                        },
                    }),
                };
                self.steps.push(&step)?;
            }
            // A row with another id is no customer's.
            if is_gone && let Ok(id) = id.parse() {
                gone(self.robot_id, &id)?;
            }
            passed += 1;
            if passed % MOVED_EVERY == 0 {
                (self.moved)();
            }
            if is_old {
                old.advance()?;
            }
            if is_past {
                past.advance()?;
            }
            if is_new && !new.as_mut().map_or(Ok(false), Reader::advance)? {
                *new = None;
            }
        }
        self.steps.end()?;
        Ok((counts, digester.finish().digest))
    }
}

/// The change from one record to another; `None` if they are equal.
fn difference(before: Option<&str>, after: Option<&str>) -> Option<(Change, Vec<String>)> {
    match (before, after) {
        _ if before == after => None,
        // A row that was edited may have anything for a record.
        (Some(old), Some(new)) => {
            Some(compare_records(old, new).unwrap_or((Change::Changed, Vec::new())))
        }
        (None, _) => Some((Change::Added, Vec::new())),
        (_, None) => Some((Change::Gone, Vec::new())),
    }
}

/// Rows in the order of ids: id, text and number.
struct Cursor<'a> {
    rows: Rows<'a>,
    database: &'a DatabaseFile,
    is_at_row: bool,
    id: String,
    text: String,
    has_text: bool,
    row: i64,
}

impl<'a> Cursor<'a> {
    fn new(
        statement: &'a mut Statement<'_>,
        values: &[&dyn rusqlite::ToSql],
        database: &'a DatabaseFile,
    ) -> Result<Self, SinkError> {
        let rows = statement.query(values).map_err(failed(database.wait))?;
        let (id, text) = (String::new(), String::new());
        let mut cursor =
            Self { rows, database, is_at_row: false, id, text, has_text: false, row: 0 };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        self.is_at_row = false;
        let Some(row) = self.rows.next().map_err(fails)? else { return Ok(()) };
        let bytes = |at: usize| row.get_ref(at).map_err(fails).map(|it| it.as_bytes_or_null().ok());
        set(&mut self.id, bytes(0)?.flatten());
        let text = bytes(1)?.flatten();
        self.has_text = text.is_some();
        set(&mut self.text, text);
        self.row = row.get(2).map_err(fails)?;
        self.is_at_row = true;
        Ok(())
    }

    fn id(&self) -> Option<&str> {
        self.is_at_row.then_some(&self.id)
    }

    fn text(&self) -> Option<&str> {
        (self.is_at_row && self.has_text).then_some(&self.text)
    }
}

/// Replaces a text. A row that was edited may have bytes that are no text.
fn set(text: &mut String, bytes: Option<&[u8]>) {
    text.clear();
    text.push_str(&String::from_utf8_lossy(bytes.unwrap_or_default()));
}
