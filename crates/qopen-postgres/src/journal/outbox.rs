//! Events that wait to be forwarded.

use std::time::Duration;

use async_trait::async_trait;
use qopen_journal::{Appended, Backlog, JournalError, Outbox, Payload, PendingEvent, WorkerId};
use qopen_types::Digest;

use super::PostgresJournal;
use super::value::{bounded, bytes_of, failed, pack, unpack};

/// The most bytes of one read, unless a single event has more.
const CHUNK: i64 = 1 << 20;

#[async_trait]
impl Outbox for PostgresJournal {
    async fn put(&self, event: Payload) -> Result<Appended, JournalError> {
        bounded(async {
            let digest = bytes_of(Digest::of(event.as_bytes()));
            let (unpacked, payload) = pack(event).await?;
            let put =
                "INSERT INTO qopen_journal.event (digest, unpacked, payload) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING";
            let put = self.client().await?.execute(put, &[&digest, &unpacked, &payload]).await;
            Ok(if put.map_err(failed)? > 0 { Appended::New } else { Appended::Duplicate })
        })
        .await
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<PendingEvent>, JournalError> {
        bounded(async {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let read = "
            WITH next AS MATERIALIZED (
                SELECT number, since, unpacked, payload FROM qopen_journal.event
                WHERE number > $1 ORDER BY number LIMIT $2
            ), sized AS (
                SELECT *, sum(octet_length(payload)) OVER (ORDER BY number) AS so_far,
                    row_number() OVER (ORDER BY number) AS place
                FROM next
            )
            SELECT number, since, unpacked, payload FROM sized WHERE so_far <= $3 OR place = 1
            ORDER BY number";
            // The limit in bytes works only after the rows are selected.
            let most = most.min(1024);
            let rows = self.client().await?.query(read, &[&after, &most, &CHUNK]).await;
            let waiting = rows.map_err(failed)?;
            let waiting = waiting.iter().map(|row| {
                let number = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
                Ok(PendingEvent::new(number, row.get(1), unpack(row.get(2), row.get(3))?))
            });
            waiting.collect()
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, JournalError> {
        bounded(async {
            let read = "SELECT count(*), coalesce(sum(octet_length(payload)), 0)::bigint
             FROM qopen_journal.event";
            let row = self.client().await?.query_one(read, &[]).await.map_err(failed)?;
            let count = |at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
            let mut backlog = Backlog::default();
            (backlog.events, backlog.bytes) = (count(0), count(1));
            Ok(backlog)
        })
        .await
    }

    async fn ack(&self, event: &PendingEvent) -> Result<(), JournalError> {
        bounded(async {
            let digest = bytes_of(Digest::of(event.event.as_bytes()));
            let take = "DELETE FROM qopen_journal.event WHERE digest = $1";
            self.client().await?.execute(take, &[&digest]).await.map(drop).map_err(failed)
        })
        .await
    }

    async fn try_lead(&self, worker: &WorkerId, lease: Duration) -> Result<bool, JournalError> {
        bounded(async {
        let take = "
            INSERT INTO qopen_journal.turn VALUES
                ('events', $1, clock_timestamp() + $2 * interval '1 second')
            ON CONFLICT (name) DO UPDATE SET worker = excluded.worker, held_until = excluded.held_until
            WHERE turn.worker = excluded.worker OR turn.held_until < clock_timestamp()";
        let client = self.client().await?;
        let taken = client.execute(take, &[&worker.as_str(), &lease.as_secs_f64()]).await;
        Ok(taken.map_err(failed)? > 0)
        })
        .await
    }

    fn is_shared(&self) -> bool {
        true
    }
}
