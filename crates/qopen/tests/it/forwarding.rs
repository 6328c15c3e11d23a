//! Other events, acknowledged at once and forwarded until their listener accepts them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use qopen::http::{Forwarder, Sender};
use qopen::journal::Maintenance as _;
use qopen::journal::{DiskJournal, DiskOptions, Faults, Outbox};
use qopen::{Client, ForwardQueue};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::ring;

/// The events of a listener, and those that it refuses.
#[derive(Clone, Default)]
struct Heard {
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    refuses: Option<Vec<u8>>,
}

async fn hear(State(heard): State<Heard>, body: axum::body::Bytes) -> (StatusCode, &'static str) {
    heard.bodies.lock().unwrap().push(body.to_vec());
    match heard.refuses.is_some_and(|it| it == body) {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "no"),
        false => (StatusCode::OK, "success"),
    }
}

impl Heard {
    fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }

    async fn listen_on(&self, listener: TcpListener) -> JoinHandle<()> {
        let router = axum::Router::new().fallback(hear).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
    }
}

/// A place to listen, and how it is called.
async fn bound() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    (listener, url)
}

/// A client with this queue, and a way to post to it as the platform does.
struct Receiving {
    platform: Forwarder,
    _client: Client,
    server: JoinHandle<std::io::Result<()>>,
}

impl Receiving {
    async fn new(queue: &ForwardQueue) -> Self {
        let sender = Sender::builder("http://127.0.0.1:9").app_credentials("app", "secret");
        let builder = Client::builder(sender.build().unwrap(), ring());
        let client = builder.other_event_handler(Arc::new(queue.clone())).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        let router = client.callback_router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self { platform: Forwarder::new(&url).unwrap(), _client: client, server }
    }

    /// Posts an event; returns whether it was acknowledged.
    async fn post(&self, body: &[u8]) -> bool {
        self.platform.forward(body).await.is_ok()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A sealed other event.
fn event(n: u32) -> Vec<u8> {
    let payload = format!(r#"{{"event_type":20001,"data":{{"n":{n}}}}}"#);
    serde_json::to_vec(&ring().seal(&payload, "nonce", 1)).unwrap()
}

fn queue(url: &str, journal: &Arc<DiskJournal>, capacity: u64) -> ForwardQueue {
    let queue = ForwardQueue::builder(url, Arc::clone(journal) as _).unwrap();
    let (first, longest) = (Duration::from_millis(20), Duration::from_millis(100));
    queue.capacity(capacity).pauses(first, longest).build()
}

fn run(queue: &ForwardQueue) -> JoinHandle<()> {
    let queue = queue.clone();
    tokio::spawn(async move { queue.run().await })
}

async fn backlog(journal: &DiskJournal) -> u64 {
    journal.backlog().await.unwrap().events
}

async fn until(done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_while_the_listener_was_away_reaches_it_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // The listener is not running yet.
    let (listener, url) = bound().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    let events: Vec<_> = (0..100).map(event).collect();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let before = queue(&url, &journal, 1000);
    let (receiving, running) = (Receiving::new(&before).await, run(&before));
    for event in events.iter().chain(&events[..9]) {
        assert!(receiving.post(event).await);
    }
    until(async || before.failures() > 0).await;
    assert_eq!((backlog(&journal).await, before.forwarded()), (100, 0));
    running.abort();
    // The next process finds the same after a kill.
    let killed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
    }
    let journal = Arc::new(DiskJournal::open(killed.path()).unwrap());
    let heard = Heard::default();
    let server = heard.listen_on(TcpListener::bind(address).await.unwrap()).await;
    let after = queue(&url, &journal, 1000);
    let running = run(&after);
    until(async || backlog(&journal).await == 0).await;
    let mut bodies = heard.bodies();
    // Up to eight are in flight at once, so the order is approximate.
    bodies.sort();
    let mut expected = events;
    expected.sort();
    assert_eq!(bodies, expected, "each of them once, byte for byte");
    assert_eq!(after.forwarded(), 100);
    running.abort();
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_always_refused_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let heard = Heard { refuses: Some(event(3)), ..Heard::default() };
    let (listener, url) = bound().await;
    let server = heard.listen_on(listener).await;
    let queue = queue(&url, &journal, 1000);
    let (receiving, running) = (Receiving::new(&queue).await, run(&queue));
    for n in 0..200 {
        assert!(receiving.post(&event(n)).await);
    }
    until(async || backlog(&journal).await == 1 && queue.failures() > 2).await;
    assert_eq!(queue.forwarded(), 199);
    let mut others: Vec<_> = heard.bodies().into_iter().filter(|it| *it != event(3)).collect();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 199);
    let waiting = journal.waiting(0, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|it| it.event.as_bytes()).collect::<Vec<_>>(), [event(3)]);
    running.abort();
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_more_can_wait_the_platform_keeps_the_event() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let options = DiskOptions::default().faults(faults.clone());
    let journal = Arc::new(options.open(folder.path()).unwrap());
    // The queue does not run: it takes nothing from the outbox.
    let queue = queue("http://127.0.0.1:9/", &journal, 2);
    let receiving = Receiving::new(&queue).await;
    faults.fail_writes(Some(std::io::ErrorKind::StorageFull));
    assert!(!receiving.post(&event(0)).await);
    faults.fail_writes(None);
    assert!(receiving.post(&event(0)).await && receiving.post(&event(1)).await);
    assert!(!receiving.post(&event(2)).await);
    assert_eq!((backlog(&journal).await, queue.turned_away()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_not_sent_again_because_that_could_not_be_noted() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let options = DiskOptions::default().faults(faults.clone());
    let journal = Arc::new(options.open(folder.path()).unwrap());
    let heard = Heard::default();
    let (listener, url) = bound().await;
    let server = heard.listen_on(listener).await;
    let queue = queue(&url, &journal, 1000);
    let receiving = Receiving::new(&queue).await;
    assert!(receiving.post(&event(0)).await);
    faults.fail_writes(Some(std::io::ErrorKind::StorageFull));
    let running = run(&queue);
    until(async || queue.forwarded() == 1).await;
    let failed = journal.stats().failures;
    until(async || journal.stats().failures > failed + 2).await;
    faults.fail_writes(None);
    until(async || backlog(&journal).await == 0).await;
    assert_eq!(heard.bodies(), [event(0)]);
    running.abort();
    server.abort();
}

/// A listener that refuses slowly, and one that closes the connection: events behind theirs in the
/// queue do not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn many_events_that_are_not_taken_hold_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let (listener, url) = bound().await;
    let unwanted: Vec<_> = (0..100).map(event).collect();
    let hear = move |body: axum::body::Bytes| {
        let at = unwanted.iter().position(|it| *it == body);
        async move {
            match at {
                None => (StatusCode::OK, "success"),
                // Dropped in the middle, as by a process that dies.
                Some(at) if at % 2 == 0 => panic!("a listener that dies on this"),
                Some(_) => {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    (StatusCode::BAD_GATEWAY, "no")
                }
            }
        }
    };
    let router = axum::Router::new().fallback(hear);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let queue = queue(&url, &journal, 1000);
    let receiving = Receiving::new(&queue).await;
    for n in 0..150 {
        assert!(receiving.post(&event(n)).await);
    }
    let running = run(&queue);
    until(async || backlog(&journal).await == 100).await;
    assert_eq!(queue.forwarded(), 50);
    running.abort();
    server.abort();
}
