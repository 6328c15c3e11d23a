//! The changes of published lists, read in one transaction.

use std::fmt;
use std::time::Duration;

use qopen_sink::SinkError;
use qopen_sink::storage::{self, KEPT_LIST, KeptList, ListsSince, lists_since, write_change};
use qopen_types::{ChangeCounts, MarkId, RobotId};
use rusqlite::{Connection, Row, params};

use crate::error::{SqliteError, failed};
use crate::file::DatabaseFile;
use crate::opened::Opened;

/// The longest wait for another process that has the file for itself: one that writes the first list.
const WAIT: Duration = Duration::from_secs(10);

/// Bytes that are returned at once, unless a row is longer: 64 KiB.
const PIECE: usize = 1 << 16;

const CHANGES: &str = "
    SELECT account_id, before, account FROM change
    WHERE robot_id = ?1 AND number = ?2 AND account_id > ?3 ORDER BY account_id";

/// What a file has of the changes since a list.
pub type FoundChanges = storage::FoundChanges<Box<ChangeLines>>;

/// The changes of one or more lists of a robot, as one transaction sees them. Dropping them ends it.
///
/// The lines are those of a file of changes: for each list a header, then a line for each account that changed.
///
/// No publication waits for a reader. While a reader lives, the log cannot begin anew, and grows with each publication:
/// limit the time of slow readers.
pub struct ChangeLines {
    file: Opened,
    wait: Duration,
    robot_id: RobotId,
    /// Lists that are not read yet, the next one last.
    left: Vec<KeptList>,
    current: Option<Current>,
}

/// The list whose changes are read.
struct Current {
    number: i64,
    /// Changes that are not read yet.
    left: u64,
    /// The last account that was read; empty at first.
    account: String,
}

/// Finds the changes of the lists after the one of `since`, or of the last list.
pub(crate) fn find(
    database: &DatabaseFile,
    robot_id: &RobotId,
    since: Option<(&MarkId, Option<u32>)>,
) -> Result<FoundChanges, SinkError> {
    let database = DatabaseFile { wait: database.wait.min(WAIT), ..database.clone() };
    let Some(file) = database.open_existing()? else { return Ok(FoundChanges::Unknown) };
    let wait = database.wait;
    let history = history(&file, robot_id).map_err(failed(wait))?;
    Ok(match lists_since(&history, since) {
        ListsSince::Unknown => FoundChanges::Unknown,
        ListsSince::NotKept(why) => FoundChanges::NotKept(why),
        ListsSince::Lists(lists) => {
            let left = history[lists].iter().rev().cloned().collect();
            let robot_id = robot_id.clone();
            let lines = ChangeLines { file, wait, robot_id, left, current: None };
            FoundChanges::Lines(Box::new(lines))
        }
    })
}

/// Begins a transaction, and reads the robot's history, oldest first.
fn history(file: &Connection, robot_id: &RobotId) -> rusqlite::Result<Vec<KeptList>> {
    file.execute_batch("BEGIN")?;
    let read = format!(
        "SELECT {KEPT_LIST},
             EXISTS (
                 SELECT 1 FROM change AS past
                 WHERE past.robot_id = list.robot_id AND past.number = list.number
             )
         FROM list WHERE robot_id = ?1 ORDER BY number"
    );
    let mut read = file.prepare(&read)?;
    read.query_map([robot_id.as_str()], kept_list)?.collect()
}

fn kept_list(row: &Row<'_>) -> rusqlite::Result<KeptList> {
    let figure = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let digest = |at: usize| {
        let text = row.get::<_, Option<String>>(at);
        text.map(|it| it.and_then(|it| it.parse().ok()))
    };
    let mut counts = ChangeCounts::default();
    (counts.added, counts.gone, counts.lost) = (figure(10)?, figure(11)?, figure(12)?);
    (counts.removed, counts.returned, counts.changed) = (figure(13)?, figure(14)?, figure(15)?);
    Ok(KeptList {
        number: row.get(0)?,
        mark_id: row.get(1)?,
        revision: row.get(2)?,
        baseline: row.get(3)?,
        since_mark_id: row.get(4)?,
        since_revision: row.get(5)?,
        accounts_before: figure(6)?,
        accounts: figure(7)?,
        digest_before: digest(8)?,
        digest: digest(9)?,
        counts,
        has_changes: row.get(16)?,
    })
}

impl ChangeLines {
    /// Returns the next whole lines, about 64 KiB; `None` at the end. Blocks while the file is read.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`SqliteError`], such as [`SqliteError::ChangesAltered`]. The lines so far are not
    /// all then.
    #[allow(clippy::should_implement_trait, reason = "an iterator has no error that ends it")]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        let mut out = Vec::new();
        while out.len() < PIECE {
            if self.current.is_some() {
                self.add_changes(&mut out)?;
            } else if let Some(list) = self.left.pop() {
                list.write_header(&self.robot_id, &mut out)?;
                let left = list.counts.total();
                self.current = Some(Current { number: list.number, left, account: String::new() });
            } else {
                break;
            }
        }
        Ok(Some(out).filter(|it| !it.is_empty()))
    }

    /// Adds changes of the current list, until there is enough or the list ends.
    fn add_changes(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let fails = failed(self.wait);
        let Some(Current { number, left, account }) = &mut self.current else { return Ok(()) };
        let mut read = self.file.prepare(CHANGES).map_err(fails)?;
        let values = params![self.robot_id.as_str(), *number, account.as_str()];
        let mut rows = read.query(values).map_err(fails)?;
        while out.len() < PIECE {
            let Some(row) = rows.next().map_err(fails)? else {
                if *left > 0 {
                    return Err(SqliteError::ChangesAltered.into());
                }
                self.current = None;
                return Ok(());
            };
            *left = left.checked_sub(1).ok_or(SqliteError::ChangesAltered)?;
            let text = |at: usize| match row.get_ref(at).map(|it| it.as_str_or_null()) {
                Ok(Ok(text)) => Ok(text),
                _ => Err(SqliteError::ChangesAltered),
            };
            let (id, before, after) = (text(0)?.unwrap_or_default(), text(1)?, text(2)?);
            // An altered record must not end its line, or be no record.
            if ![before, after].into_iter().flatten().all(is_one_line) {
                return Err(SqliteError::ChangesAltered.into());
            }
            write_change(&self.robot_id, id, before, after, out)?;
            id.clone_into(account);
        }
        Ok(())
    }
}

/// Whether a record is JSON without a line break.
fn is_one_line(record: &str) -> bool {
    !record.contains('\n') && serde_json::from_str::<serde::de::IgnoredAny>(record).is_ok()
}

impl fmt::Debug for ChangeLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeLines").field("lists", &self.left.len()).finish_non_exhaustive()
    }
}
