//! The list that is published of a robot.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use qopen_sink::storage::{LastList, LastPublished, ListHistory, NewList};

use crate::key::key_of;

/// Returns the number of the robot's rows in `robot_account`.
pub(crate) async fn count(new: &NewList, connection: &mut Conn) -> Result<i64, Error> {
    let count = "SELECT count(*) FROM robot_account WHERE robot_key = ?";
    Ok(connection.exec_first(count, (key_of(new),)).await?.unwrap_or_default())
}

/// Returns whether the database holds a later complete list of the robot: one with a greater number, or a later
/// revision of the same pull.
pub(crate) async fn is_superseded(new: &NewList, connection: &mut Conn) -> Result<bool, Error> {
    let read =
        "SELECT mark_id, revision, list_order FROM pull WHERE robot_key = ? AND complete = 1";
    let last: Option<(String, i64, i64)> = connection.exec_first(read, (key_of(new),)).await?;
    Ok(last.is_some_and(|(mark, revision, order)| match mark == new.mark {
        true => revision > new.revision,
        false => new.order.is_some_and(|it| order > it),
    }))
}

/// Reads what is published, without the number of rows in `robot_account`.
pub(crate) async fn last(connection: &mut Conn, new: &NewList) -> Result<LastPublished, Error> {
    let key = &key_of(new);
    let mut list = LastList::default();
    let pull = "SELECT mark_id, revision, accounts FROM pull WHERE robot_key = ? AND complete = 1";
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
    Ok(LastPublished { list, publication: Some(publications), number })
}
