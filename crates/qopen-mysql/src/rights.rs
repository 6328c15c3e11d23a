//! Whether the database's user may publish.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use qopen_sink::SinkError;

use crate::blocking::bounded;
use crate::columns::Columns;
use crate::transaction::transaction;

/// The tables of a publication.
const TABLES: [&str; 8] = [
    "robot_account",
    "tag",
    "partial_robot_account",
    "partial_tag",
    "pull",
    "quarantine",
    "list",
    "`change`",
];

/// Runs statements of a publication without rows, to find out whether the user may.
pub(crate) async fn try_all(connection: &mut Conn, columns: &Columns) -> Result<(), SinkError> {
    transaction(connection, async |connection| {
        for table in TABLES {
            // Server rejects what the user may not do, and what a binary log cannot have, also without a row.
            let add = format!("INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0");
            let old = format!(
                "DELETE old FROM {table} AS old FORCE INDEX (PRIMARY) WHERE old.robot_key = ''"
            );
            for statement in [add, old] {
                bounded("trying to write", connection.query_drop(statement)).await?;
            }
        }
        let known = columns.update("robot_account") + " AND 1 = 0";
        bounded("trying to write", connection.prep(known)).await?;
        for statement in [
            "UPDATE list_order SET last = last WHERE id = 0",
            "INSERT INTO robot_writer (robot_key, robot_id, publications) VALUES ('', '', 0)
                 ON DUPLICATE KEY UPDATE publications = publications",
            "DELETE FROM robot_writer WHERE robot_key = ''",
        ] {
            bounded("trying to write", connection.query_drop(statement)).await?;
        }
        Ok(())
    })
    .await
}
