//! A queue of other events: acknowledged at once, and forwarded until their listener accepts them.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use qopen_callback::receiver::HandlerError;
use qopen_http::{BuildError, ForwardError, Forwarder};
use qopen_journal::{Backlog, JournalError, Outbox, Payload, PendingEvent, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::other_events::{OtherEvent, OtherEventHandler};

/// Events that may wait, by default.
const CAPACITY: u64 = 10_000;

/// Storage of waiting events, at most: 256 MiB.
const CAPACITY_BYTES: u64 = 256 << 20;

/// Events read from the outbox at a time.
const BATCH: usize = 64;

/// Time for which one process forwards events for all that share an outbox, until it must ask
/// again.
const TURN: Duration = Duration::from_secs(15);

/// Interval of looks for the events of other processes.
const SHARED_POLL: Duration = Duration::from_secs(1);

/// Time for which a count is good if other processes add events too.
const COUNTED: Duration = Duration::from_secs(1);

/// Events in flight at once.
const AT_ONCE: usize = 8;

/// Forwards events to another URL, byte for byte, through an [`Outbox`]. An event is answered
/// `success` as soon as the outbox has it, and is sent until the listener answers `success` too.
///
/// Each event reaches the listener at least once, unless the outbox drops it before. It arrives
/// twice if the listener's answer could not be noted. Events are sent in the order of their
/// arrival, up to 8 at once. A refused event does not hold up the others: it is sent again after
/// all waiting ones were tried, after a pause of 1 s, doubled up to 60 s. The pauses are the same
/// while the listener is unreachable. If the queue is full, the platform gets no `success`, and
/// sends the event again.
///
/// Cloning is cheap; clones are the same queue.
#[derive(Clone, Debug)]
pub struct ForwardQueue {
    inner: Arc<Inner>,
}

struct Inner {
    forwarder: Forwarder,
    outbox: Arc<dyn Outbox>,
    worker: WorkerId,
    capacity: u64,
    capacity_bytes: u64,
    first_pause: Duration,
    longest_pause: Duration,
    came: Notify,
    forwarded: AtomicU64,
    failures: AtomicU64,
    turned_away: AtomicU64,
    /// Events that the listener accepted, before the outbox has noted it.
    unnoted: Mutex<BTreeSet<u64>>,
    /// The last count of waiting events, and its time.
    counted: Mutex<Option<(Instant, Backlog)>>,
    /// Whether the last failure was logged.
    troubled: AtomicBool,
}

/// Settings of a [`ForwardQueue`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ForwardQueueBuilder(Inner);

impl ForwardQueueBuilder {
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

    /// Builds the queue. It sends nothing until it [runs](ForwardQueue::run).
    #[must_use]
    pub fn build(self) -> ForwardQueue {
        ForwardQueue { inner: Arc::new(self.0) }
    }
}

impl ForwardQueue {
    /// Forwards to this URL through this outbox.
    ///
    /// # Errors
    /// [`BuildError`], if the URL is invalid.
    pub fn builder(url: &str, outbox: Arc<dyn Outbox>) -> Result<ForwardQueueBuilder, BuildError> {
        Ok(Self::through(Forwarder::new(url)?, outbox))
    }

    /// Forwards with a forwarder of the caller's through this outbox.
    pub fn through(forwarder: Forwarder, outbox: Arc<dyn Outbox>) -> ForwardQueueBuilder {
        ForwardQueueBuilder(Inner {
            forwarder,
            outbox,
            worker: WorkerId::new(Uuid::now_v7().to_string()),
            capacity: CAPACITY,
            capacity_bytes: CAPACITY_BYTES,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            came: Notify::new(),
            forwarded: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            unnoted: Mutex::default(),
            counted: Mutex::default(),
            troubled: AtomicBool::new(false),
        })
    }

    /// Events that the listener accepted.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.inner.forwarded.load(Ordering::Relaxed)
    }

    /// Failed attempts to forward an event.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.inner.failures.load(Ordering::Relaxed)
    }

    /// Events that were not queued: the queue was full, or the outbox failed.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.inner.turned_away.load(Ordering::Relaxed)
    }

    /// Forwards waiting and new events, for as long as it is polled. Run it once at a time.
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

/// The result of sending a batch.
enum Sent {
    /// The outbox had no events.
    Nothing,
    All,
    NotAll,
    /// The listener or the outbox is unreachable.
    Unreachable,
}

impl Inner {
    /// Whether it is this process's turn. A process that is late may still be sending when the next
    /// begins: then the listener gets an event twice.
    async fn has_turn(&self) -> bool {
        match self.outbox.try_lead(&self.worker, TURN).await {
            Ok(turn) => turn,
            Err(error) => {
                self.complain("cannot tell whose turn it is to forward events", &error);
                false
            }
        }
    }

