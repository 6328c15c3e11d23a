//! Ages, deletion, checks.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use qopen::journal::storage::{Ages, Observer};
use qopen::journal::{Expired, JournalError, JournalStats, Maintenance, Noted, PullId, Report};
use qopen::types::Digest;
use rusqlite::{Connection, Result, Row, params};

use super::SqliteJournal;
use super::file::{invalid, lock};
use super::records::{find, insert_note, pull_id, states};

pub(crate) fn forget(file: &Connection, pull: &PullId) -> Result<()> {
    match find(file, pull)? {
        Some(id) => file.execute("DELETE FROM pull WHERE id = ?1", [id]).map(drop),
        None => Ok(()),
    }
}

/// Counts the time since the last look. Returns the number below which every record is old.
fn observe(file: &Connection, by: &mut Option<Observer>, keep: Duration) -> Result<i64> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
    let (last, ages) = file.query_row("SELECT last, ages FROM journal", [], read)?;
    let mut ages: Ages = serde_json::from_str(&ages).map_err(invalid)?;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    *by = Some(ages.observe(*by, wall, keep, Instant::now()));
    let below = ages.older_than(keep, u64::try_from(last + 1).unwrap_or(0));
    let ages = serde_json::to_string(&ages).map_err(invalid)?;
    file.execute("UPDATE journal SET ages = ?1", [ages])?;
    Ok(i64::try_from(below).unwrap_or(i64::MAX))
}

/// Every pull with no record of this number or a later one.
fn old_pulls(file: &Connection, below: i64) -> Result<BTreeSet<PullId>> {
    let mut old = file.prepare("SELECT robot, mark FROM pull WHERE newest < ?1")?;
    let old = old
        .query_map([below], |row| pull_id(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?))?;
    old.collect()
}

/// Forgets a pull, unless it has a record since it was found to be old.
fn forget_old(file: &Connection, pull: &PullId, below: i64) -> Result<bool> {
    let names = params![pull.robot_id.as_str(), pull.mark_id.as_str(), below];
    let delete = "DELETE FROM pull WHERE robot = ?1 AND mark = ?2 AND newest < ?3";
    Ok(file.execute(delete, names)? > 0)
}

#[async_trait]
impl Maintenance for SqliteJournal {
    fn stats(&self) -> JournalStats {
        self.database.stats()
    }

    async fn expire(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> std::result::Result<Expired, JournalError> {
        let observer = Arc::clone(&self.observer);
        let look = move |file: &Connection| {
            let below = observe(file, &mut lock(&observer), keep)?;
            let events = file.execute("DELETE FROM event WHERE number < ?1", [below])?;
            let items = "DELETE FROM item WHERE pull IS NULL AND number < ?1";
            let items = file.execute(items, [below])?;
            Ok((below, old_pulls(file, below)?, items as u64, events as u64))
        };
        let (below, old, items, events) = self.database.write(look, |_| ()).await?;
        let mut expired = Expired::default();
        (expired.items, expired.events) = (items, events);
        for pull in old.difference(spare) {
            // No worker has it then, or gets it meanwhile.
            let Some(claim) = self.claims.take(pull) else { continue };
            let of = pull.clone();
            let forgotten =
                self.database.write(move |file| forget_old(file, &of, below), |_| ()).await;
            match forgotten {
                Ok(true) => {
                    self.claims.complete(&claim);
                    expired.pulls.push(claim.pull);
                }
                Ok(false) => self.claims.put_back(&claim),
                Err(error) => {
                    self.claims.put_back(&claim);
                    return Err(error);
                }
            }
        }
        Ok(expired)
    }

    async fn compact(&self, share: u8) -> std::result::Result<u64, JournalError> {
        let compact = move |file: &Connection| {
            let pages =
                |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let (before, free) = (pages("page_count")?, pages("freelist_count")?);
            if free * 100 < before * i64::from(share) {
                return Ok(Ok(0));
            }
            file.execute_batch("VACUUM")?;
            // Deleted records are in the log, too.
            let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
            let is_busy: bool = file.query_row(truncate, [], |row| row.get(0))?;
            let freed = (before - pages("page_count")?) * pages("page_size")?;
            Ok(if is_busy { Err(()) } else { Ok(u64::try_from(freed).unwrap_or(0)) })
        };
        self.database.run(compact).await?.map_err(|()| {
            let why = "a reader holds the log; compact again when its stream has ended";
            JournalError::Unavailable(Box::new(io::Error::other(why)))
        })
    }

    async fn check(&self) -> std::result::Result<Report, JournalError> {
        let check = |file: &Connection| {
            let found: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(invalid(io::Error::other(found)));
            }
            let mut pages = file.prepare("SELECT digest, payload FROM page")?;
            let mut rows = pages.query([])?;
            while let Some(row) = rows.next()? {
                let digest = Digest::of(row.get_ref(1)?.as_blob().map_err(invalid)?);
                if digest.to_u128().to_be_bytes() != row.get::<_, [u8; 16]>(0)? {
                    return Err(invalid(io::Error::other("a page is not what its digest says")));
                }
            }
            let states = states(file, None)?;
            let mut report = Report::default();
            (report.segments, report.pulls) = (1, states.len() as u64);
            report.records = states.iter().map(|it| it.pages + it.notes.len() as u64).sum();
            report.bytes = states.iter().map(|it| it.bytes).sum();
            Ok(report)
        };
        self.database.read(check).await
    }

    async fn restore(&self, pull: &PullId, noted: Noted) -> std::result::Result<(), JournalError> {
        let pull = pull.clone();
        self.database.write(move |file| insert_note(file, &pull, &noted), |()| ()).await
    }
}
