//! Other events: authentic callbacks that are neither page nor report.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use qopen_callback::receiver::{HandlerError, ReceivedBody};
use qopen_http::{BuildError, Forwarder};
use qopen_journal::Payload;
use qopen_types::{CallbackPayload, EventType, Tolerant};

/// An authentic other event: a new customer, a message. `Debug` shows none of it.
pub struct OtherEvent {
    content: EventContent,
    body: ReceivedBody,
}

impl OtherEvent {
    pub(crate) fn new(content: EventContent, body: ReceivedBody) -> Self {
        Self { content, body }
    }

    /// The event type of its payload.
    #[must_use]
    pub fn event_type(&self) -> &EventType {
        self.content.event_type()
    }

    /// Its decrypted payload, byte for byte.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.content.payload()
    }

    /// Reads the payload by its type: [`EventContent::read`].
    #[must_use]
    pub fn read<T: CallbackPayload + Tolerant>(&self) -> Option<T> {
        self.content.read()
    }

    /// The request's body as the platform sent it, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }
}

impl fmt::Debug for OtherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event_type = self.event_type();
        f.debug_struct("OtherEvent").field("event_type", event_type).finish_non_exhaustive()
    }
}

/// The type and the decrypted payload of an other event. Cloning is cheap. `Debug` shows no payload.
#[derive(Clone)]
pub struct EventContent {
    event_type: EventType,
    payload: Payload,
}

/// Learns of other events.
pub(crate) type Observer = Arc<dyn Fn(&EventContent) + Send + Sync>;

impl EventContent {
    pub(crate) fn new(event_type: EventType, payload: Payload) -> Self {
        Self { event_type, payload }
    }

    /// The event type of the payload.
    #[must_use]
    pub fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// The decrypted payload, byte for byte.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.as_bytes()
    }

    /// Reads the payload by its type, such as
    /// [`NewCustomerCallback`](qopen_types::NewCustomerCallback). An unreadable field costs only itself.
    ///
    /// `None` if the event has another type, or is not an object.
    #[must_use]
    pub fn read<T: CallbackPayload + Tolerant>(&self) -> Option<T> {
        let is_of_type = self.event_type == EventType::Code(T::EVENT_TYPE);
        is_of_type.then(|| self.payload.text().read()).flatten()
    }
}

impl fmt::Debug for EventContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventContent").field("event_type", &self.event_type).finish_non_exhaustive()
    }
}

/// Handles other events. The app has one callback URL for all events.
#[async_trait]
pub trait OtherEventHandler: Send + Sync + 'static {
    /// Handles an event. `Ok` answers the platform `success`; an error makes the platform send the
    /// event again.
    ///
    /// # Errors
    /// [`HandlerError`], if the event was not accepted.
    ///
    /// # Cancellation
    /// The task of the event goes on when the platform hangs up.
    async fn handle(&self, event: OtherEvent) -> Result<(), HandlerError>;
}

/// Forwards events to another URL, byte for byte, and passes on that URL's answer.
///
/// The log has the first failure as an error, and further ones at level debug until an event is
/// accepted.
#[derive(Debug)]
pub struct ForwardTo {
    forwarder: Forwarder,
    /// Whether the last event failed.
    troubled: AtomicBool,
}

impl ForwardTo {
    /// Forwards to this URL.
    ///
    /// # Errors
    /// [`BuildError`], if the URL is invalid.
    pub fn new(url: &str) -> Result<Self, BuildError> {
        Forwarder::new(url).map(Self::from)
    }
}

impl From<Forwarder> for ForwardTo {
    fn from(forwarder: Forwarder) -> Self {
        Self { forwarder, troubled: AtomicBool::new(false) }
    }
}

#[async_trait]
impl OtherEventHandler for ForwardTo {
    async fn handle(&self, event: OtherEvent) -> Result<(), HandlerError> {
        let Err(error) = self.forwarder.forward(event.body()).await else {
            self.troubled.store(false, Ordering::Relaxed);
            return Ok(());
        };
        let (event_type, error) = (event.event_type(), &error as &dyn std::error::Error);
        let what = "an event could not be forwarded; the platform will send it again";
        match self.troubled.swap(true, Ordering::Relaxed) {
            false => tracing::error!(%event_type, error, "{what}"),
            true => tracing::debug!(%event_type, error, "{what}"),
        }
        Err(HandlerError::Unavailable)
    }
}
