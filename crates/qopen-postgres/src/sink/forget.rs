//! Lists that leave the history.

use qopen_types::PullId;
use tokio_postgres::{Client, Error};

use super::statements::AT_A_TIME;

/// Pulls of one statement.
const PULLS: usize = 500;

/// The last of these lists of each robot. A robot's last list is not one of them.
const LAST: &str = "
    SELECT list.robot_id, max(list.number) AS number
    FROM unnest($1::text[], $2::text[]) AS old (robot_id, mark_id)
    JOIN qopen.list AS list ON list.robot_id = old.robot_id AND list.mark_id = old.mark_id
    WHERE list.number < (
        SELECT max(number) FROM qopen.list AS last WHERE last.robot_id = list.robot_id
    )
    GROUP BY list.robot_id";

/// Removes the lists of pulls from the history, and earlier ones of the same robots, with their changes. Each
/// statement is a transaction of its own: a publication waits for none of them for long.
pub(super) async fn forget(client: &Client, pulls: &[PullId]) -> Result<u64, Error> {
    let changes = format!(
        "DELETE FROM qopen.change WHERE ctid = ANY (ARRAY (
             SELECT past.ctid FROM ({LAST}) AS old JOIN qopen.change AS past
                 ON past.robot_id = old.robot_id AND past.number <= old.number
             LIMIT $3
         ))"
    );
    let lists = format!(
        "DELETE FROM qopen.list AS past USING ({LAST}) AS old
         WHERE past.robot_id = old.robot_id AND past.number <= old.number"
    );
    client.batch_execute("SET statement_timeout = '60s'; SET lock_timeout = '10s'").await?;
    let mut removed = 0;
    for pulls in pulls.chunks(PULLS) {
        let robots: Vec<&str> = pulls.iter().map(|it| it.robot_id.as_str()).collect();
        let marks: Vec<&str> = pulls.iter().map(|it| it.mark_id.as_str()).collect();
        while client.execute(&changes, &[&robots, &marks, &AT_A_TIME]).await?
            >= AT_A_TIME.unsigned_abs()
        {}
        removed += client.execute(&lists, &[&robots, &marks]).await?;
    }
    Ok(removed)
}
