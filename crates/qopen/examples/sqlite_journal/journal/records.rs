//! Records as rows.

use qopen::journal::{
    Note, Noted, PageRecord, Payload, PendingEvent, PullId, PullState, Quarantined,
};
use qopen::types::Digest;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::file::{invalid, millis, time};

/// The number of a new record.
pub(crate) fn next(file: &Connection) -> Result<i64> {
    file.query_row("UPDATE journal SET last = last + 1 RETURNING last", [], |row| row.get(0))
}

pub(crate) fn digest(bytes: &[u8]) -> [u8; 16] {
    Digest::of(bytes).to_u128().to_be_bytes()
}

pub(crate) fn find(file: &Connection, pull: &PullId) -> Result<Option<i64>> {
    let names = params![pull.robot_id.as_str(), pull.mark_id.as_str()];
    let find = "SELECT id FROM pull WHERE robot = ?1 AND mark = ?2";
    file.query_row(find, names, |row| row.get(0)).optional()
}

/// The row of a pull that has a new record of this number.
pub(crate) fn touch(file: &Connection, pull: &PullId, number: i64) -> Result<i64> {
    let touch = "INSERT INTO pull (robot, mark, place, newest) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT DO UPDATE SET newest = ?3 RETURNING id";
    let values = params![pull.robot_id.as_str(), pull.mark_id.as_str(), number];
    file.query_row(touch, values, |row| row.get(0))
}

pub(crate) fn insert_note(file: &Connection, pull: &PullId, noted: &Noted) -> Result<()> {
    let number = next(file)?;
    let id = touch(file, pull, number)?;
    if matches!(noted.note, Note::Started(_)) {
        let starts = "UPDATE pull SET place = ?2 WHERE id = ?1 AND NOT EXISTS
            (SELECT * FROM note WHERE pull = ?1 AND note ->> 'note' = 'started')";
        file.execute(starts, params![id, number])?;
    }
    let note = serde_json::to_string(&noted.note).map_err(invalid)?;
    let insert = "INSERT INTO note (number, pull, at, note) VALUES (?1, ?2, ?3, ?4)";
    file.execute(insert, params![number, id, millis(noted.at), note])?;
    Ok(())
}

pub(crate) fn pull_id(robot: &str, mark: &str) -> Result<PullId> {
    let robot_id = robot.parse().map_err(invalid)?;
    Ok(PullId { robot_id, mark_id: mark.parse().map_err(invalid)? })
}

fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// The states of all pulls, in the order of robots and marks, or of one.
pub(crate) fn states(file: &Connection, of: Option<&PullId>) -> Result<Vec<PullState>> {
    let mut states = file.prepare(
        "SELECT id, robot, mark, place,
            (SELECT count(*) FROM item WHERE pull = pull.id),
            count(number), coalesce(sum(length(payload)), 0), max(at)
        FROM pull LEFT JOIN page ON page.pull = pull.id
        WHERE ?1 IS NULL OR robot = ?1 AND mark = ?2
        GROUP BY id ORDER BY robot, mark",
    )?;
    let mut notes = file.prepare("SELECT at, note FROM note WHERE pull = ?1 ORDER BY number")?;
    let names = of.map(|it| (it.robot_id.as_str(), it.mark_id.as_str())).unzip();
    let mut rows = states.query(params![names.0, names.1])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let pull = pull_id(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?)?;
        let mut state = PullState::new(pull);
        (state.order, state.quarantined) = (count(row, 3)?, count(row, 4)?);
        (state.pages, state.bytes) = (count(row, 5)?, count(row, 6)?);
        state.last_page = row.get::<_, Option<i64>>(7)?.map(time);
        let noted = |row: &Row<'_>| {
            let note = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(invalid)?;
            Ok(Noted { at: time(row.get(0)?), note })
        };
        state.notes = notes.query_map([row.get::<_, i64>(0)?], noted)?.collect::<Result<_>>()?;
        found.push(state);
    }
    Ok(found)
}

/// The page of a pull with the least number above another.
pub(crate) fn page_after(
    file: &Connection,
    pull: &PullId,
    after: i64,
) -> Result<Option<(i64, PageRecord)>> {
    let mut next = file.prepare(
        "SELECT number, payload FROM page
        WHERE pull = (SELECT id FROM pull WHERE robot = ?1 AND mark = ?2) AND number > ?3
        ORDER BY number LIMIT 1",
    )?;
    let page = |row: &Row<'_>| {
        let payload = Payload::new(row.get::<_, Vec<u8>>(1)?);
        Ok((row.get(0)?, PageRecord::new(pull.clone(), payload)))
    };
    let names = (pull.robot_id.as_str(), pull.mark_id.as_str());
    next.query_row(params![names.0, names.1, after], page).optional()
}

pub(crate) fn has_page(file: &Connection, page: &PageRecord) -> Result<bool> {
    let Some(id) = find(file, &page.pull)? else { return Ok(false) };
    let digest = page.digest.to_u128().to_be_bytes();
    file.prepare("SELECT 1 FROM page WHERE pull = ?1 AND digest = ?2")?.exists(params![id, digest])
}

pub(crate) fn digests(file: &Connection, pull: &PullId) -> Result<Vec<Digest>> {
    let Some(id) = find(file, pull)? else { return Ok(Vec::new()) };
    let mut digests = file.prepare("SELECT digest FROM page WHERE pull = ?1 ORDER BY number")?;
    let digest = |row: &Row<'_>| Ok(Digest::from_u128(u128::from_be_bytes(row.get(0)?)));
    digests.query_map([id], digest)?.collect()
}

pub(crate) fn items(file: &Connection, of: Option<&PullId>) -> Result<Vec<Quarantined>> {
    let mut items = file.prepare(
        "SELECT robot, mark, reason, payload FROM item LEFT JOIN pull ON item.pull = pull.id
        WHERE ?1 IS NULL OR robot = ?1 AND mark = ?2 ORDER BY number",
    )?;
    let names = of.map(|it| (it.robot_id.as_str(), it.mark_id.as_str())).unzip();
    let item = |row: &Row<'_>| {
        let names = (row.get_ref(0)?.as_str_or_null()?, row.get_ref(1)?.as_str_or_null()?);
        let pull = match names {
            (Some(robot), Some(mark)) => Some(pull_id(robot, mark)?),
            _ => None,
        };
        let payload = Payload::new(row.get::<_, Vec<u8>>(3)?);
        Ok(Quarantined::restored(pull, row.get_ref(2)?.as_str()?, payload))
    };
    items.query_map(params![names.0, names.1], item)?.collect()
}

/// The next events: at most `most`, and at most about 1 MiB.
pub(crate) fn events(file: &Connection, after: u64, most: usize) -> Result<Vec<PendingEvent>> {
    let mut events =
        file.prepare("SELECT number, at, payload FROM event WHERE number > ?1 ORDER BY number")?;
    let mut rows = events.query([i64::try_from(after).unwrap_or(i64::MAX)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        let event = Payload::new(row.get::<_, Vec<u8>>(2)?);
        bytes += event.len();
        if bytes > 1 << 20 && !found.is_empty() {
            break;
        }
        found.push(PendingEvent::new(count(row, 0)?, time(row.get(1)?), event));
    }
    Ok(found)
}
