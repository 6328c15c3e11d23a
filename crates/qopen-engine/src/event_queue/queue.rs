//! The queue and its settings.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qopen_journal::{Outbox, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::delivery::{Inner, Sent, TURN};
use super::listener::{EventListener, QueueError};

/// Events that may wait, by default.
const CAPACITY: u64 = 10_000;

/// Interval of looks for the events of other processes.
const SHARED_POLL: Duration = Duration::from_secs(1);

/// Delivers events, byte for byte, through an [`Outbox`]: an event is kept as soon as the outbox has it, and is
/// delivered until the listener accepts it.
///
/// Each event reaches the listener at least once, unless the outbox drops it before. It arrives
/// twice if the listener's answer could not be noted. Events are sent in the order of their
/// arrival, up to 8 at once. A refused event does not hold up the others: it is sent again after
/// all waiting ones were tried, after a pause of 1 s, doubled up to 60 s. The pauses are the same
/// while the listener is unreachable.
///
/// Cloning is cheap; clones are the same queue.
#[derive(Clone, Debug)]
pub struct EventQueue {
    inner: Arc<Inner>,
}

/// Settings of an [`EventQueue`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct EventQueueBuilder(Inner);

impl EventQueueBuilder {
    /// Sets how many events may wait. Default 10,000, and at most 256 MiB of storage. Concurrent
    /// events may exceed it by their number.
    pub fn capacity(mut self, events: u64) -> Self {
        self.0.capacity = events;
        self
    }

    /// Sets the pauses before a failed event is tried again: the first, and the longest after
    /// doubling. Default 1 s and 60 s.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.0.first_pause, self.0.longest_pause) = (first, longest);
        self
    }

    /// Builds the queue. It sends nothing until it [runs](EventQueue::run).
    #[must_use]
    pub fn build(self) -> EventQueue {
        EventQueue { inner: Arc::new(self.0) }
    }
}

impl EventQueue {
    /// Starts with the listener and the outbox.
    pub fn builder(listener: Arc<dyn EventListener>, outbox: Arc<dyn Outbox>) -> EventQueueBuilder {
        EventQueueBuilder(Inner {
            listener,
            outbox,
            worker: WorkerId::new(Uuid::now_v7().to_string()),
            capacity: CAPACITY,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            came: Notify::new(),
            delivered: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            unnoted: Mutex::default(),
            counted: Mutex::default(),
            troubled: AtomicBool::new(false),
        })
    }

    /// Events that the listener accepted.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.inner.delivered.load(Ordering::Relaxed)
    }

    /// Failed attempts to deliver an event.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.inner.failures.load(Ordering::Relaxed)
    }

    /// Events that were not queued: the queue was full, or the outbox failed.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.inner.turned_away.load(Ordering::Relaxed)
    }

    /// Adds an event, and returns when the outbox has it.
    ///
    /// # Errors
    /// [`QueueError`], if the queue is full or the outbox failed.
    ///
    /// # Cancellation
    /// After the future was dropped, the outbox may have the event.
    pub async fn put(&self, event: &[u8]) -> Result<(), QueueError> {
        let kept = self.inner.keep(event).await;
        if kept.is_err() {
            self.inner.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Delivers waiting and new events, for as long as it is polled. Run it once at a time.
    ///
    /// # Cancellation
    /// Dropping the future stops the queue. The next run sends the events in flight again.
    pub async fn run(&self) {
        let inner = &*self.inner;
        let longer = |pause: Duration| pause.saturating_mul(2).min(inner.longest_pause);
        let mut pause = inner.first_pause;
        // The number up to which every event was tried, and the time of the next attempt of failed
        // ones.
        let (mut tried, mut again): (u64, Option<Instant>) = (0, None);
        // The number at which the last new round began.
        let mut reached = 0;
        loop {
            if !inner.has_turn().await {
                tokio::time::sleep(TURN / 3).await;
                continue;
            }
            match inner.send_after(&mut tried).await {
                // Events of other processes may arrive out of order, and without a notification.
                Sent::Nothing if inner.outbox.is_shared() => {
                    let look = Instant::now() + SHARED_POLL;
                    tokio::select! {
                        () = tokio::time::sleep_until(again.map_or(look, |due| due.min(look))) => {}
                        () = inner.came.notified() => {}
                    }
                    if again.is_none_or(|due| due <= Instant::now()) {
                        tried = 0;
                        pause = match again.take() {
                            Some(_) => longer(pause),
                            None => inner.first_pause,
                        };
                    }
                }
                Sent::Nothing => match again {
                    None => {
                        pause = inner.first_pause;
                        inner.came.notified().await;
                    }
                    Some(due) => tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(due) => {
                            (tried, again) = (0, None);
                            pause = longer(pause);
                        }
                        () = inner.came.notified() => {}
                    },
                },
                Sent::All | Sent::NotAll
                    if tried > reached && again.is_some_and(|due| due <= Instant::now()) =>
                {
                    // New events come without an end: the failed ones have their turn now, and then
                    // more of the new ones.
                    (reached, tried, again) = (tried, 0, None);
                }
                Sent::All => {}
                Sent::NotAll => again = again.or(Some(Instant::now() + pause)),
                Sent::Unreachable => {
                    tokio::time::sleep(pause).await;
                    again = again.or(Some(Instant::now()));
                    pause = longer(pause);
                }
            }
        }
    }
}
