//! Streams of the pages that were kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use qopen_journal::{JournalError, PageRecord, PullId};
use qopen_types::Digest;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::{Client, IsolationLevel, Row, Statement};

use super::value::{away, bytes_of, damaged, digest_of, failed, pull_of, unpack};
use crate::database::Database;

/// Pages of one fetch.
const FETCH: i32 = 16;

/// The most streams of pages at the same time, and the most of their connections that wait for the next one.
const STREAMS: usize = 8;
const IDLE: usize = 2;

/// How long an idle connection may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

const PAGES: &str = "SELECT robot_id, mark_id, digest, unpacked, payload FROM qopen_journal.page
     WHERE robot_id = $1 AND mark_id = $2 ORDER BY number";

type Pages = BoxStream<'static, Result<PageRecord, JournalError>>;
type Chunk = Result<Vec<Row>, JournalError>;
/// Connections for streams of pages.
pub(super) struct Streams {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<(Client, Statement)>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(STREAMS)), idle: Mutex::default() }
    }
}

impl Streams {
    /// Held to take a connection out or to put it back.
    fn idle(&self) -> MutexGuard<'_, Vec<(Client, Statement)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, database: &Database) -> Result<(Client, Statement), JournalError> {
        loop {
            let Some(idle) = self.idle().pop() else { break };
            let answer = timeout(PATIENCE, idle.0.simple_query("")).await;
            if matches!(answer, Ok(Ok(_))) {
                return Ok(idle);
            }
        }
        let client = database.connect(None).await.map_err(away)?;
        let read = client.prepare(PAGES).await.map_err(failed)?;
        Ok((client, read))
    }

    fn put_back(&self, client: Client, read: Statement) {
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push((client, read));
        }
    }
}

/// The pages that a pull has now. A connection of its own holds one snapshot for as long as the stream is
/// read, and fetches pages as the reader takes them.
pub(super) async fn pages(
    database: &Database,
    streams: &Arc<Streams>,
    pull: &PullId,
) -> Result<Pages, JournalError> {
    // The semaphore is never closed.
    let place = Arc::clone(&streams.places).acquire_owned().await.ok();
    let (mut client, read) = streams.take(database).await?;
    let (sender, receiver) = mpsc::channel(1);
    let (begun, beginning) = oneshot::channel();
    let (pull, streams) = (pull.clone(), Arc::clone(streams));
    tokio::spawn(async move {
        let _place = place;
        match fetch(&mut client, &read, &pull, begun, &sender).await {
            Ok(()) => streams.put_back(client, read),
            Err(error) => {
                // The reader may have dropped the stream.
                let _ = sender.send(Err(error)).await;
            }
        }
    });
    // From here on the snapshot is fixed: it has no later page, and lacks no forgotten one. If the sender is
    // dropped, the error is in the channel.
    let _ = beginning.await;
    let chunks =
        stream::unfold(
            receiver,
            |mut receiver| async move { Some((receiver.recv().await?, receiver)) },
        );
    Ok(chunks.flat_map(records).boxed())
}

fn records(chunk: Chunk) -> stream::Iter<std::vec::IntoIter<Result<PageRecord, JournalError>>> {
    stream::iter(match chunk {
        Ok(rows) => rows.iter().map(page).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

async fn fetch(
    client: &mut Client,
    read: &Statement,
    pull: &PullId,
    begun: oneshot::Sender<()>,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), JournalError> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let snapshot = snapshot.read_only(true).start().await.map_err(failed)?;
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let portal = snapshot.bind(read, &[&robot, &mark]).await.map_err(failed)?;
    let mut rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    // The caller may have dropped the future.
    let _ = begun.send(());
    loop {
        let is_last = rows.len() < FETCH as usize;
        if sender.send(Ok(rows)).await.is_err() || is_last {
            break;
        }
        rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    }
    snapshot.commit().await.map_err(failed)
}

/// The pages of these digests, a few at a time, on connections from the pool.
pub(super) fn pages_of(database: Database, pull: PullId, digests: &[Digest]) -> Pages {
    let chunks = digests.chunks(16);
    let left: Vec<Vec<Vec<u8>>> =
        chunks.map(|it| it.iter().copied().map(bytes_of).collect()).rev().collect();
    let chunks = stream::unfold((database, pull, left), |(database, pull, mut left)| async move {
        let chunk = some(&database, &pull, left.pop()?).await;
        if chunk.is_err() {
            left.clear();
        }
        Some((chunk, (database, pull, left)))
    });
    chunks.flat_map(records).boxed()
}

async fn some(database: &Database, pull: &PullId, digests: Vec<Vec<u8>>) -> Chunk {
    let client = database.client().await.map_err(away)?;
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let read = "SELECT robot_id, mark_id, digest, unpacked, payload FROM qopen_journal.page
         WHERE robot_id = $1 AND mark_id = $2 AND digest = ANY ($3) ORDER BY number";
    client.query(read, &[&robot, &mark, &digests]).await.map_err(failed)
}

fn page(row: &Row) -> Result<PageRecord, JournalError> {
    let page = PageRecord::new(pull_of(row, 0, 1)?, unpack(row.get(3), row.get(4))?);
    match page.digest == digest_of(row.get(2))? {
        true => Ok(page),
        false => Err(damaged("a page is not what its digest says")),
    }
}
