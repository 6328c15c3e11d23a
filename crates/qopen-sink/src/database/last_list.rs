//! The list before in a database, and whether a new one can be compared with it.

use qopen_types::RobotId;

use crate::{Predecessor, SinkError};

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
