//! Appends: many share a statement, and the statement is a transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen_journal::{Appended, JournalError, PageRecord, PullId};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Statement};

use super::shared::Shared;
use super::value::{away, bytes_of, failed, pack, pull_of};
use crate::database::Database;
use crate::error::DatabaseError;

/// The most queued appends. Beyond that their callers wait.
pub(super) const QUEUE: usize = 1024;

/// The number of writers: while one waits for its commit, another collects a batch.
const WRITERS: usize = 4;

/// The most pages, and bytes, of one statement. A single page may have more bytes.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

/// How long connecting and a statement may take until the database counts as away.
const PATIENCE: Duration = Duration::from_secs(12);

/// The pause after a failed statement.
const PAUSE: Duration = Duration::from_millis(200);

/// A packed page, and its caller.
pub(super) struct Append {
    pull: PullId,
    digest: Vec<u8>,
    unpacked: Option<i32>,
    payload: Vec<u8>,
    reply: oneshot::Sender<Result<Appended, JournalError>>,
}

pub(super) async fn append(
    appends: &mpsc::Sender<Append>,
    page: PageRecord,
) -> Result<Appended, JournalError> {
    let stopped = || JournalError::Fatal("the journal's tasks have stopped".into());
    let (reply, answer) = oneshot::channel();
    let (unpacked, payload) = pack(page.payload).await?;
    let (pull, digest) = (page.pull, bytes_of(page.digest));
    let append = Append { pull, digest, unpacked, payload, reply };
    appends.send(append).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())?
}

pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    database: &Database,
    queue: mpsc::Receiver<Append>,
    shared: &Arc<Shared>,
) {
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..WRITERS {
        let writer =
            Writer { database: database.clone(), shared: Arc::clone(shared), connection: None };
        tasks.spawn(writer.run(Arc::clone(&queue)));
    }
}

struct Writer {
    database: Database,
    shared: Arc<Shared>,
    connection: Option<(Client, Statement)>,
}

/// Inserts rows in the same order in every statement, so that two statements do not deadlock.
const KEEP: &str = "
    WITH page AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::integer[], $5::bytea[])
            AS page (robot_id, mark_id, digest, unpacked, payload)
    ), work AS (
        INSERT INTO qopen_journal.pull (robot_id, mark_id)
        SELECT DISTINCT robot_id COLLATE \"C\", mark_id COLLATE \"C\" FROM page ORDER BY 1, 2
        ON CONFLICT DO NOTHING
    )
    INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
    SELECT * FROM page ORDER BY robot_id COLLATE \"C\", mark_id COLLATE \"C\", digest
    ON CONFLICT DO NOTHING
    RETURNING robot_id, mark_id, digest";

impl Writer {
    async fn run(mut self, queue: Arc<Mutex<mpsc::Receiver<Append>>>) {
        loop {
            let mut batch = Vec::new();
            {
                // One writer collects while the others are at the database. Only writers take this lock.
                let mut queue = queue.lock().await;
                let Some(first) = queue.recv().await else { return };
                let mut bytes = first.payload.len();
                batch.push(first);
                while batch.len() < BATCH
                    && bytes < BATCH_BYTES
                    && let Ok(next) = queue.try_recv()
                {
                    bytes += next.payload.len();
                    batch.push(next);
                }
            }
            self.commit(batch).await;
        }
    }

    async fn commit(&mut self, batch: Vec<Append>) {
        let begun = Instant::now();
        let kept = match tokio::time::timeout(PATIENCE, self.keep(&batch)).await {
            Ok(kept) => kept,
            Err(_) => Err(away(DatabaseError::TimedOut)),
        };
        let waited = begun.elapsed();
        {
            let mut stats = self.shared.stats();
            stats.batches += 1;
            stats.waited += waited;
            match &kept {
                Ok(kept) => {
                    stats.records += kept.len() as u64;
                    stats.bytes += batch.iter().map(|it| it.payload.len() as u64).sum::<u64>();
                }
                Err(_) => {
                    stats.failures += 1;
                }
            }
        }
        self.shared.wrote(kept.is_ok());
        match kept {
            Ok(mut kept) => {
                if !kept.is_empty() {
                    self.shared.hints.kept();
                }
                for Append { pull, digest, reply, .. } in batch {
                    let new = kept.remove(&(pull, digest));
                    // The caller may have dropped the future.
                    let _ = reply.send(Ok(if new { Appended::New } else { Appended::Duplicate }));
                }
            }
            Err(error) => {
                // Its state is unknown: the next batch connects again.
                self.connection = None;
                let retryable = error.is_retryable();
                let error = Arc::new(error);
                for Append { reply, .. } in batch {
                    let error = Box::new(Arc::clone(&error));
                    let _ = reply.send(Err(match retryable {
                        true => JournalError::Unavailable(error),
                        false => JournalError::Fatal(error),
                    }));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Inserts a batch, and returns the pages that were new.
    async fn keep(
        &mut self,
        batch: &[Append],
    ) -> Result<BTreeSet<(PullId, Vec<u8>)>, JournalError> {
        if self.connection.as_ref().is_none_or(|(client, _)| client.is_closed()) {
            let client = self.database.connect(None).await.map_err(away)?;
            let statement = client.prepare(KEEP).await.map_err(failed)?;
            self.connection = Some((client, statement));
        }
        let Some((client, keep)) = &self.connection else { return Ok(BTreeSet::new()) };
        let robots: Vec<&str> = batch.iter().map(|it| it.pull.robot_id.as_str()).collect();
        let marks: Vec<&str> = batch.iter().map(|it| it.pull.mark_id.as_str()).collect();
        let digests: Vec<&[u8]> = batch.iter().map(|it| &it.digest[..]).collect();
        let unpacked: Vec<Option<i32>> = batch.iter().map(|it| it.unpacked).collect();
        let payloads: Vec<&[u8]> = batch.iter().map(|it| &it.payload[..]).collect();
        let rows = client.query(keep, &[&robots, &marks, &digests, &unpacked, &payloads]).await;
        let rows = rows.map_err(failed)?;
        rows.iter().map(|row| Ok((pull_of(row, 0, 1)?, row.get(2)))).collect()
    }
}
