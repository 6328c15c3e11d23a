//! Maintenance of the journal while the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::journal::{JournalError, Store};

use super::service::Service;
use crate::exit::chained;
use crate::lang::Text;
use crate::output::database::ListDatabase;
use crate::report::Noun;
use crate::say::{say, tell};
use crate::wiring;

const UNFINISHED: Noun =
    Noun::new("pull continues that was", "pulls continue that were", "次未完成的拉取");

/// Interval of the search for old and unfinished pulls.
const SWEEP: Duration = Duration::from_secs(3600);

/// Time until the search is repeated if the journal could not be read.
const AGAIN: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bytes written to the journal between two compactions.
const WORTH_COMPACTING: u64 = 256 << 20;

/// Pulls that are read at once.
const PART: usize = 1000;

/// Interval of the checks for a compaction.
const LOOK: Duration = Duration::from_secs(5);

/// Requeues unfinished pulls, expires old ones, and compacts the journal.
pub(super) async fn run_maintenance(service: &Arc<Service>, retain: Duration) {
    let mut sweep_at = Instant::now();
    let (mut compacted, mut gave_back, mut gave_all_back) = (0, None, None);
    loop {
        if Instant::now() >= sweep_at {
            let mut pause = SWEEP.min(retain);
            match service.pulls.requeue_unfinished().await {
                Ok(0) => {}
                Ok(open) => {
                    tell!("{pulls} under way", "{pulls}正在继续", pulls = UNFINISHED.count(open));
                }
                Err(error) => {
                    pause = pause.min(AGAIN);
                    let what =
                        Text::new("unfinished pulls cannot be resumed", "未完成的拉取无法继续");
                    tell!(
                        "{why}; trying again in {s} s",
                        "{why}；{s} 秒后重试",
                        why = chained(what, &error),
                        s = pause.as_secs(),
                    );
                }
            }
            expire(service, retain).await;
            sweep_at = Instant::now() + pause;
        }
        let stats = service.journal.stats();
        // Deleted data leaves the disk within a day. A full disk is compacted at once.
        let is_past = |at: Option<Instant>, time| at.is_none_or(|at| at.elapsed() >= time);
        let all = is_past(gave_all_back, DAY.min(retain));
        let worth = stats.bytes - compacted >= WORTH_COMPACTING;
        if all || worth || !stats.healthy && is_past(gave_back, Duration::from_secs(60)) {
            give_back(&*service.journal, if all { 0 } else { 50 }).await;
            compacted = service.journal.stats().bytes;
            gave_back = Some(Instant::now());
            gave_all_back = if all { gave_back } else { gave_all_back };
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = wiring::told(service.stopping.clone()) => return,
        }
    }
}

/// Deletes old pulls, and their lists from the history of databases.
async fn expire(service: &Service, retain: Duration) {
    // Afterwards the journal no longer knows where the lists are.
    let databases = databases(service).await.unwrap_or_else(|error| {
        let what =
            Text::new("the databases of old lists are not known", "不知道旧列表所在的数据库");
        say!("qopen: {}", chained(what, &error).shown());
        Vec::new()
    });
    let gone = crate::journal::expire(&*service.journal, retain, &service.pulls.open_pulls()).await;
    if gone.is_empty() {
        return;
    }
    for database in databases {
        crate::journal::forget(database, gone.clone()).await;
    }
}

/// Returns every database of lists.
async fn databases(service: &Service) -> Result<Vec<ListDatabase>, JournalError> {
    let (mut databases, mut after) = (BTreeMap::new(), None);
    loop {
        let part = service.journal.pulls_after(after.as_ref(), PART).await?;
        for database in service.lists.databases(&part) {
            // Every part has the default place, which must not replace a pull's own.
            databases.entry(database.location()).or_insert(database);
        }
        if part.len() < PART {
            return Ok(databases.into_values().collect());
        }
        after = part.into_iter().last().map(|state| state.pull);
    }
}

/// Compacts the journal.
async fn give_back(journal: &dyn Store, share: u8) {
    match journal.compact(share).await {
        // An unhealthy journal has reported its failure already.
        Err(error) if journal.stats().healthy => {
            let what = Text::new("the journal cannot be compacted", "持久化存储无法压缩");
            say!("qopen: {}", chained(what, &error).shown());
        }
        _ => {}
    }
}
