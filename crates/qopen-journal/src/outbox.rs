//! Events that wait to be forwarded.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{Appended, JournalError, Payload, WorkerId};

/// An event that waits to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingEvent {
    /// Its number: later events have greater ones.
    pub number: u64,
    /// When it was kept.
    pub since: SystemTime,
    /// The event, as it came.
    pub event: Payload,
}

impl PendingEvent {
    /// An event with its number.
    #[must_use]
    pub fn new(number: u64, since: SystemTime, event: Payload) -> Self {
        Self { number, since, event }
    }
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Events.
    pub events: u64,
    /// Bytes of storage of these events.
    pub bytes: u64,
}

/// Other events that were acknowledged and wait to be forwarded, kept with the same promise as
/// pages.
///
/// # Cancellation
/// A future that is dropped before it is ready may or may not have had its effect. Every call may
/// be repeated.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Keeps an event until it is acknowledged by [`ack`](Self::ack). A waiting event is not
    /// kept twice.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn put(&self, event: Payload) -> Result<Appended, JournalError>;

    /// The oldest waiting events with a number greater than `after`: at most `most`, and fewer if
    /// they would exceed about 1 MiB; at least one if any waits. An event that cannot be read any
    /// more is skipped.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<PendingEvent>, JournalError>;

    /// How much waits.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn backlog(&self) -> Result<Backlog, JournalError>;

    /// Deletes an event after it was forwarded. A missing event is no error.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be written.
    async fn ack(&self, event: &PendingEvent) -> Result<(), JournalError>;

    /// Whether this worker forwards events for the time of the lease. Of the workers that share an
    /// outbox one does, and asks again before its lease ends.
    ///
    /// # Errors
    /// [`JournalError`], if the storage does not answer.
    async fn try_lead(&self, worker: &WorkerId, lease: Duration) -> Result<bool, JournalError> {
        let _ = (worker, lease);
        Ok(true)
    }

    /// Whether other processes put events into it too.
    fn is_shared(&self) -> bool {
        false
    }
}
