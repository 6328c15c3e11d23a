//! What databases of lists have in common.

mod new_list;
mod plan;
mod spool;
mod steps;
mod writer;

use std::borrow::Cow;

use qopen_types::{Account, Column, Item, Json, RobotId};
use serde::Deserialize;

pub use new_list::{LastPublished, ListComparison, NewList};
pub use plan::{Gone, ListPass, ListPlan, OldRow, Passed, Planner, Progress};
pub use spool::{RECORDS, RecordReader, Records, Spool, SpooledRecord};
pub use steps::{Before, Step, StepChange, StepReader};
pub use writer::{ListTables, NewLists, TableWriter};

use crate::{Predecessor, SinkError};

/// Lists of a robot whose changes a database keeps.
pub const KEPT_CHANGES: u32 = 30;

/// Lists of a robot that the history in a database keeps.
pub const KEPT_LISTS: u32 = 1_000;

/// The latest time that a table has, in seconds since the Unix epoch: the end of the year 9999.
pub const LATEST_TIME: i64 = 253_402_300_799;

/// Returns the columns that a table of accounts has between `account_id` and `account`, among these of an account.
#[must_use]
pub fn table_columns(layout: &[Column]) -> Vec<Column> {
    let is_value = |it: &&Column| it.in_tables && it.path != "account_id";
    layout.iter().filter(is_value).copied().collect()
}

/// Returns the robot of a line of quarantine.
///
/// # Errors
/// [`SinkError::Encode`], if the line has none.
pub fn robot_of_line(line: &str) -> Result<String, SinkError> {
    #[derive(Deserialize)]
    struct Whose {
        robot_id: String,
    }
    let whose: Result<Whose, _> = serde_json::from_str(line);
    whose.map(|it| it.robot_id).map_err(|error| SinkError::Encode(error.into()))
}

/// Reads the account of a record.
#[must_use]
pub fn account_of(record: &str) -> Option<Account> {
    // A record is written in the plain form: the tolerant reader would copy it first.
    if let Ok(account) = serde_json::from_str(record) {
        return Some(account);
    }
    match Item::<Account>::read_with(Json::parse(record).ok()?) {
        (Item::Valid(account), _) => Some(account),
        _ => None,
    }
}

/// Returns a text without NUL, which some databases end a text at, or refuse. U+FFFD replaces it.
#[must_use]
pub fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}").into(),
        false => text.into(),
    }
}

/// A record that cannot be put into a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// An account came twice, with different records.
    #[error("an account comes twice in the list, with different records")]
    Repeated,
    /// A record came before its list was begun, or after it was settled.
    #[error("a record was written {when}")]
    OutOfPlace {
        /// The time of the record.
        when: &'static str,
    },
}

impl From<RecordError> for SinkError {
    fn from(error: RecordError) -> Self {
        Self::Database(Box::new(error))
    }
}

/// A robot's last complete list, as the tables of a database have it.
#[derive(Clone, Debug, Default)]
pub struct LastList {
    /// The mark of its pull; `None` if no list was published.
    pub mark_id: Option<String>,
    /// Its revision.
    pub revision: Option<i64>,
    /// The number of accounts that were published.
    pub accounts: Option<i64>,
    /// The number of rows that the table of accounts has.
    pub found: i64,
    /// Its place in the history, if the new list is a revision of it.
    pub history: Option<ListHistory>,
}

/// A list in the history of a database.
#[derive(Clone, Debug, Default)]
pub struct ListHistory {
    /// Whether changes begin with it.
    pub baseline: bool,
    /// The mark of the list before it.
    pub since_mark_id: Option<String>,
    /// The revision of the list before it.
    pub since_revision: Option<i64>,
    /// The accounts of the list before it.
    pub accounts_before: i64,
    /// The changes that were published with it.
    pub changes: i64,
    /// The number of rows that the table of changes has.
    pub found: i64,
}

/// The names of tables, for messages.
#[derive(Clone, Copy, Debug)]
pub struct TableNames {
    /// The table of accounts.
    pub accounts: &'static str,
    /// The table of changes.
    pub changes: &'static str,
}

impl LastList {
    /// Returns the list with which a new one of this mark is compared, and its number of accounts.
    ///
    /// # Errors
    /// [`SinkError::PreviousRows`], if a table has another number of rows than was published.
    pub fn predecessor(
        &self,
        mark_id: &str,
        robot_id: &RobotId,
        location: &str,
        tables: TableNames,
    ) -> Result<(Predecessor, u64), SinkError> {
        let altered = |table, expected: Option<i64>, found: i64| SinkError::PreviousRows {
            location: location.to_owned(),
            table,
            robot_id: robot_id.clone(),
            expected: expected.map(i64::unsigned_abs),
            found: found.unsigned_abs(),
        };
        let baseline = (Predecessor::Baseline, 0);
        if self.accounts.unwrap_or(0) != self.found {
            return Err(altered(tables.accounts, self.accounts, self.found));
        }
        let Some(last) = &self.mark_id else { return Ok(baseline) };
        if last != mark_id {
            return Ok((list(Some(last), self.revision), self.found.unsigned_abs()));
        }
        // The changes of a revision begin with the list before the pull's first one. What was published
        // without a comparison has none to continue.
        let Some(history) = self.history.as_ref().filter(|it| !it.baseline) else {
            return Ok(baseline);
        };
        if history.changes != history.found {
            return Err(altered(tables.changes, Some(history.changes), history.found));
        }
        let since = list(history.since_mark_id.as_deref(), history.since_revision);
        Ok((since, history.accounts_before.unsigned_abs()))
    }
}

fn list(mark: Option<&str>, revision: Option<i64>) -> Predecessor {
    let mark_id = mark.and_then(|mark| mark.parse().ok());
    let revision = revision.and_then(|revision| u32::try_from(revision).ok());
    Predecessor::List { mark_id, revision }
}
