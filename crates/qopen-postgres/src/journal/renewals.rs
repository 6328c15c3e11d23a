//! The connection for claims, and the spotter, which finds new pages.

use qopen_journal::JournalError;
use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::value::{away, bounded, failed};
use crate::database::Database;

/// Marks the pulls with pages that were committed since the last look.
///
/// A transaction number tells whether a page was visible then, because numbers are not in the order of
/// commits: the number was not assigned yet, or was in progress. A transaction that stays open causes no
/// page to be looked at twice. One process looks at a time, and the others skip.
const SPOT: &str = "
    WITH last AS MATERIALIZED (
        SELECT looked FROM qopen_journal.spotter FOR UPDATE SKIP LOCKED
    ), fresh AS MATERIALIZED (
        SELECT robot_id, mark_id FROM last, qopen_journal.page
        WHERE page.xid >= pg_snapshot_xmax(last.looked)
        UNION
        SELECT robot_id, mark_id FROM qopen_journal.page
        WHERE page.xid = ANY (ARRAY (SELECT pg_snapshot_xip(looked) FROM last))
    ), known AS MATERIALIZED (
        SELECT pull.robot_id, pull.mark_id FROM qopen_journal.pull JOIN fresh USING (robot_id, mark_id)
    ), due AS MATERIALIZED (
        SELECT pull.robot_id, pull.mark_id FROM qopen_journal.pull JOIN fresh USING (robot_id, mark_id)
        ORDER BY 1, 2 FOR UPDATE OF pull SKIP LOCKED
    ), told AS (
        UPDATE qopen_journal.pull SET pages = true FROM due
        WHERE pull.robot_id = due.robot_id AND pull.mark_id = due.mark_id
    )
    UPDATE qopen_journal.spotter SET looked = pg_current_snapshot() FROM last
    -- If a pull is locked, the snapshot stays, and the next look marks that pull.
    WHERE (SELECT count(*) FROM due) = (SELECT count(*) FROM known) AND EXISTS (SELECT FROM fresh)";

const CLAIM: &str = "
    WITH free AS MATERIALIZED (
        SELECT robot_id, mark_id FROM qopen_journal.pull
        WHERE (wants OR pages OR notes OR worker IS NOT NULL)
            AND (worker IS NULL OR held_until < clock_timestamp())
        ORDER BY 1, 2 LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    UPDATE qopen_journal.pull
    SET worker = $1, pages = false, notes = false, counted = NULL, epoch = nextval('qopen_journal.epoch'),
        held_until = clock_timestamp() + $2 * interval '1 microsecond'
    FROM free WHERE pull.robot_id = free.robot_id AND pull.mark_id = free.mark_id
    RETURNING pull.robot_id, pull.mark_id, pull.epoch";

/// Writes a row only if it has news, or if a third of the lease is over. News between the reading and the
/// writing stays for the next renewal.
const RENEW: &str = "
    WITH mine AS MATERIALIZED (
        SELECT pull.robot_id, pull.mark_id, pull.epoch, pull.pages, pull.notes, pull.held_until
        FROM qopen_journal.pull
        JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS claim (robot_id, mark_id, epoch)
            USING (robot_id, mark_id, epoch)
        WHERE pull.worker IS NOT NULL
    ), due AS MATERIALIZED (
        SELECT pull.robot_id, pull.mark_id
        FROM qopen_journal.pull JOIN mine USING (robot_id, mark_id, epoch)
        WHERE mine.pages OR mine.notes
            OR mine.held_until < clock_timestamp() + $4::double precision * 2 / 3 * interval '1 microsecond'
        ORDER BY 1, 2 FOR UPDATE OF pull
    ), renewed AS (
        UPDATE qopen_journal.pull
        SET pages = pull.pages AND NOT mine.pages, notes = pull.notes AND NOT mine.notes,
            held_until = clock_timestamp() + $4::double precision * interval '1 microsecond'
        FROM mine JOIN due USING (robot_id, mark_id)
        WHERE pull.robot_id = mine.robot_id AND pull.mark_id = mine.mark_id
            AND pull.epoch = mine.epoch
    )
    SELECT epoch, pages, notes FROM mine";

/// The connection for claims and renewals. Nothing else uses it, so a slow list costs no lease.
#[derive(Default)]
pub(super) struct Renewals(Mutex<Option<Ready>>);

struct Ready {
    client: Client,
    spot: Statement,
    claim: Statement,
    renew: Statement,
}

impl Renewals {
    pub(super) async fn claim(
        &self,
        database: &Database,
        worker: &str,
        lease: f64,
        most: i64,
    ) -> Result<Vec<Row>, JournalError> {
        self.query(database, |ready| &ready.claim, &[&worker, &lease, &most]).await
    }

    pub(super) async fn renew(
        &self,
        database: &Database,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, JournalError> {
        self.query(database, |ready| &ready.renew, parameters).await
    }

    async fn query(
        &self,
        database: &Database,
        statement: fn(&Ready) -> &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, JournalError> {
        let mut place = self.0.lock().await;
        // The state of a failed connection is unknown: the next call connects again.
        let ready = place.take().filter(|it| !it.client.is_closed());
        let done = bounded(async {
            let ready = match ready {
                Some(ready) => ready,
                None => Ready::new(database).await?,
            };
            ready.client.execute(&ready.spot, &[]).await.map_err(failed)?;
            let rows = ready.client.query(statement(&ready), parameters).await.map_err(failed)?;
            Ok((ready, rows))
        });
        let (ready, rows) = done.await?;
        *place = Some(ready);
        Ok(rows)
    }
}

impl Ready {
    async fn new(database: &Database) -> Result<Self, JournalError> {
        let client = database.connect(None).await.map_err(away)?;
        let spot = client.prepare(SPOT).await.map_err(failed)?;
        let claim = client.prepare(CLAIM).await.map_err(failed)?;
        let renew = client.prepare(RENEW).await.map_err(failed)?;
        Ok(Self { client, spot, claim, renew })
    }
}
