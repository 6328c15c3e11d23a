//! Any bytes sent to the receiver: as a connection, as a body, and as a signed payload. It answers
//! `success` to what the handler accepted and to nothing else, and the handler accepts every signed
//! payload.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use qopen_callback::receiver::{
    Handler, HandlerError, Received, ReceiverConfig, ReceiverStats, Undecrypted, router,
};
use qopen_types::EventType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

#[derive(Default)]
struct Taken(AtomicUsize);

#[async_trait]
impl Handler for Taken {
    async fn account_list(&self, _: Received) -> Result<(), HandlerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn other(&self, _: EventType, _: Received) -> Result<(), HandlerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn undecrypted(&self, _: Undecrypted) -> Result<(), HandlerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Sends the bytes in all three ways.
pub fn run(bytes: &[u8]) {
    let (raw, taken) = RUNTIME.block_on(say(bytes));
    assert_eq!(raw.matches("success").count(), taken);
    assert_eq!(taken, 0, "it has no valid signature");
    let (_, taken) = RUNTIME.block_on(say(&request(bytes)));
    assert_eq!(taken, 0, "it has no valid signature");
    let Ok(payload) = std::str::from_utf8(bytes) else { return };
    let envelope = crate::envelope::ring().seal(payload, "nonce", 1_700_000_000);
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    let (answer, taken) = RUNTIME.block_on(say(&request(&body)));
    assert_eq!(answer.matches("success").count(), taken);
    assert!(taken == 1 && answer.starts_with("HTTP/1.1 200"), "what is signed is kept: {answer}");
}

/// A request with this body.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends bytes; returns the answers until the connection ends, and the number of accepted
/// callbacks.
async fn say(bytes: &[u8]) -> (String, usize) {
    let taken = Arc::new(Taken::default());
    let mut config = ReceiverConfig::default();
    config.body_limit = 1 << 20;
    config.read_timeout = Duration::from_secs(5);
    let handler: Arc<dyn Handler> = Arc::clone(&taken) as _;
    let router = router(crate::envelope::ring(), handler, config, ReceiverStats::default());
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(router);
    // A client that has sent everything may still wait for the answer.
    let serving =
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(theirs), service);
    let speaking = async {
        let (mut reading, mut writing) = tokio::io::split(&mut ours);
        let writes = async {
            // The server may answer and close before the client has sent everything.
            let _ = writing.write_all(bytes).await;
            let _ = writing.shutdown().await;
        };
        let mut answer = Vec::new();
        let reads = reading.read_to_end(&mut answer);
        let ((), _) = tokio::join!(writes, reads);
        answer
    };
    let (_, answer) = tokio::join!(serving, speaking);
    (String::from_utf8_lossy(&answer).into_owned(), taken.0.load(Ordering::Relaxed))
}
