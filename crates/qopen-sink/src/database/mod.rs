//! What databases of lists have in common.

mod last_list;
mod new_list;
mod plan;
mod record_error;
mod spool;
mod steps;
mod writer;

use std::borrow::Cow;

use qopen_types::{Account, Column, Item, Json};
use serde::Deserialize;

pub use last_list::{LastList, ListHistory, TableNames};
pub use new_list::{LastPublished, ListComparison, NewList, NewLists};
pub use plan::{Gone, ListPass, ListPlan, OldRow, Passed, Planner, Progress};
pub use record_error::RecordError;
pub use spool::{RECORDS, RecordReader, Records, Spool, SpooledRecord};
pub use steps::{Before, Step, StepChange, StepReader};
pub use writer::{ListTables, TableWriter};

use crate::SinkError;

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
