//! Claims, which the database keeps, and the spotter, which finds what was kept.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use qopen_postgres::client::types::ToSql;
use qopen_postgres::client::{Client, Row, Statement};
use qopen_postgres::{Database, Guest};
use tokio::sync::Mutex;

use super::{PostgresJournal, away, bounded, encode, failed, pull_of};
use crate::{Claim, Companion, Fencing, JournalError, Note, PullId, Renewed, WorkerId, Workload};

/// Marks the pulls that have pages which were committed since the last look. Whose transaction was not
/// visible then is told by its number, not by any order of commits: it had none yet, or was one of those
/// that were under way. However long another's is open, nothing is looked at twice for it. One process
/// looks at a time; what it leaves out because another looks, the other finds.
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
    -- Whoever is locked is told the next time, and nothing is forgotten until then.
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

/// Rows are written only where there is news, or a third of the lease is over. What becomes news between
/// the reading and the writing stays so.
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

/// What there is of a pull, in the snapshot in which it is finished.
const COUNT: &str = "counted = pg_current_snapshot(), (page_count, page_bytes, page_last) = (
         SELECT count(*), coalesce(sum(octet_length(payload)), 0), max(at) FROM qopen_journal.page
         WHERE page.robot_id = $1 AND page.mark_id = $2
     )";

/// A note, if the claim counts. The pull's row is locked until the note is committed.
const NOTE: &str = "
    WITH held AS MATERIALIZED (
        SELECT robot_id, mark_id FROM qopen_journal.pull
        WHERE robot_id = $1 AND mark_id = $2 AND epoch = $3 AND worker IS NOT NULL FOR UPDATE
    )
    INSERT INTO qopen_journal.note (robot_id, mark_id, at, note)
    SELECT robot_id, mark_id, clock_timestamp(), $4::text::json FROM held RETURNING true";

fn micros(lease: Duration) -> f64 {
    // A lease is seconds.
    lease.as_secs_f64() * 1e6
}

impl PostgresJournal {
    async fn end(&self, claim: &Claim, end: &str) -> Result<Fencing, JournalError> {
        bounded(async {
            let (robot, mark) = (claim.pull.robot_id.as_str(), claim.pull.mark_id.as_str());
            let end = format!(
                "UPDATE qopen_journal.pull SET worker = NULL, held_until = NULL, {end}
             WHERE robot_id = $1 AND mark_id = $2 AND epoch = $3 AND worker IS NOT NULL"
            );
            let client = self.client().await?;
            let ended =
                client.execute(&end, &[&robot, &mark, &claim.epoch]).await.map_err(failed)?;
            Ok(if ended > 0 { Fencing::Held } else { Fencing::Fenced })
        })
        .await
    }
}

/// The connection by which claims are made and renewed: nothing else waits for it, so that no list,
/// however slow, costs a lease.
#[derive(Default)]
pub(super) struct Renewals(Mutex<Option<Ready>>);

struct Ready {
    client: Client,
    spot: Statement,
    claim: Statement,
    renew: Statement,
}

impl Renewals {
    async fn claim(
        &self,
        database: &Database,
        worker: &str,
        lease: f64,
        most: i64,
    ) -> Result<Vec<Row>, JournalError> {
        self.query(database, |ready| &ready.claim, &[&worker, &lease, &most]).await
    }

    async fn renew(
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
        // What a connection was at is not known when it has failed: the next one begins with another.
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

#[async_trait]
impl Workload for PostgresJournal {
    async fn claim(
        &self,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Claim>, JournalError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows =
            self.renewals.claim(&self.database, worker.as_str(), micros(lease), most).await?;
        rows.iter().map(|row| Ok(Claim::new(pull_of(row, 0, 1)?, row.get(2)))).collect()
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, JournalError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let robots: Vec<&str> = claims.iter().map(|it| it.pull.robot_id.as_str()).collect();
        let marks: Vec<&str> = claims.iter().map(|it| it.pull.mark_id.as_str()).collect();
        let epochs: Vec<i64> = claims.iter().map(|it| it.epoch).collect();
        let parameters: [&(dyn ToSql + Sync); 4] = [&robots, &marks, &epochs, &micros(lease)];
        let held = self.renewals.renew(&self.database, &parameters).await?;
        let held: BTreeMap<i64, (bool, bool)> =
            held.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let renewed = |claim: &Claim| match held.get(&claim.epoch) {
            Some(&(pages, notes)) => Renewed::Held { pages, notes },
            None => Renewed::Fenced,
        };
        Ok(claims.iter().map(renewed).collect())
    }

    async fn note_as(&self, claim: &Claim, note: Note) -> Result<Fencing, JournalError> {
        bounded(async {
            let (robot, mark) = (claim.pull.robot_id.as_str(), claim.pull.mark_id.as_str());
            let note = encode(&note)?;
            let client = self.client().await?;
            let noted = client.query_opt(NOTE, &[&robot, &mark, &claim.epoch, &note]).await;
            Ok(if noted.map_err(failed)?.is_some() { Fencing::Held } else { Fencing::Fenced })
        })
        .await
    }

    async fn finish(&self, claim: &Claim) -> Result<Fencing, JournalError> {
        self.end(claim, &format!("wants = false, {COUNT}")).await
    }

    async fn leave(&self, claim: &Claim) -> Result<(), JournalError> {
        self.end(claim, "notes = true").await?;
        self.shared.hints.kept();
        Ok(())
    }

    async fn want(&self, pull: &PullId) -> Result<(), JournalError> {
        bounded(async {
            let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
            let want =
                "UPDATE qopen_journal.pull SET notes = true WHERE robot_id = $1 AND mark_id = $2";
            self.client().await?.execute(want, &[&robot, &mark]).await.map_err(failed)?;
            self.shared.hints.kept();
            Ok(())
        })
        .await
    }

    async fn note_refusal(&self) -> Result<(), JournalError> {
        bounded(async {
            let note = "UPDATE qopen_journal.refusal SET count = count + 1";
            self.client().await?.execute(note, &[]).await.map(drop).map_err(failed)
        })
        .await?;
        self.shared.hints.kept();
        Ok(())
    }

    async fn noted_refusals(&self) -> Result<u64, JournalError> {
        bounded(async {
            let read = "SELECT count FROM qopen_journal.refusal";
            let row = self.client().await?.query_one(read, &[]).await.map_err(failed)?;
            Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
        })
        .await
    }

    async fn wait(&self, most: Duration) {
        self.shared.hints.wait(most).await;
    }

    fn companion(&self, claim: &Claim, note: &Note) -> Option<Companion> {
        let Claim { pull, epoch } = claim;
        Some(Box::new(Guest {
            database: self.identity.clone(),
            identify: "SELECT id::text FROM qopen_journal.identity",
            statement: NOTE,
            parameters: vec![
                Box::new(pull.robot_id.to_string()),
                Box::new(pull.mark_id.to_string()),
                Box::new(*epoch),
                Box::new(encode(note).ok()?),
            ],
        }))
    }
}
