//! Hints between processes that something was kept. A hint may be lost: waiting workers look anyway.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::shared::Shared;
use crate::database::Database;
use crate::error::DatabaseError;

/// The least time between two notifications of a process. Commits with notifications wait for each other,
/// so more would delay them.
const BETWEEN: Duration = Duration::from_millis(20);

/// How often the connection is tried. Half of the time that it may take to answer.
const PING: Duration = Duration::from_secs(2);

/// A write that only proves that the database accepts writes.
const BEAT: &str = "UPDATE qopen_journal.pulse SET at = clock_timestamp()";

/// Sends and receives hints on a connection of its own. Connects again when it is lost.
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
