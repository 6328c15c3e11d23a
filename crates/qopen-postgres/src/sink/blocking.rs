//! Steps of a database, bounded in time.

use std::time::Duration;

use qopen_sink::SinkError;

use crate::error::DatabaseError;

/// How long a step may take: a frozen server neither answers nor closes the connection.
const STEP: Duration = Duration::from_secs(120);

/// Runs a step, and fails if it does not end in time.
pub(super) async fn bounded<T>(
    step: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, SinkError> {
    let done = tokio::time::timeout(STEP, work).await;
    done.map_err(|_| SinkError::TimedOut { step, limit: STEP })
}

pub(super) fn away(error: DatabaseError) -> SinkError {
    SinkError::Database(Box::new(error))
}

pub(super) fn failed(error: tokio_postgres::Error) -> SinkError {
    away(DatabaseError::of(error))
}
