//! Lists that leave the history.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use qopen_sink::SinkError;
use qopen_types::PullId;

use crate::blocking::bounded;
use crate::commit::run;
use crate::key::robot_key;
use crate::transaction::transaction;

/// The last list of a pull that is not its robot's last one.
const LAST: &str = "
    SELECT max(number) FROM list WHERE robot_key = ? AND mark_id = ? AND number < (
        SELECT max(last.number) FROM list AS last WHERE last.robot_key = ?
    )";

/// Removes the lists of pulls from the history, and earlier ones of the same robots, with their changes. Each pull is
/// a transaction of its own: a publication waits for none of them for long.
pub(crate) async fn forget(connection: &mut Conn, pulls: &[PullId]) -> Result<u64, SinkError> {
    let mut removed = 0;
    for pull in pulls {
        let key = robot_key(pull.robot_id.as_str());
        let mark = pull.mark_id.as_str();
        removed += transaction(connection, async |connection| {
            let last = connection.exec_first::<Option<i64>, _, _>(LAST, (&key, mark, &key));
            let last = bounded("removing old lists", last).await?.flatten();
            let Some(last) = last else { return Ok(0) };
            let mut lists = 0;
            for table in ["`change`", "list"] {
                let old = format!(
                    "DELETE old FROM {table} AS old FORCE INDEX (PRIMARY)
                     WHERE old.robot_key = ? AND old.number <= ?"
                );
                lists = run(connection, &old, (&key, last)).await?;
            }
            Ok(lists)
        })
        .await?;
    }
    Ok(removed)
}
