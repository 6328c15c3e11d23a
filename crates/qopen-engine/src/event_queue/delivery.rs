//! Batches of the queue: read from the outbox, delivered and acknowledged.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use qopen_journal::{Backlog, JournalError, Outbox, Payload, PendingEvent, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::listener::{EventListener, QueueError};

/// Events read from the outbox at a time.
const BATCH: usize = 64;

/// Time for which one process delivers events for all that share an outbox, until it must ask
/// again.
pub(super) const TURN: Duration = Duration::from_secs(15);

/// Time for which a count is good if other processes add events too.
const COUNTED: Duration = Duration::from_secs(1);

/// Storage of waiting events, at most: 256 MiB.
const CAPACITY_BYTES: u64 = 256 << 20;

/// Events in flight at once.
const AT_ONCE: usize = 8;

pub(super) struct Inner {
    pub(super) listener: Arc<dyn EventListener>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) worker: WorkerId,
    pub(super) capacity: u64,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
    pub(super) came: Notify,
    pub(super) delivered: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) turned_away: AtomicU64,
    /// Events that the listener accepted, before the outbox has noted it.
    pub(super) unnoted: Mutex<BTreeSet<u64>>,
    /// The last count of waiting events, and its time.
    pub(super) counted: Mutex<Option<(Instant, Backlog)>>,
    /// Whether the last failure was logged.
    pub(super) troubled: AtomicBool,
}

/// The result of sending a batch.
pub(super) enum Sent {
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
    pub(super) async fn has_turn(&self) -> bool {
        match self.outbox.try_lead(&self.worker, TURN).await {
            Ok(turn) => turn,
            Err(error) => {
                self.complain("cannot tell whose turn it is to deliver events", &error);
                false
            }
        }
    }

    /// Sends the batch after number `tried`, and advances it.
    pub(super) async fn send_after(&self, tried: &mut u64) -> Sent {
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
            if let Err(error) = self.listener.deliver(event.event.as_bytes()).await {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.complain("the listener did not accept an event; it is sent again", &error);
                match error.is_unreachable() {
                    true => drop(failed_in_a_row.fetch_add(1, Ordering::Relaxed)),
                    false => failed_in_a_row.store(0, Ordering::Relaxed),
                }
                return (number, Some(false));
            }
            self.delivered.fetch_add(1, Ordering::Relaxed);
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

    pub(super) async fn keep(&self, event: &[u8]) -> Result<(), QueueError> {
        let failed = |error: JournalError| {
            self.complain("an event could not be kept; the platform will send it again", &error);
            QueueError::Outbox(error)
        };
        let Backlog { events, bytes, .. } = self.backlog().await.map_err(failed)?;
        if events >= self.capacity || bytes >= CAPACITY_BYTES {
            // A queue that waits for its listener has logged why; this is the consequence.
            tracing::debug!(
                events,
                bytes,
                "the queue is full; the platform will send the event again"
            );
            return Err(QueueError::Full);
        }
        let event = Payload::new(event);
        let length = event.len() as u64;
        self.outbox.put(event).await.map_err(failed)?;
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

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
