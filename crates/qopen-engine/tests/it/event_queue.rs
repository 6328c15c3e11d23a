//! Events are kept, and delivered until their listener accepts them.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use qopen_engine::{DeliveryError, EventListener, EventQueue, QueueError};
use qopen_journal::MemoryJournal;

/// Refuses the first deliveries of each event.
#[derive(Default)]
struct Reluctant {
    heard: Mutex<Vec<Vec<u8>>>,
    refusals: usize,
}

#[async_trait]
impl EventListener for Reluctant {
    async fn deliver(&self, event: &[u8]) -> Result<(), DeliveryError> {
        let mut heard = self.heard.lock().unwrap();
        let before = heard.iter().filter(|it| *it == event).count();
        heard.push(event.to_vec());
        match before < self.refusals {
            true => Err(DeliveryError::new(std::io::Error::other("not now"))),
            false => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_until_the_listener_accepts_it() {
    let listener = Arc::new(Reluctant { refusals: 2, ..Reluctant::default() });
    let queue = EventQueue::builder(Arc::clone(&listener) as _, Arc::new(MemoryJournal::default()));
    let queue = queue.pauses(Duration::from_secs(1), Duration::from_secs(60)).build();
    for event in ["a", "b"] {
        queue.put(event.as_bytes()).await.unwrap();
    }
    // Pauses of 1 s and 2 s, in the time of the test.
    let _ = tokio::time::timeout(Duration::from_secs(10), queue.run()).await;
    let heard = listener.heard.lock().unwrap();
    let of = |event: &[u8]| heard.iter().filter(|it| *it == event).count();
    assert_eq!((of(b"a"), of(b"b")), (3, 3));
    assert_eq!((queue.delivered(), queue.failures(), queue.turned_away()), (2, 4, 0));
}

#[tokio::test]
async fn a_full_queue_refuses_an_event_and_counts_it() {
    let listener = Arc::new(Reluctant::default());
    let queue =
        EventQueue::builder(listener, Arc::new(MemoryJournal::default())).capacity(1).build();
    queue.put(b"a").await.unwrap();
    let error = queue.put(b"b").await.unwrap_err();
    assert!(matches!(error, QueueError::Full) && error.source().is_none(), "{error}");
    assert_eq!(queue.turned_away(), 1);
}
