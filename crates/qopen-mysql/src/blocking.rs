//! Waiting for a server on a thread that may block.

use std::path::Path;
use std::time::Duration;

use qopen_sink::SinkError;
use tokio::runtime::{Builder, Handle, Runtime};

/// How long a step may take: a frozen server neither answers nor closes the connection.
pub(crate) const STEP: Duration = Duration::from_secs(120);

/// Runs a step, and fails if it does not end in time.
pub(crate) async fn bounded<T>(
    step: &'static str,
    work: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, SinkError> {
    let done = tokio::time::timeout(STEP, work).await;
    done.map_err(|_| SinkError::TimedOut { step, limit: STEP })?.map_err(crate::error::failed)
}

/// A runtime on this thread.
pub(crate) fn a_runtime() -> Result<Runtime, SinkError> {
    let started = Builder::new_current_thread().enable_all().build();
    started.map_err(SinkError::io("starting a runtime for", Path::new("the database")))
}

/// Runs work on a new runtime, and waits for it. `block_on` panics on a thread of another runtime, so there the work
/// runs on a thread of its own.
pub(crate) fn on_a_runtime<T: Send>(
    work: impl AsyncFnOnce() -> Result<T, SinkError> + Send,
) -> Result<T, SinkError> {
    let work = || a_runtime()?.block_on(work());
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
