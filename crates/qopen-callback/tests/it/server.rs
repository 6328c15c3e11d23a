//! A receiver behind a listener on loopback, and a client that speaks plain HTTP/1.1.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qopen_callback::listener::{Listener, ListenerLimits};
use qopen_callback::receiver::{
    Handler, HandlerError, Received, ReceiverConfig, ReceiverStats, Undecrypted, count_other_paths,
    router,
};
use qopen_callback::{CallbackKeys, Keyring};
use qopen_types::EventType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Default)]
pub(crate) struct Recorder {
    pub pages: Mutex<Vec<String>>,
    pub others: Mutex<Vec<(EventType, Vec<u8>)>>,
    pub answer: Mutex<Option<HandlerError>>,
    /// Contents that no key decrypted, if they are kept.
    pub undecrypted: Mutex<Option<Vec<String>>>,
}

#[async_trait::async_trait]
impl Handler for Recorder {
    async fn account_list(&self, received: Received) -> Result<(), HandlerError> {
        if let Some(answer) = *self.answer.lock().unwrap() {
            return Err(answer);
        }
        let payload = received.into_callback().into_payload();
        self.pages.lock().unwrap().push(String::from_utf8(payload).unwrap());
        Ok(())
    }

    async fn other(&self, event_type: EventType, received: Received) -> Result<(), HandlerError> {
        if let Some(answer) = *self.answer.lock().unwrap() {
            return Err(answer);
        }
        self.others.lock().unwrap().push((event_type, received.body().to_vec()));
        Ok(())
    }

    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), HandlerError> {
        match &mut *self.undecrypted.lock().unwrap() {
            Some(kept) => kept.push(callback.encoding_content().to_owned()),
            None => return Err(HandlerError::Malformed),
        }
        Ok(())
    }
}

pub(crate) struct Server {
    pub address: SocketAddr,
    pub recorder: Arc<Recorder>,
    pub stats: ReceiverStats,
    pub ring: Keyring,
    pub listener: Listener,
    pub stop: oneshot::Sender<()>,
    pub stopped: JoinHandle<()>,
}

/// ListenerLimits small enough for a test.
pub(crate) fn limits() -> ListenerLimits {
    let mut limits = ListenerLimits::default();
    limits.head_timeout = Duration::from_secs(1);
    limits.write_timeout = Duration::from_secs(1);
    limits.handshake_timeout = Duration::from_secs(1);
    limits
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Listener::new(limits()), |_| {}).await
    }

    pub(crate) async fn start_with(
        listener: Listener,
        change: impl FnOnce(&mut ReceiverConfig),
    ) -> Self {
        let keys = CallbackKeys::new("token", &"0123456789abcdef".into()).unwrap();
        let ring = Keyring::new("app", keys);
        let (recorder, stats) = (Arc::new(Recorder::default()), ReceiverStats::default());
        let mut config = ReceiverConfig::default();
        config.body_limit = 1_000_000;
        config.memory_limit = 1_500_000;
        config.read_timeout = Duration::from_secs(1);
        change(&mut config);
        let router = router(ring.clone(), Arc::clone(&recorder) as _, config, stats.clone());
        let router = count_other_paths(router, stats.clone());
        let listener = listener.refusals(stats.refusals().clone());
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, told) = oneshot::channel();
        let serving = listener.clone();
        let stopped = tokio::spawn(async move {
            serving.serve(socket, router, async { drop(told.await) }).await;
        });
        Self { address, recorder, stats, ring, listener, stop, stopped }
    }

    pub(crate) fn sealed(&self, payload: &str) -> Vec<u8> {
        serde_json::to_vec(&self.ring.seal(payload, "nonce", 1_763_850_000)).unwrap()
    }

    pub(crate) async fn send(&self, head: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer and close before the client has written everything.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    pub(crate) async fn post(&self, body: &[u8]) -> String {
        self.post_with("", body).await
    }

    pub(crate) async fn post_with(&self, headers: &str, body: &[u8]) -> String {
        let length = body.len();
        let head = format!(
            "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.send(&head, body).await
    }
}

pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}")).parse().unwrap()
}

pub(crate) const PAGE: &str = r#"{"event_type":42016,"data":{"account_list":[]}}"#;
