//! Waiting for a database on a thread that may block.

use std::path::Path;
use std::time::Duration;

use qopen_sink::SinkError;
use tokio::runtime::{Builder, Handle, Runtime};

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

pub(super) fn a_runtime() -> Result<Runtime, SinkError> {
    start(&mut Builder::new_current_thread())
}

/// A runtime with a thread of its own, so that a connection lives while its user does something else.
pub(super) fn a_thread() -> Result<Runtime, SinkError> {
    start(Builder::new_multi_thread().worker_threads(1))
}

fn start(runtime: &mut Builder) -> Result<Runtime, SinkError> {
    let started = runtime.enable_all().build();
    started.map_err(SinkError::io("starting a runtime for", Path::new("the database")))
}

/// Runs blocking work on a new runtime, and waits for it. `block_on` panics on a thread of another runtime, so
/// there the work runs on a thread of its own.
pub(super) fn on_a_runtime<T: Send>(
    work: impl FnOnce(&Runtime) -> Result<T, SinkError> + Send,
) -> Result<T, SinkError> {
    let work = || work(&a_runtime()?);
    match Handle::try_current() {
        Err(_) => work(),
        Ok(_) => std::thread::scope(|scope| {
            let done = scope.spawn(work).join();
            done.unwrap_or_else(|_| {
                Err(SinkError::Database("the thread of a database step panicked".into()))
            })
        }),
    }
}
