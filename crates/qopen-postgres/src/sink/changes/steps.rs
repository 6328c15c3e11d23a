//! Lists in the history.

use qopen_sink::storage::{KEPT_LIST, KeptList};
use qopen_types::ChangeCounts;
use tokio_postgres::Row;

/// Reads a robot's history, oldest first. The last column tells whether the changes are there.
pub(super) fn history() -> String {
    format!(
        "SELECT {KEPT_LIST},
             EXISTS (
                 SELECT FROM qopen.change AS past
                 WHERE past.robot_id = list.robot_id AND past.number = list.number
             )
         FROM qopen.list AS list WHERE robot_id = $1 ORDER BY number"
    )
}

/// Returns the list of a row.
pub(super) fn kept_list(row: &Row) -> KeptList {
    let figure = |at| row.get::<_, i64>(at).unsigned_abs();
    let digest = |at| row.get::<_, Option<&str>>(at).and_then(|it| it.parse().ok());
    let mut counts = ChangeCounts::default();
    (counts.added, counts.gone, counts.lost) = (figure(10), figure(11), figure(12));
    (counts.removed, counts.returned, counts.changed) = (figure(13), figure(14), figure(15));
    KeptList {
        number: row.get(0),
        mark_id: row.get(1),
        revision: row.get(2),
        baseline: row.get(3),
        since_mark_id: row.get(4),
        since_revision: row.get(5),
        accounts_before: figure(6),
        accounts: figure(7),
        digest_before: digest(8),
        digest: digest(9),
        counts,
        has_changes: row.get(16),
    }
}
