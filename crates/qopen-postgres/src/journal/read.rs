//! Reading back what was kept.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join3};
use qopen_journal::{Cursor, JournalError, Note, Noted, PullId, PullState, Quarantined};
use qopen_types::{Digest, RobotId};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};

use super::value::{digest_of, failed, names_of, pull_of, unpack};
use crate::database::Parameter;

/// The pulls of which a statement reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    All,
    Robot(&'a RobotId),
    Pull(&'a PullId),
    These(&'a [PullId]),
}

impl Whose<'_> {
    /// A condition for the rows of `table`.
    fn condition(self, table: &str) -> String {
        match self {
            Self::All => "true".to_owned(),
            Self::Robot(_) => format!("{table}.robot_id = $1"),
            Self::Pull(_) => format!("{table}.robot_id = $1 AND {table}.mark_id = $2"),
            // The server looks up each one in an index.
            Self::These(_) => format!(
                "({table}.robot_id, {table}.mark_id)
                     IN (SELECT * FROM unnest($1::text[], $2::text[]))"
            ),
        }
    }

    /// Reads the rows of a statement with the condition.
    async fn read(self, client: &Client, statement: &str) -> Result<Vec<Row>, Error> {
        fn text<'a>(it: &'a &str) -> Parameter<'a> {
            (it, Type::TEXT)
        }
        match self {
            Self::All => client.query_typed(statement, &[]).await,
            Self::Robot(robot) => client.query_typed(statement, &[text(&robot.as_str())]).await,
            Self::Pull(pull) => {
                let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
                client.query_typed(statement, &[text(&robot), text(&mark)]).await
            }
            Self::These(pulls) => {
                let robots: Vec<&str> = pulls.iter().map(|it| it.robot_id.as_str()).collect();
                let marks: Vec<&str> = pulls.iter().map(|it| it.mark_id.as_str()).collect();
                let names: [Parameter<'_>; 2] =
                    [(&robots, Type::TEXT_ARRAY), (&marks, Type::TEXT_ARRAY)];
                client.query_typed(statement, &names).await
            }
        }
    }
}

