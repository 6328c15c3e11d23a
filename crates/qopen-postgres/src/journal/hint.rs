//! Hints between processes: something was kept. They may be lost; whoever waits looks anyway.

use std::sync::Arc;
use std::time::Duration;

use crate::database::Database;
use crate::error::DatabaseError;
use tokio::time::{sleep, timeout};

use super::shared::Shared;

/// The least time between two notifications of a process: more would hold up commits, which are put
/// in order by them.
const BETWEEN: Duration = Duration::from_millis(20);

/// How often the connection is tried, and how long it may take to answer.
const PING: Duration = Duration::from_secs(2);

/// A write of no other use: where nothing can be kept, only that tells.
const BEAT: &str = "UPDATE qopen_journal.pulse SET at = clock_timestamp()";

/// Says and hears, on a connection of its own, and makes another when that is lost.
pub(super) async fn run(database: Database, shared: Arc<Shared>) {
    loop {
        if let Err(error) = talk(&database, &shared).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "no hints between processes for now");
        }
        shared.wrote(false);
        sleep(PING / 4).await;
    }
}

async fn talk(database: &Database, shared: &Shared) -> Result<(), DatabaseError> {
    let client = database.connect(Some(Arc::clone(&shared.hints.incoming))).await?;
    let answered = |answer: Result<_, _>| answer.map_err(|_| DatabaseError::TimedOut);
    client.batch_execute("LISTEN qopen_journal").await.map_err(DatabaseError::of)?;
    loop {
        if shared.is_doubtful() {
            let beaten = answered(timeout(PING * 2, client.batch_execute(BEAT)).await);
            let beaten = beaten.and_then(|done| done.map_err(DatabaseError::of));
            shared.wrote(beaten.is_ok());
            beaten?;
        }
        let said = timeout(PING, shared.hints.outgoing.notified()).await.is_ok();
        let word = if said { "NOTIFY qopen_journal" } else { "" };
        answered(timeout(PING * 2, client.batch_execute(word)).await)?
            .map_err(DatabaseError::of)?;
        if said {
            sleep(BETWEEN).await;
        }
    }
}
