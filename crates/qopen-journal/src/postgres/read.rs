//! Reading back what was kept.

use std::collections::BTreeMap;

use futures_core::stream::BoxStream;
use futures_util::future::try_join3;
use futures_util::{StreamExt as _, stream};
use qopen_postgres::Database;
use qopen_postgres::client::{Client, IsolationLevel, Row};
use qopen_types::{Digest, MarkId, RobotId};
use tokio::sync::{mpsc, oneshot};

use super::{away, bytes_of, damaged, digest_of, failed, pull_of, unpack};
use crate::{JournalError, Note, Noted, PageRecord, PullId, PullState, Quarantined};

/// Pages that are fetched at a time.
const FETCH: i32 = 16;

/// The pages that a pull has now, or some of them, fetched as they are wanted: from one snapshot, which
/// a connection of its own holds for as long as the stream is read.
pub(super) async fn pages(
    database: &Database,
    pull: &PullId,
    only: Option<&[Digest]>,
) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
    let only: Option<Vec<Vec<u8>>> = only.map(|it| it.iter().copied().map(bytes_of).collect());
    let client = database.connect(None).await.map_err(away)?;
    let (sender, receiver) = mpsc::channel(1);
    let (begun, beginning) = oneshot::channel();
    let pull = pull.clone();
    tokio::spawn(async move {
        let mut client = client;
        if let Err(error) = fetch(&mut client, &pull, only, begun, &sender).await {
            // Whoever read may have gone.
            let _ = sender.send(Err(error)).await;
        }
    });
    // What is kept from here on is not in the snapshot, nor is what is forgotten missing. Where the
    // sender is dropped, the error is in the channel.
    let _ = beginning.await;
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        let chunk: Result<Vec<Row>, JournalError> = receiver.recv().await?;
        Some((chunk, receiver))
    });
    let of_pull = move |row: &Row| page(row);
    Ok(chunks
        .flat_map(move |chunk| match chunk {
            Ok(rows) => stream::iter(rows.iter().map(of_pull).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        })
        .boxed())
}

async fn fetch(
    client: &mut Client,
    pull: &PullId,
    only: Option<Vec<Vec<u8>>>,
    begun: oneshot::Sender<()>,
    sender: &mpsc::Sender<Result<Vec<Row>, JournalError>>,
) -> Result<(), JournalError> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let snapshot = snapshot.read_only(true).start().await.map_err(failed)?;
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    let read = "SELECT robot_id, mark_id, digest, unpacked, payload FROM qopen_journal.page
         WHERE robot_id = $1 AND mark_id = $2 AND ($3::bytea[] IS NULL OR digest = ANY ($3))
         ORDER BY number";
    let portal = snapshot.bind(read, &[&robot, &mark, &only]).await.map_err(failed)?;
    let mut rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    // Whoever asked may have gone.
    let _ = begun.send(());
    while !rows.is_empty() {
        if sender.send(Ok(rows)).await.is_err() {
            return Ok(());
        }
        rows = snapshot.query_portal(&portal, FETCH).await.map_err(failed)?;
    }
    Ok(())
}

fn page(row: &Row) -> Result<PageRecord, JournalError> {
    let page = PageRecord::new(pull_of(row, 0, 1)?, unpack(row.get(3), row.get(4))?);
    match page.digest == digest_of(row.get(2))? {
        true => Ok(page),
        false => Err(damaged("a page is not what its digest says")),
    }
}

/// What is known of a pull, of a robot's pulls, or of all, in the order of robots and marks.
pub(super) async fn states(
    client: &Client,
    robot: Option<&RobotId>,
    mark: Option<&MarkId>,
) -> Result<Vec<PullState>, JournalError> {
    let (robot, mark) = (robot.map(RobotId::as_str), mark.map(MarkId::as_str));
    let whose = "($1::text IS NULL OR robot_id = $1) AND ($2::text IS NULL OR mark_id = $2)";
    let pages = format!(
        "SELECT robot_id, mark_id, count(*), coalesce(sum(octet_length(payload)), 0)::bigint, max(at)
         FROM qopen_journal.page WHERE {whose} GROUP BY 1, 2"
    );
    let notes = format!(
        "SELECT robot_id, mark_id, at, note::text FROM qopen_journal.note WHERE {whose}
         ORDER BY number"
    );
    let items = format!(
        "SELECT robot_id, mark_id, count(*), max(at) FROM qopen_journal.quarantined
         WHERE robot_id IS NOT NULL AND {whose} GROUP BY 1, 2"
    );
    let parameters: [&(dyn qopen_postgres::client::types::ToSql + Sync); 2] = [&robot, &mark];
    // Sent together.
    let (pages, notes, items) = try_join3(
        client.query(&pages, &parameters),
        client.query(&notes, &parameters),
        client.query(&items, &parameters),
    )
    .await
    .map_err(failed)?;
    let mut states = BTreeMap::new();
    let count = |row: &Row, at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
    for row in &pages {
        let state = state_of(&mut states, row)?;
        (state.pages, state.bytes) = (count(row, 2), count(row, 3));
        state.last_page = row.get(4);
    }
    for row in &notes {
        // One that a later version made is none to this one.
        if let Ok(note) = serde_json::from_str::<Note>(row.get(3)) {
            state_of(&mut states, row)?.notes.push(Noted { at: row.get(2), note });
        }
    }
    for row in &items {
        let state = state_of(&mut states, row)?;
        state.quarantined = count(row, 2);
        state.last_page = state.last_page.max(row.get(3));
    }
    Ok(states.into_values().collect())
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
    let names = of.map(|it| (it.robot_id.as_str(), it.mark_id.as_str())).unzip();
    let (robot, mark): (Option<&str>, Option<&str>) = names;
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
        Ok(Quarantined::new(pull, row.get::<_, &str>(2), unpack(row.get(3), row.get(4))?))
    };
    rows.iter().map(item).collect()
}
