//! Maintenance: statistics, expiry and integrity checks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use qopen_journal::storage::Ages;
use qopen_journal::{
    Expired, Journal as _, JournalError, JournalStats, JournalSummary, Maintenance, Noted, PullId,
    Report,
};

use super::value::{away, bounded, encode, failed, pull_of};
use super::{PostgresJournal, read};
use crate::error::DatabaseError;

/// The most pulls that one transaction forgets.
const SOME: i64 = 64;

/// How long such a transaction may take.
const FORGETTING: Duration = Duration::from_secs(120);

/// Whether a pull has only old records, no news and no worker.
const IS_OLD: &str = "
    worker IS NULL AND NOT (wants OR pages OR notes) AND NOT EXISTS (
        SELECT FROM qopen_journal.page
        WHERE page.robot_id = pull.robot_id AND page.mark_id = pull.mark_id AND number > $1
    ) AND NOT EXISTS (
        SELECT FROM qopen_journal.note
        WHERE note.robot_id = pull.robot_id AND note.mark_id = pull.mark_id AND number > $2
    ) AND NOT EXISTS (
        SELECT FROM qopen_journal.quarantined AS item
        WHERE item.robot_id = pull.robot_id AND item.mark_id = pull.mark_id AND number > $3
    )";

/// Makes a pull again for each page that was committed while its pull was forgotten. Inserts in the order
/// of appends, so that the two do not deadlock.
const ADOPT: &str = "
    INSERT INTO qopen_journal.pull (robot_id, mark_id, pages)
    SELECT DISTINCT robot_id COLLATE \"C\", mark_id COLLATE \"C\", true FROM qopen_journal.page
    WHERE xid >= $1::text::xid8 AND NOT EXISTS (
        SELECT FROM qopen_journal.pull
        WHERE pull.robot_id = page.robot_id AND pull.mark_id = page.mark_id
    ) ORDER BY 1, 2 ON CONFLICT DO NOTHING";

/// The last numbers of old records, and the first transaction whose pages may lack a pull row.
struct Old {
    page: i64,
    note: i64,
    item: i64,
    event: i64,
    swept: String,
}

impl PostgresJournal {
    /// Counts the time since the last call by any process, and returns which records are that old.
    async fn older_than(&self, keep: Duration) -> Result<Old, JournalError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(failed)?;
        let read =
            "SELECT observed::text, swept::text, extract(epoch FROM clock_timestamp())::float8
             FROM qopen_journal.age FOR UPDATE";
        let row = transaction.query_one(read, &[]).await.map_err(failed)?;
        let mut ages: Ages = serde_json::from_str(row.get(0)).unwrap_or_default();
        let wall = Duration::try_from_secs_f64(row.get(2)).unwrap_or_default();
        let by = *self.observer();
        let observer = ages.observe(by, wall, keep, Instant::now());
        let mark = "
            WITH now AS (
                SELECT page.last_value - (NOT page.is_called)::integer AS page,
                    note.last_value - (NOT note.is_called)::integer AS note,
                    item.last_value - (NOT item.is_called)::integer AS item,
                    event.last_value - (NOT event.is_called)::integer AS event
                FROM qopen_journal.page_number_seq AS page, qopen_journal.note_number_seq AS note,
                    qopen_journal.quarantined_number_seq AS item,
                    qopen_journal.event_number_seq AS event
            ), new AS (
                INSERT INTO qopen_journal.mark (page, note, item, event)
                SELECT page, note, item, event FROM now EXCEPT (
                    SELECT page, note, item, event FROM qopen_journal.mark ORDER BY id DESC LIMIT 1
                ) RETURNING id
            )
            SELECT greatest((SELECT max(id) FROM new), (SELECT max(id) FROM qopen_journal.mark))";
        let next: i64 = transaction.query_one(mark, &[]).await.map_err(failed)?.get(0);
        let number = ages.older_than(keep, u64::try_from(next).unwrap_or(0));
        let number = i64::try_from(number).unwrap_or(0);
        let limits = "SELECT page, note, item, event FROM qopen_journal.mark WHERE id = $1";
        let limits = transaction.query_opt(limits, &[&number]).await.map_err(failed)?;
        let limit = |at| limits.as_ref().map_or(0, |row| row.get::<_, i64>(at));
        let (page, note, item, event) = (limit(0), limit(1), limit(2), limit(3));
        let earlier = "DELETE FROM qopen_journal.mark WHERE id < $1";
        transaction.execute(earlier, &[&number]).await.map_err(failed)?;
        let ages =
            serde_json::to_string(&ages).map_err(|error| JournalError::Fatal(Box::new(error)))?;
        let keep = "UPDATE qopen_journal.age SET observed = $1::text::json,
                 swept = pg_snapshot_xmin(pg_current_snapshot())";
        transaction.execute(keep, &[&ages]).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        *self.observer() = Some(observer);
        Ok(Old { page, note, item, event, swept: row.get(1) })
    }

    /// Forgets some old pulls and returns them. The deletion repeats the condition, so that concurrent
    /// pages and claims are kept.
    async fn forget_some(
        &self,
        old: &Old,
        spare: &BTreeSet<PullId>,
        most: i64,
    ) -> Result<Vec<PullId>, JournalError> {
        let names: (Vec<&str>, Vec<&str>) =
            spare.iter().map(|it| (it.robot_id.as_str(), it.mark_id.as_str())).unzip();
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(failed)?;
        let Old { page, note, item, .. } = old;
        let hold = format!(
            "SELECT robot_id, mark_id FROM qopen_journal.pull WHERE {IS_OLD} AND NOT EXISTS (
                 SELECT FROM unnest($4::text[], $5::text[]) AS spare (robot_id, mark_id)
                 WHERE spare.robot_id = pull.robot_id AND spare.mark_id = pull.mark_id
             ) ORDER BY 1, 2 LIMIT $6 FOR UPDATE SKIP LOCKED"
        );
        let held = transaction.query(&hold, &[page, note, item, &names.0, &names.1, &most]).await;
        let held = held.map_err(failed)?;
        let names: (Vec<&str>, Vec<&str>) =
            held.iter().map(|row| (row.get::<_, &str>(0), row.get::<_, &str>(1))).unzip();
        // A new statement has a new snapshot, which includes what was committed before the rows were locked.
        let forget = format!(
            "WITH gone AS (
                 DELETE FROM qopen_journal.pull
                 USING unnest($4::text[], $5::text[]) AS old (robot_id, mark_id)
                 WHERE pull.robot_id = old.robot_id AND pull.mark_id = old.mark_id AND {IS_OLD}
                 RETURNING pull.robot_id, pull.mark_id
             ), pages AS (
                 DELETE FROM qopen_journal.page USING gone
                 WHERE page.robot_id = gone.robot_id AND page.mark_id = gone.mark_id AND number <= $1
             ), notes AS (
                 DELETE FROM qopen_journal.note USING gone
                 WHERE note.robot_id = gone.robot_id AND note.mark_id = gone.mark_id AND number <= $2
             ), items AS (
                 DELETE FROM qopen_journal.quarantined AS item USING gone
                 WHERE item.robot_id = gone.robot_id AND item.mark_id = gone.mark_id AND number <= $3
             )
             SELECT robot_id, mark_id FROM gone"
        );
        let gone = transaction.query(&forget, &[page, note, item, &names.0, &names.1]).await;
        let gone = gone.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        gone.iter().map(|row| pull_of(row, 0, 1)).collect()
    }
}

