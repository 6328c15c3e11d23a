//! Reading back what was kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::future::{try_join, try_join3};
use futures_util::{StreamExt as _, stream};
use qopen_journal::{
    Cursor, JournalError, Note, Noted, PageRecord, PullId, PullState, Quarantined,
};
use qopen_types::{Digest, MarkId, RobotId};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, IsolationLevel, Row};

use super::value::{away, bytes_of, damaged, digest_of, failed, names_of, pull_of, unpack};
use crate::database::Database;

/// Pages of one fetch.
const FETCH: i32 = 16;

/// The most streams of pages at the same time.
pub(super) const STREAMS: usize = 8;

type Pages = BoxStream<'static, Result<PageRecord, JournalError>>;
type Chunk = Result<Vec<Row>, JournalError>;

/// The pages that a pull has now. A connection of its own holds one snapshot for as long as the stream is
/// read, and fetches pages as the reader takes them.
pub(super) async fn pages(
    database: &Database,
    streams: &Arc<Semaphore>,
    pull: &PullId,
) -> Result<Pages, JournalError> {
    // The semaphore is never closed.
    let place = Arc::clone(streams).acquire_owned().await.ok();
    let mut client = database.connect(None).await.map_err(away)?;
    let (sender, receiver) = mpsc::channel(1);
    let (begun, beginning) = oneshot::channel();
    let pull = pull.clone();
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = fetch(&mut client, &pull, begun, &sender).await {
            // The reader may have dropped the stream.
            let _ = sender.send(Err(error)).await;
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
    pull: &PullId,
    begun: oneshot::Sender<()>,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), JournalError> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let snapshot = snapshot.read_only(true).start().await.map_err(failed)?;
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let read = "SELECT robot_id, mark_id, digest, unpacked, payload FROM qopen_journal.page
         WHERE robot_id = $1 AND mark_id = $2 ORDER BY number";
    let portal = snapshot.bind(read, &[&robot, &mark]).await.map_err(failed)?;
    let mut rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    // The caller may have dropped the future.
    let _ = begun.send(());
    while !rows.is_empty() {
        if sender.send(Ok(rows)).await.is_err() {
            return Ok(());
        }
        rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    }
    Ok(())
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

/// The state of a pull, of a robot's pulls, or of all pulls, in the order of robots and marks.
pub(super) async fn states(
    client: &Client,
    robot: Option<&RobotId>,
    mark: Option<&MarkId>,
) -> Result<Vec<PullState>, JournalError> {
    let (robot, mark) = (robot.map(RobotId::as_str), mark.map(MarkId::as_str));
    let whose = "($1::text IS NULL OR robot_id = $1) AND ($2::text IS NULL OR mark_id = $2)";
    // Counters of finished pulls, plus pages that no look has reported yet. Other pulls are counted now.
    let pages = format!(
        "WITH unseen AS MATERIALIZED (
             SELECT robot_id, mark_id, xid, octet_length(payload) AS bytes, at
             FROM qopen_journal.spotter, qopen_journal.page
             WHERE xid >= pg_snapshot_xmax(looked) AND {whose}
             UNION ALL
             SELECT robot_id, mark_id, xid, octet_length(payload), at FROM qopen_journal.page
             WHERE xid = ANY (ARRAY (
                 SELECT pg_snapshot_xip(looked) FROM qopen_journal.spotter
             )) AND {whose}
         )
         SELECT pull.robot_id, pull.mark_id, page_count + count(xid),
             (page_bytes + coalesce(sum(bytes), 0))::bigint, greatest(page_last, max(at))
         FROM qopen_journal.pull LEFT JOIN unseen
             ON unseen.robot_id = pull.robot_id AND unseen.mark_id = pull.mark_id
                 AND NOT pg_visible_in_snapshot(xid, counted)
         WHERE counted IS NOT NULL AND NOT pages
             AND ($1::text IS NULL OR pull.robot_id = $1) AND ($2::text IS NULL OR pull.mark_id = $2)
         GROUP BY pull.robot_id, pull.mark_id HAVING page_count + count(xid) > 0
         UNION ALL
         SELECT robot_id, mark_id, count(*), coalesce(sum(octet_length(payload)), 0)::bigint, max(at)
         FROM qopen_journal.page JOIN qopen_journal.pull USING (robot_id, mark_id)
         WHERE (counted IS NULL OR pages) AND {whose} GROUP BY 1, 2"
    );
    let parameters: [&(dyn ToSql + Sync); 2] = [&robot, &mark];
    // Pipelined.
    let (pages, facts) =
        try_join(client.query(&pages, &parameters), Facts::read(client, whose, &parameters))
            .await
            .map_err(failed)?;
    let mut states = BTreeMap::new();
    for row in &pages {
        let state = state_of(&mut states, row)?;
        (state.pages, state.bytes) = (count(row, 2), count(row, 3));
        state.last_page = row.get(4);
    }
    facts.add_to(&mut states)?;
    Ok(states.into_values().collect())
}

