//! Listeners of events, and errors of the queue.

use std::fmt;

use async_trait::async_trait;
use qopen_journal::JournalError;

/// Receives the events of an [`EventQueue`](crate::EventQueue).
#[async_trait]
pub trait EventListener: Send + Sync + 'static {
    /// Delivers an event, byte for byte. `Ok` means that the listener accepted it.
    ///
    /// # Errors
    /// [`DeliveryError`], if the listener did not accept the event. The queue delivers it again.
    async fn deliver(&self, event: &[u8]) -> Result<(), DeliveryError>;
}

/// The error of a delivery: its cause, and whether the listener was reached.
#[derive(Debug)]
pub struct DeliveryError {
    unreachable: bool,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl DeliveryError {
    /// A delivery that failed, with its cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { unreachable: false, cause: cause.into() }
    }

    /// Sets whether the listener was not reached. Default false. Eight such errors in a row pause the queue.
    #[must_use]
    pub fn unreachable(mut self, unreachable: bool) -> Self {
        self.unreachable = unreachable;
        self
    }

    pub(super) fn is_unreachable(&self) -> bool {
        self.unreachable
    }
}

/// Formats as its cause.
impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for DeliveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// The error of an event that was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue is full.
    #[error("the queue of events is full")]
    Full,
    /// The outbox failed.
    #[error("the outbox failed")]
    Outbox(#[source] JournalError),
}