/// The states of pulls, in the order of robots and marks.
pub(super) async fn states(
    client: &Client,
    whose: Whose<'_>,
) -> Result<Vec<PullState>, JournalError> {
    let (of_page, of_pull) = (whose.condition("page"), whose.condition("pull"));
    // Counters of finished pulls, plus pages that no look has reported yet. Other pulls are counted now.
    let pages = format!(
        "WITH unseen AS MATERIALIZED (
             SELECT robot_id, mark_id, xid, octet_length(payload) AS bytes, at
             FROM qopen_journal.spotter, qopen_journal.page
             WHERE xid >= pg_snapshot_xmax(looked) AND {of_page}
             UNION ALL
             SELECT robot_id, mark_id, xid, octet_length(payload), at FROM qopen_journal.page
             WHERE xid = ANY (ARRAY (
                 SELECT pg_snapshot_xip(looked) FROM qopen_journal.spotter
             )) AND {of_page}
         )
         SELECT pull.robot_id, pull.mark_id, page_count + count(xid),
             (page_bytes + coalesce(sum(bytes), 0))::bigint, greatest(page_last, max(at))
         FROM qopen_journal.pull LEFT JOIN unseen
             ON unseen.robot_id = pull.robot_id AND unseen.mark_id = pull.mark_id
                 AND NOT pg_visible_in_snapshot(xid, counted)
         WHERE counted IS NOT NULL AND NOT pages AND {of_pull}
         GROUP BY pull.robot_id, pull.mark_id HAVING page_count + count(xid) > 0
         UNION ALL
         SELECT robot_id, mark_id, count(*), coalesce(sum(octet_length(payload)), 0)::bigint, max(at)
         FROM qopen_journal.page JOIN qopen_journal.pull USING (robot_id, mark_id)
         WHERE (counted IS NULL OR pages) AND {of_pull} GROUP BY 1, 2"
    );
    // Pipelined.
    let (pages, facts) =
        try_join(whose.read(client, &pages), Facts::read(client, whose)).await.map_err(failed)?;
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
    let facts = Facts::read(client, Whose::Pull(pull)).await.map_err(failed)?;
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
    /// Reads the facts of pulls. Pipelines its statements.
    async fn read(client: &Client, whose: Whose<'_>) -> Result<Self, Error> {
        let of = |table| whose.condition(table);
        let notes = format!(
            "SELECT robot_id, mark_id, at, note::text FROM qopen_journal.note
             WHERE {} ORDER BY number",
            of("note")
        );
        let items = format!(
            "SELECT robot_id, mark_id, count(*), max(at) FROM qopen_journal.quarantined
             WHERE robot_id IS NOT NULL AND {} GROUP BY 1, 2",
            of("quarantined")
        );
        let places =
            format!("SELECT robot_id, mark_id, place FROM qopen_journal.pull WHERE {}", of("pull"));
        let (notes, items, places) = try_join3(
            whose.read(client, &notes),
            whose.read(client, &items),
            whose.read(client, &places),
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

/// The first pulls after that one, at most `most`.
pub(super) async fn after(
    client: &Client,
    after: Option<&PullId>,
    most: usize,
) -> Result<Vec<PullState>, JournalError> {
    let mut found = Vec::new();
    let mut after = after.cloned();
    while found.len() < most {
        let wanted = i64::try_from(most - found.len()).unwrap_or(i64::MAX);
        let (robot, mark) = names_of(after.as_ref());
        // No name is empty.
        let (robot, mark) = (robot.unwrap_or_default(), mark.unwrap_or_default());
        let names = "SELECT robot_id, mark_id FROM qopen_journal.pull
             WHERE (robot_id, mark_id) > ($1, $2) ORDER BY 1, 2 LIMIT $3";
        let values: [Parameter<'_>; 3] =
            [(&robot, Type::TEXT), (&mark, Type::TEXT), (&wanted, Type::INT8)];
        let rows = client.query_typed(names, &values).await.map_err(failed)?;
        let names: Vec<PullId> =
            rows.iter().map(|row| pull_of(row, 0, 1)).collect::<Result<_, _>>()?;
        let Some(last) = names.last() else { break };
        found.extend(states(client, Whose::These(&names)).await?);
        // A row without a page, note or item is no pull, and others may follow.
        after = Some(last.clone());
    }
    Ok(found)
}

/// The pulls of a pull's robot that started after it.
pub(super) async fn later(client: &Client, pull: &PullId) -> Result<Vec<PullState>, JournalError> {
    let later = "SELECT robot_id, mark_id FROM qopen_journal.pull
         WHERE robot_id = $1 AND place > (
             SELECT place FROM qopen_journal.pull WHERE robot_id = $1 AND mark_id = $2
         ) ORDER BY 1, 2";
    let rows = Whose::Pull(pull).read(client, later).await.map_err(failed)?;
    each(client, &rows).await
}

/// The pulls of a robot that have a note of a held list.
pub(super) async fn held(client: &Client, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
    // A note's name is the first of its fields.
    let held = "SELECT DISTINCT robot_id, mark_id FROM qopen_journal.note
         WHERE robot_id = $1 AND note::text LIKE '{\"note\":\"held\"%' ORDER BY 1, 2";
    let rows = Whose::Robot(robot).read(client, held).await.map_err(failed)?;
    each(client, &rows).await
}

/// The states of the pulls that rows name.
async fn each(client: &Client, rows: &[Row]) -> Result<Vec<PullState>, JournalError> {
    let names: Result<Vec<PullId>, _> = rows.iter().map(|row| pull_of(row, 0, 1)).collect();
    match names?.as_slice() {
        [] => Ok(Vec::new()),
        names => states(client, Whose::These(names)).await,
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
