//! A transaction that stays open while its publisher does something else.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// How often the server hears from a publisher. It ends a transaction that is idle for 30 s.
const EVERY: Duration = Duration::from_secs(10);

/// Keeps a transaction open until it is dropped. A publisher that stops, stops this too: the server then ends
/// the transaction, so that it does not delay others.
pub(super) struct Kept(JoinHandle<()>);

impl Kept {
    pub(super) fn start(runtime: &Handle, client: Arc<Client>) -> Self {
        Self(runtime.spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                // The next statement of the publication has the error.
                if client.simple_query("SELECT 1").await.is_err() {
                    return;
                }
            }
        }))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}