/// The state of a pull without its pages.
pub(super) async fn facts_of(
    client: &Client,
    pull: &PullId,
) -> Result<Option<PullState>, JournalError> {
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let whose = "robot_id = $1 AND mark_id = $2";
    let facts = Facts::read(client, whose, &[&robot, &mark]).await.map_err(failed)?;
    let mut states = BTreeMap::new();
    for row in &facts.places {
        state_of(&mut states, row)?;
    }
    facts.add_to(&mut states)?;
    Ok(states.into_values().next())
}

fn count(row: &Row, at: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(at)).unwrap_or(0)
}

/// The states in rows, without pages.
struct Facts {
    notes: Vec<Row>,
    /// What is quarantined, counted for each pull.
    items: Vec<Row>,
    places: Vec<Row>,
}

impl Facts {
    /// Reads the facts of the pulls that the condition `whose` selects. Pipelines its statements.
    async fn read(
        client: &Client,
        whose: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Self, Error> {
        let notes = format!(
            "SELECT robot_id, mark_id, at, note::text FROM qopen_journal.note
             WHERE {whose} ORDER BY number"
        );
        let items = format!(
            "SELECT robot_id, mark_id, count(*), max(at) FROM qopen_journal.quarantined
             WHERE robot_id IS NOT NULL AND {whose} GROUP BY 1, 2"
        );
        let places =
            format!("SELECT robot_id, mark_id, place FROM qopen_journal.pull WHERE {whose}");
        let (notes, items, places) = try_join3(
            client.query(&notes, parameters),
            client.query(&items, parameters),
            client.query(&places, parameters),
        )
        .await?;
        Ok(Self { notes, items, places })
    }

    fn add_to(&self, states: &mut BTreeMap<PullId, PullState>) -> Result<(), JournalError> {
        for row in &self.notes {
            // Notes of a later version are skipped.
            if let Ok(note) = serde_json::from_str::<Note>(row.get(3)) {
                state_of(states, row)?.notes.push(Noted { at: row.get(2), note });
            }
        }
        for row in &self.items {
            let state = state_of(states, row)?;
            state.quarantined = count(row, 2);
            state.last_page = state.last_page.max(row.get(3));
        }
        for row in &self.places {
            // A row without a page, note or item is no pull.
            if let Some(state) = states.get_mut(&pull_of(row, 0, 1)?) {
                state.order = count(row, 2);
            }
        }
        Ok(())
    }
}

/// The digests of pages committed since the cursor, which is a snapshot.
pub(super) async fn digests_since(
    client: &Client,
    pull: &PullId,
    cursor: Option<&Cursor>,
) -> Result<(Vec<Digest>, Option<Cursor>), JournalError> {
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let now = "SELECT pg_current_snapshot()::text";
    let all = "SELECT digest FROM qopen_journal.page WHERE robot_id = $1 AND mark_id = $2";
    let news = "WITH news AS MATERIALIZED (
             SELECT robot_id, mark_id, digest FROM qopen_journal.page
             WHERE xid >= pg_snapshot_xmax($3::text::pg_snapshot)
             UNION ALL
             SELECT robot_id, mark_id, digest FROM qopen_journal.page
             WHERE xid = ANY (ARRAY (SELECT pg_snapshot_xip($3::text::pg_snapshot)))
         )
         SELECT digest FROM news WHERE robot_id = $1 AND mark_id = $2";
    // Taken before the pages are read: a page committed in between is read twice, and none is missed.
    let now: String = client.query_one(now, &[]).await.map_err(failed)?.get(0);
    let rows = match cursor {
        Some(cursor) => client.query(news, &[&robot, &mark, &cursor.as_str()]).await,
        None => client.query(all, &[&robot, &mark]).await,
    };
    let digests: Result<_, _> =
        rows.map_err(failed)?.iter().map(|row| digest_of(row.get(0))).collect();
    Ok((digests?, Some(Cursor::new(now))))
}

/// The state of the pull that a row begins with.
fn state_of<'a>(
    states: &'a mut BTreeMap<PullId, PullState>,
    row: &Row,
) -> Result<&'a mut PullState, JournalError> {
    let pull = pull_of(row, 0, 1)?;
    Ok(states.entry(pull.clone()).or_insert_with(|| PullState::new(pull)))
}

pub(super) async fn quarantined(
    client: &Client,
    of: Option<&PullId>,
) -> Result<Vec<Quarantined>, JournalError> {
    let (robot, mark) = names_of(of);
    let read = "SELECT robot_id, mark_id, reason, unpacked, payload
         FROM qopen_journal.quarantined
         WHERE ($1::text IS NULL OR robot_id = $1) AND ($2::text IS NULL OR mark_id = $2)
         ORDER BY number";
    let rows = client.query(read, &[&robot, &mark]).await.map_err(failed)?;
    let item = |row: &Row| {
        let pull = match row.get::<_, Option<&str>>(0) {
            None => None,
            Some(_) => Some(pull_of(row, 0, 1)?),
        };
        Ok(Quarantined::restored(pull, row.get(2), unpack(row.get(3), row.get(4))?))
    };
    rows.iter().map(item).collect()
}
