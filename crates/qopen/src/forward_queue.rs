//! A queue of other events: acknowledged at once, and forwarded until their listener accepts them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qopen_callback::receiver::HandlerError;
use qopen_engine::{DeliveryError, EventListener, EventQueue, EventQueueBuilder, QueueError};
use qopen_http::{BuildError, ForwardError, Forwarder};
use qopen_journal::Outbox;

use crate::other_events::{OtherEvent, OtherEventHandler};

/// Forwards events to another URL, byte for byte, through an [`Outbox`]. An event is answered
/// `success` as soon as the outbox has it, and is sent until the listener answers `success` too.
///
/// Delivers as an [`EventQueue`] does. If the queue is full, the platform gets no `success`, and
/// sends the event again.
///
/// Cloning is cheap; clones are the same queue.
#[derive(Clone, Debug)]
pub struct ForwardQueue(EventQueue);

/// Settings of a [`ForwardQueue`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ForwardQueueBuilder(EventQueueBuilder);

impl ForwardQueueBuilder {
    /// Sets how many events may wait. Default 10,000, and at most 256 MiB of storage. Concurrent
    /// events may exceed it by their number.
    pub fn capacity(self, events: u64) -> Self {
        Self(self.0.capacity(events))
    }

    /// Sets the pauses before a failed event is tried again: the first, and the longest after
    /// doubling. Default 1 s and 60 s.
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Self(self.0.pauses(first, longest))
    }

    /// Builds the queue. It sends nothing until it [runs](ForwardQueue::run).
    #[must_use]
    pub fn build(self) -> ForwardQueue {
        ForwardQueue(self.0.build())
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
        Self::to(Arc::new(ForwardListener(forwarder)), outbox)
    }

    /// Forwards to a listener of the caller's through this outbox.
    pub fn to(listener: Arc<dyn EventListener>, outbox: Arc<dyn Outbox>) -> ForwardQueueBuilder {
        ForwardQueueBuilder(EventQueue::builder(listener, outbox))
    }

    /// Adds an event, and returns when the outbox has it.
    ///
    /// # Errors
    /// [`QueueError`], if the queue is full or the outbox failed.
    ///
    /// # Cancellation
    /// After the future was dropped, the outbox may have the event.
    pub async fn put(&self, event: &[u8]) -> Result<(), QueueError> {
        self.0.put(event).await
    }

    /// Events that the listener accepted.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.0.delivered()
    }

    /// Failed attempts to forward an event.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.0.failures()
    }

    /// Events that were not queued: the queue was full, or the outbox failed.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.0.turned_away()
    }

    /// Forwards waiting and new events, for as long as it is polled. Run it once at a time.
    ///
    /// # Cancellation
    /// Dropping the future stops the queue. The next run sends the events in flight again.
    pub async fn run(&self) {
        self.0.run().await;
    }
}

/// A listener of an [`EventQueue`] behind a [`Forwarder`].
#[derive(Clone, Debug)]
pub struct ForwardListener(Forwarder);

impl From<Forwarder> for ForwardListener {
    fn from(forwarder: Forwarder) -> Self {
        Self(forwarder)
    }
}

#[async_trait]
impl EventListener for ForwardListener {
    async fn deliver(&self, event: &[u8]) -> Result<(), DeliveryError> {
        self.0.forward(event).await.map_err(|error| {
            let unreachable = matches!(error, ForwardError::Transport { .. });
            DeliveryError::new(error).unreachable(unreachable)
        })
    }
}

#[async_trait]
impl OtherEventHandler for ForwardQueue {
    async fn handle(&self, event: OtherEvent) -> Result<(), HandlerError> {
        let queue = self.0.clone();
        // In a task of its own: the platform may hang up, and must not stop it half-way.
        let keeping = tokio::spawn(async move { queue.put(event.body()).await.is_ok() });
        // The task ends early only if the runtime does.
        match keeping.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(HandlerError::Unavailable),
        }
    }
}
