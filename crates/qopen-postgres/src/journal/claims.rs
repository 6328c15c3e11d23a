//! Claims, as rows of the database.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use qopen_journal::{Claim, ClaimQueue, Fencing, JournalError, Note, PullId, Renewed, WorkerId};
use qopen_types::StorageId;
use tokio_postgres::types::ToSql;

use super::PostgresJournal;
use super::transaction::note_under_claim;
use super::value::{bounded, encode, failed, pull_of};

/// Counts a pull's pages in the snapshot in which the pull is finished.
const COUNT: &str = "counted = pg_current_snapshot(), (page_count, page_bytes, page_last) = (
         SELECT count(*), coalesce(sum(octet_length(payload)), 0), max(at) FROM qopen_journal.page
         WHERE page.robot_id = $1 AND page.mark_id = $2
     )";

fn micros(lease: Duration) -> f64 {
    // A lease is a few seconds: the conversion is exact enough.
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

#[async_trait]
impl ClaimQueue for PostgresJournal {
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
            note_under_claim(&client, robot, mark, claim.epoch, &note).await.map_err(failed)
        })
        .await
    }

    async fn complete(&self, claim: &Claim) -> Result<Fencing, JournalError> {
        self.end(claim, &format!("wants = false, {COUNT}")).await
    }

    async fn give_back(&self, claim: &Claim) -> Result<(), JournalError> {
        self.end(claim, "notes = true").await?;
        self.shared.hints.kept();
        Ok(())
    }

    async fn enqueue(&self, pull: &PullId) -> Result<(), JournalError> {
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

    fn storage(&self) -> Option<StorageId> {
        Some(self.storage.clone())
    }
}