    /// Sends the batch after number `tried`, and advances it.
    async fn send_after(&self, tried: &mut u64) -> Sent {
        let batch = match self.outbox.waiting(*tried, BATCH).await {
            Ok(batch) => batch,
            Err(error) => {
                self.complain("cannot read the waiting events", &error);
                return Sent::Unreachable;
            }
        };
        if batch.is_empty() {
            return Sent::Nothing;
        }
        let failed_in_a_row = AtomicUsize::new(0);
        let sending = stream::iter(batch).map(|event| self.send(event, &failed_in_a_row));
        let mut sending = pin!(sending.buffer_unordered(AT_ONCE));
        let mut all = true;
        while let Some((number, sent)) = sending.next().await {
            if let Some(taken) = sent {
                *tried = number.max(*tried);
                all &= taken;
            }
        }
        match all {
            _ if failed_in_a_row.load(Ordering::Relaxed) >= AT_ONCE => Sent::Unreachable,
            true => Sent::All,
            false => Sent::NotAll,
        }
    }

    /// Sends an event, unless too many in a row failed. Returns true if it is done, `None` if it
    /// was not tried.
    async fn send(
        &self,
        event: PendingEvent,
        failed_in_a_row: &AtomicUsize,
    ) -> (u64, Option<bool>) {
        let number = event.number;
        if failed_in_a_row.load(Ordering::Relaxed) >= AT_ONCE {
            return (number, None);
        }
        if !self.unnoted().contains(&number) {
            let sent = self.forwarder.forward(event.event.as_bytes()).await;
            if let Err(error) = sent {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.complain("the listener did not accept an event; it is sent again", &error);
                match error {
                    ForwardError::Transport { .. } => {
                        failed_in_a_row.fetch_add(1, Ordering::Relaxed);
                    }
                    // The listener is reachable.
                    _ => failed_in_a_row.store(0, Ordering::Relaxed),
                }
                return (number, Some(false));
            }
            self.forwarded.fetch_add(1, Ordering::Relaxed);
            self.unnoted().insert(number);
        }
        if let Err(error) = self.outbox.ack(&event).await {
            failed_in_a_row.fetch_add(1, Ordering::Relaxed);
            self.complain("cannot note that the listener accepted an event", &error);
            return (number, Some(false));
        }
        failed_in_a_row.store(0, Ordering::Relaxed);
        self.unnoted().remove(&number);
        self.troubled.store(false, Ordering::Relaxed);
        (number, Some(true))
    }

    /// Counts the waiting events. With other processes' events, counting takes longer the more
    /// there are: it happens once a second.
    async fn backlog(&self) -> Result<Backlog, JournalError> {
        let known = *self.counted();
        if let Some((at, waiting)) = known
            && at.elapsed() < COUNTED
        {
            return Ok(waiting);
        }
        let waiting = self.outbox.backlog().await?;
        if self.outbox.is_shared() {
            *self.counted() = Some((Instant::now(), waiting));
        }
        Ok(waiting)
    }

    /// Held to copy the count or to add to it.
    fn counted(&self) -> MutexGuard<'_, Option<(Instant, Backlog)>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held for a set operation, never across an await.
    fn unnoted(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.unnoted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self, event: &OtherEvent) -> Result<(), HandlerError> {
        let unavailable = |error: JournalError| {
            self.complain("an event could not be kept; the platform will send it again", &error);
            HandlerError::Unavailable
        };
        let Backlog { events, bytes, .. } = self.backlog().await.map_err(unavailable)?;
        if events >= self.capacity || bytes >= self.capacity_bytes {
            // A queue that waits for its listener has logged why; this is the consequence.
            tracing::debug!(
                events,
                bytes,
                "the queue is full; the platform will send the event again"
            );
            return Err(HandlerError::Unavailable);
        }
        let event = Payload::new(event.body());
        let length = event.len() as u64;
        self.outbox.put(event).await.map_err(unavailable)?;
        if let Some((_, waiting)) = &mut *self.counted() {
            (waiting.events, waiting.bytes) = (waiting.events + 1, waiting.bytes + length);
        }
        self.came.notify_one();
        Ok(())
    }

    /// Logs the first failure as an error, until an event succeeds.
    fn complain(&self, what: &str, error: &(dyn std::error::Error + 'static)) {
        match self.troubled.swap(true, Ordering::Relaxed) {
            false => tracing::error!(error, "{what}"),
            true => tracing::debug!(error, "{what}"),
        }
    }
}

#[async_trait]
impl OtherEventHandler for ForwardQueue {
    async fn handle(&self, event: OtherEvent) -> Result<(), HandlerError> {
        let inner = Arc::clone(&self.inner);
        // In a task of its own: the platform may hang up, and must not stop it half-way.
        let keeping = tokio::spawn(async move {
            let kept = inner.keep(&event).await;
            if kept.is_err() {
                inner.turned_away.fetch_add(1, Ordering::Relaxed);
            }
            kept
        });
        // The task ends early only if the runtime does.
        keeping.await.unwrap_or(Err(HandlerError::Unavailable))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("forwarder", &self.forwarder).finish_non_exhaustive()
    }
}
