//! The list that is published of a robot.

use qopen_sink::storage::{LastPublished, ListHistory, NewList};
use rusqlite::{Connection, OptionalExtension as _, Result, params};

/// Returns whether the file holds a later complete list of the robot: one with a greater number, or a later revision of
/// the same pull.
pub(crate) fn is_superseded(new: &NewList, file: &Connection) -> Result<bool> {
    let later = "SELECT EXISTS (SELECT 1 FROM pull WHERE robot_id = ?1 AND complete AND (
             mark_id <> ?2 AND list_order > ?4 OR mark_id = ?2 AND revision > ?3
         ))";
    let NewList { robot_id, mark, revision, order, .. } = new;
    let values = params![robot_id.as_str(), mark, revision, order];
    file.prepare(later)?.query_row(values, |row| row.get(0))
}

/// Reads what is published, without the number of rows in `robot_account`.
pub(crate) fn last(file: &Connection, new: &NewList) -> Result<LastPublished> {
    let robot = new.robot_id.as_str();
    let mut last = LastPublished::default();
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
