//! Figures, old things, and whether everything can still be read.

use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::StreamExt as _;

use super::{PostgresJournal, encode, failed, read};
use crate::{
    Expired, Holdings, Journal as _, JournalError, JournalStats, Noted, PullId, Report, Upkeep,
};

#[async_trait]
impl Upkeep for PostgresJournal {
    fn stats(&self) -> JournalStats {
        let queued = self.appends.max_capacity() - self.appends.capacity();
        JournalStats { queued, ..*self.shared.stats() }
    }

    async fn holdings(&self) -> Result<Holdings, JournalError> {
        let read = "
            SELECT (SELECT count(*) FROM qopen_journal.pull),
                (SELECT min(note.at) FROM qopen_journal.pull JOIN qopen_journal.note
                     USING (robot_id, mark_id) WHERE pull.wants AND note.note ->> 'note' = 'started'),
                (SELECT count(*) FROM qopen_journal.quarantined WHERE robot_id IS NOT NULL)";
        let row = self.client().await?.query_one(read, &[]).await.map_err(failed)?;
        let count = |at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
        Ok(Holdings { pulls: count(0), oldest_open: row.get(1), quarantined: count(2) })
    }

    async fn expire(
        &self,
        before: SystemTime,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError> {
        let client = self.client().await?;
        let old = "
            SELECT robot_id, mark_id FROM qopen_journal.pull
            WHERE worker IS NULL AND NOT (wants OR pages OR notes) AND NOT EXISTS (
                SELECT FROM qopen_journal.page
                WHERE page.robot_id = pull.robot_id AND page.mark_id = pull.mark_id AND at >= $1
            ) AND NOT EXISTS (
                SELECT FROM qopen_journal.note
                WHERE note.robot_id = pull.robot_id AND note.mark_id = pull.mark_id AND at >= $1
            ) AND NOT EXISTS (
                SELECT FROM qopen_journal.quarantined AS item
                WHERE item.robot_id = pull.robot_id AND item.mark_id = pull.mark_id AND at >= $1
            )";
        let rows = client.query(old, &[&before]).await.map_err(failed)?;
        let mut gone = Expired::default();
        for row in &rows {
            let pull = super::pull_of(row, 0, 1)?;
            if !spare.contains(&pull) {
                self.forget(&pull).await?;
                gone.pulls.push(pull);
            }
        }
        // What came in the very moment in which its pull was forgotten.
        let orphans = "DELETE FROM qopen_journal.page WHERE at < $1 AND NOT EXISTS (
             SELECT FROM qopen_journal.pull
             WHERE pull.robot_id = page.robot_id AND pull.mark_id = page.mark_id
         )";
        client.execute(orphans, &[&before]).await.map_err(failed)?;
        let items = "DELETE FROM qopen_journal.quarantined WHERE robot_id IS NULL AND at < $1";
        gone.items = client.execute(items, &[&before]).await.map_err(failed)?;
        let events = "DELETE FROM qopen_journal.event WHERE since < $1";
        gone.events = client.execute(events, &[&before]).await.map_err(failed)?;
        Ok(gone)
    }

    /// The server does so by itself (autovacuum).
    async fn compact(&self, _: u8) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn check(&self) -> Result<Report, JournalError> {
        let mut report = Report::default();
        for state in read::states(&*self.client().await?, None, None).await? {
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
        let kept = self.client().await?.execute(keep, &[&robot, &mark, &noted.at, &note]).await;
        kept.map(drop).map_err(failed)
    }
}
