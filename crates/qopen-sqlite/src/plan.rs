//! What a new list changes: found in one pass over sorted rows and sorted records, in constant memory.

use qopen_sink::storage::{Digester, compare_records};
use qopen_sink::{Change, ChangeCounts, SinkError};
use qopen_types::{AccountId, Digest, RobotId};
use rusqlite::{Connection, Rows, Statement};

use crate::error::failed;
use crate::file::DatabaseFile;
use crate::spool::Reader;
use crate::steps::{Before, Found, Step, Steps};

/// Accounts after which a pass reports progress.
pub(crate) const MOVED_EVERY: u64 = 1_024;

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