#[async_trait]
impl Maintenance for PostgresJournal {
    fn stats(&self) -> JournalStats {
        let queued = self.appends.max_capacity() - self.appends.capacity();
        let mut stats = *self.shared.stats();
        stats.queued = queued;
        stats
    }

    async fn summary(&self) -> Result<JournalSummary, JournalError> {
        let read = "
            SELECT (SELECT count(*) FROM qopen_journal.pull),
                (SELECT min(note.at) FROM qopen_journal.pull JOIN qopen_journal.note
                     USING (robot_id, mark_id) WHERE pull.wants AND note.note ->> 'note' = 'started'),
                (SELECT count(*) FROM qopen_journal.quarantined WHERE robot_id IS NOT NULL)";
        let row =
            bounded(async { self.client().await?.query_one(read, &[]).await.map_err(failed) });
        let row = row.await?;
        let count = |at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
        let mut summary = JournalSummary::default();
        (summary.pulls, summary.quarantined) = (count(0), count(2));
        summary.oldest_open = row.get(1);
        Ok(summary)
    }

    async fn expire(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError> {
        let old = bounded(self.older_than(keep)).await?;
        let mut gone = Expired::default();
        bounded(async {
            let client = self.client().await?;
            let items =
                "DELETE FROM qopen_journal.quarantined WHERE robot_id IS NULL AND number <= $1";
            gone.items = client.execute(items, &[&old.item]).await.map_err(failed)?;
            let events = "DELETE FROM qopen_journal.event WHERE number <= $1";
            gone.events = client.execute(events, &[&old.event]).await.map_err(failed)?;
            Ok(())
        })
        .await?;
        let mut most = SOME;
        let failed_at_last = loop {
            let some = tokio::time::timeout(FORGETTING, self.forget_some(&old, spare, most)).await;
            match some {
                Ok(Ok(some)) if some.is_empty() => break None,
                Ok(Ok(some)) => gone.pulls.extend(some),
                Ok(Err(error)) => break Some(error),
                // The pulls are large: fewer in each transaction.
                Err(_) if most > 1 => most /= 4,
                Err(_) => break Some(away(DatabaseError::TimedOut)),
            }
        };
        bounded(async {
            let adopted = self.client().await?.execute(ADOPT, &[&old.swept]).await;
            adopted.map(drop).map_err(failed)
        })
        .await?;
        failed_at_last.map_or(Ok(gone), Err)
    }

    /// Does nothing: the server's autovacuum compacts.
    async fn compact(&self, _: u8) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn check(&self) -> Result<Report, JournalError> {
        let mut report = Report::default();
        for state in read::states(&*self.client().await?, read::Whose::All).await? {
            report.pulls += 1;
            report.bytes += state.bytes;
            report.records += state.pages + state.notes.len() as u64;
            let mut pages = self.pages(&state.pull).await?;
            while let Some(page) = pages.next().await {
                page?;
            }
        }
        report.records += self.quarantined(None).await?.len() as u64;
        Ok(report)
    }

    async fn restore(&self, pull: &PullId, noted: Noted) -> Result<(), JournalError> {
        let note = encode(&noted.note)?;
        let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
        let keep = "
            WITH work AS (
                INSERT INTO qopen_journal.pull (robot_id, mark_id) VALUES ($1, $2)
                ON CONFLICT DO NOTHING
            )
            INSERT INTO qopen_journal.note (robot_id, mark_id, at, note)
            VALUES ($1, $2, $3, $4::text::json)";
        bounded(async {
            let kept = self.client().await?.execute(keep, &[&robot, &mark, &noted.at, &note]).await;
            kept.map(drop).map_err(failed)
        })
        .await
    }
}
