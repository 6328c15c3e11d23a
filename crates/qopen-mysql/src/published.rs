//! A list to be published, and the list that is published of its robot.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use qopen_sink::storage::{LastList, ListHistory};
use qopen_sink::{ChangeCounts, ListBasis, ListInfo, Predecessor};
use qopen_types::{Digest, MarkId, RobotId};

use crate::key::robot_key;

/// A robot's new list.
pub(crate) struct Published {
    pub(crate) robot_id: RobotId,
    pub(crate) robot_key: String,
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
            robot_key: robot_key(list.robot_id.as_str()),
            mark: list.mark_id.to_string(),
            revision: i64::from(list.revision),
            order: list.order.and_then(|order| i64::try_from(order).ok()),
            accounts: 0,
            basis: None,
        }
    }

    /// Returns the number of the robot's rows in `robot_account`.
    pub(crate) async fn count(&self, connection: &mut Conn) -> Result<i64, Error> {
        let count = "SELECT count(*) FROM robot_account WHERE robot_key = ?";
        Ok(connection.exec_first(count, (&self.robot_key,)).await?.unwrap_or_default())
    }

    /// Returns whether the database holds a later complete list of the robot: one with a greater number, or a later
    /// revision of the same pull.
    pub(crate) async fn is_superseded(&self, connection: &mut Conn) -> Result<bool, Error> {
        let read =
            "SELECT mark_id, revision, list_order FROM pull WHERE robot_key = ? AND complete = 1";
        let last: Option<(String, i64, i64)> =
            connection.exec_first(read, (&self.robot_key,)).await?;
        Ok(last.is_some_and(|(mark, revision, order)| match mark == self.mark {
            true => revision > self.revision,
            false => self.order.is_some_and(|it| order > it),
        }))
    }
}

/// What is published of a robot.
pub(crate) struct Last {
    pub(crate) list: LastList,
    /// How often the robot was published.
    pub(crate) publications: i64,
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
    pub(crate) async fn of(connection: &mut Conn, new: &Published) -> Result<Self, Error> {
        let key = &new.robot_key;
        let mut list = LastList::default();
        let pull =
            "SELECT mark_id, revision, accounts FROM pull WHERE robot_key = ? AND complete = 1";
        if let Some((mark, revision, accounts)) = connection.exec_first(pull, (key,)).await? {
            (list.mark_id, list.revision, list.accounts) = (mark, revision, accounts);
        }
        let numbers = "SELECT
             coalesce((SELECT publications FROM robot_writer WHERE robot_key = ?), 0),
             coalesce((SELECT max(number) FROM list WHERE robot_key = ?), 0),
             coalesce((SELECT max(number) FROM `change` WHERE robot_key = ?), 0)";
        let numbers = connection.exec_first(numbers, (key, key, key)).await?;
        let (publications, last, changed): (i64, i64, i64) = numbers.unwrap_or_default();
        let number = last.max(changed);
        if list.mark_id.as_ref() == Some(&new.mark) {
            let history = "SELECT baseline, since_mark_id, since_revision, accounts_before,
                     CAST(added + gone + lost + removed + returned + changed AS SIGNED), (
                         SELECT count(*) FROM `change` AS it
                         WHERE it.robot_key = list.robot_key AND it.number = list.number
                     )
                 FROM list WHERE robot_key = ? AND number = ? AND mark_id = ? AND revision = ?";
            let values = (key, last, &new.mark, list.revision);
            let history = connection.exec_first(history, values).await?;
            list.history =
                history.map(|(baseline, mark, revision, accounts_before, changes, found)| {
                    ListHistory {
                        baseline,
                        since_mark_id: mark,
                        since_revision: revision,
                        accounts_before,
                        changes,
                        found,
                    }
                });
        }
        Ok(Self { list, publications, number })
    }

    /// The number of the new list in the history, and whether it is a revision of the last one.
    pub(crate) fn place(&self) -> (i64, bool) {
        match self.list.history {
            Some(_) => (self.number, true),
            None => (self.number + 1, false),
        }
    }
}

/// The mark and the revision of the list before.
pub(crate) fn since(since: &Predecessor) -> (Option<&str>, Option<u32>) {
    match since {
        Predecessor::List { mark_id, revision } => {
            (mark_id.as_ref().map(MarkId::as_str), *revision)
        }
        _ => (None, None),
    }
}
