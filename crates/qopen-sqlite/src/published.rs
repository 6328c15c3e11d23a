//! A list to be published, and the list that is published of its robot.

use qopen_sink::storage::{LastList, ListHistory};
use qopen_sink::{ChangeCounts, ListBasis, ListInfo, Predecessor};
use qopen_types::{Digest, RobotId};
use rusqlite::{Connection, OptionalExtension as _, Result, params};

/// A robot's new list.
pub(crate) struct Published {
    pub(crate) robot_id: RobotId,
    pub(crate) mark: String,
    pub(crate) revision: i64,
    pub(crate) order: Option<i64>,
    /// The number of its records.
    pub(crate) accounts: i64,
    pub(crate) basis: Option<ListBasis>,
}

impl Published {
    pub(crate) fn of(list: &ListInfo<'_>) -> Self {
        Self {
            robot_id: list.robot_id.clone(),
            mark: list.mark_id.to_string(),
            revision: i64::from(list.revision),
            order: list.order.and_then(|order| i64::try_from(order).ok()),
            accounts: 0,
            basis: None,
        }
    }

    /// Returns whether the file holds a later complete list of the robot: one with a greater number, or a later
    /// revision of the same pull.
    pub(crate) fn is_superseded(&self, file: &Connection) -> Result<bool> {
        let later = "SELECT EXISTS (SELECT 1 FROM pull WHERE robot_id = ?1 AND complete AND (
                 mark_id <> ?2 AND list_order > ?4 OR mark_id = ?2 AND revision > ?3
             ))";
        let Self { robot_id, mark, revision, order, .. } = self;
        let values = params![robot_id.as_str(), mark, revision, order];
        file.prepare(later)?.query_row(values, |row| row.get(0))
    }
}

/// What is published of a robot.
pub(crate) struct Last {
    pub(crate) list: LastList,
    /// The number of its publication; `None` if no list was published.
    pub(crate) publication: Option<i64>,
    /// The number of its last list in the history.
    number: i64,
}

/// A comparison of a new list with the last one.
pub(crate) struct Comparison {
    pub(crate) since: Predecessor,
    pub(crate) accounts_before: u64,
    pub(crate) number: i64,
    /// Whether the new list is a revision of the list with that number.
    pub(crate) is_revision: bool,
    pub(crate) counts: ChangeCounts,
    /// The digest of the new list's lines.
    pub(crate) digest: Digest,
}

impl Last {
    /// Reads what is published, without the number of rows in `robot_account`.
    pub(crate) fn of(file: &Connection, new: &Published) -> Result<Self> {
        let robot = new.robot_id.as_str();
        let mut last = Self { list: LastList::default(), publication: None, number: 0 };
        let pull = "SELECT mark_id, revision, accounts, publication FROM pull
             WHERE robot_id = ?1 AND complete";
        let found = file.prepare(pull)?.query_row([robot], |row| {
            last.list.mark_id = row.get(0)?;
            (last.list.revision, last.list.accounts) = (row.get(1)?, row.get(2)?);
            last.publication = row.get(3)?;
            Ok(())
        });
        found.optional()?;
        let numbers = "SELECT max(
                 coalesce((SELECT max(number) FROM list WHERE robot_id = ?1), 0),
                 coalesce((SELECT max(number) FROM change WHERE robot_id = ?1), 0)
             )";
        last.number = file.prepare(numbers)?.query_row([robot], |row| row.get(0))?;
        if last.list.mark_id.as_ref() != Some(&new.mark) {
            return Ok(last);
        }
        let history = "SELECT baseline, since_mark_id, since_revision, accounts_before,
                 added + gone + lost + removed + returned + changed, (
                     SELECT count(*) FROM change
                     WHERE change.robot_id = list.robot_id AND change.number = list.number
                 )
             FROM list WHERE robot_id = ?1 AND mark_id = ?2 AND revision = ?3
                 AND number = (SELECT max(number) FROM list WHERE robot_id = ?1)";
        let values = params![robot, new.mark, last.list.revision];
        let history = file.prepare(history)?.query_row(values, |row| {
            Ok(ListHistory {
                baseline: row.get(0)?,
                since_mark_id: row.get(1)?,
                since_revision: row.get(2)?,
                accounts_before: row.get(3)?,
                changes: row.get(4)?,
                found: row.get(5)?,
            })
        });
        last.list.history = history.optional()?;
        Ok(last)
    }

    /// The number of the new list in the history, and whether it is a revision of the last one.
    pub(crate) fn place(&self) -> (i64, bool) {
        match self.list.history {
            Some(_) => (self.number, true),
            None => (self.number + 1, false),
        }
    }
}
