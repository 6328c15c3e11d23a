//! Lists that leave the history.

use qopen_sink::SinkError;
use qopen_types::PullId;
use rusqlite::params;

use crate::error::failed;
use crate::file::DatabaseFile;

/// The last list of a pull that is not its robot's last one.
const LAST: &str = "
    SELECT max(number) FROM list WHERE robot_id = ?1 AND mark_id = ?2 AND number < (
        SELECT max(number) FROM list WHERE robot_id = ?1
    )";

/// Removes the lists of pulls from the history, and earlier ones of the same robots, with their changes. Each pull is
/// a transaction of its own: a publication waits for none of them for long.
pub(crate) fn forget(database: &DatabaseFile, pulls: &[PullId]) -> Result<u64, SinkError> {
    let Some(mut file) = database.open_existing()? else { return Ok(0) };
    let fails = failed(database.wait);
    let mut removed = 0;
    for pull in pulls {
        let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
        let one = || {
            let transaction =
                file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let last = |row: &rusqlite::Row<'_>| row.get(0);
            let last: Option<i64> = transaction.query_row(LAST, params![robot, mark], last)?;
            let Some(last) = last else { return Ok(0) };
            let changes = "DELETE FROM change WHERE robot_id = ?1 AND number <= ?2";
            transaction.execute(changes, params![robot, last])?;
            let lists = "DELETE FROM list WHERE robot_id = ?1 AND number <= ?2";
            let lists = transaction.execute(lists, params![robot, last])?;
            transaction.commit().map(|()| lists as u64)
        };
        let mut one = one;
        removed += one().map_err(fails)?;
    }
    Ok(removed)
}
