//! Questions that may block, asked on threads that may.

use std::panic::resume_unwind;

/// Answers a question on a blocking thread, so that a folder that hangs takes no worker thread of the
/// runtime. A panic there is a panic here.
pub(super) async fn blocking<T: Send + 'static>(
    question: impl FnOnce() -> T + Send + 'static,
) -> T {
    match tokio::task::spawn_blocking(question).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime shuts down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
