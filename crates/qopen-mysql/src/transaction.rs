//! Transactions, and what is tried again.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use qopen_sink::SinkError;

use crate::blocking::bounded;
use crate::error::is_deadlock;

/// How often a transaction is tried that the server rolls back because of a deadlock, or, in a cluster, because of
/// another node's transaction.
const ATTEMPTS: usize = 8;

/// Runs work in a transaction. Each statement sees what was committed before it, and no gap between rows is locked.
///
/// # Errors
/// The error of the work, with nothing changed. After an error of the commit, all or nothing is changed.
pub(crate) async fn transaction<T>(
    connection: &mut Conn,
    mut work: impl AsyncFnMut(&mut Conn) -> Result<T, SinkError>,
) -> Result<T, SinkError> {
    let mut attempt = 1;
    loop {
        let done = once(connection, &mut work).await;
        match done {
            Err(error) if is_deadlock(&error) && attempt < ATTEMPTS => {
                tracing::debug!(attempt, "the server rolled a transaction back; it is tried again");
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn once<T>(
    connection: &mut Conn,
    work: &mut impl AsyncFnMut(&mut Conn) -> Result<T, SinkError>,
) -> Result<T, SinkError> {
    const STEP: &str = "beginning a transaction";
    let isolation = connection.query_drop("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
    bounded(STEP, isolation).await?;
    bounded(STEP, connection.query_drop("START TRANSACTION")).await?;
    let done = work(connection).await;
    match done {
        Ok(done) => {
            bounded("committing a list", connection.query_drop("COMMIT")).await?;
            Ok(done)
        }
        Err(error) => {
            // The end of the connection ends the transaction, too. A server that does not answer would not answer this.
            if !matches!(error, SinkError::TimedOut { .. }) {
                let _ = bounded("undoing a transaction", connection.query_drop("ROLLBACK")).await;
            }
            Err(error)
        }
    }
}

/// Runs work that reads one state of the database.
pub(crate) async fn snapshot<T>(
    connection: &mut Conn,
    work: impl AsyncFnOnce(&mut Conn) -> Result<T, SinkError>,
) -> Result<T, SinkError> {
    const STEP: &str = "beginning a comparison";
    let isolation = connection.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    bounded(STEP, isolation).await?;
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    bounded(STEP, connection.query_drop(begin)).await?;
    let done = work(connection).await;
    let _ = bounded("ending a comparison", connection.query_drop("ROLLBACK")).await;
    done
}
