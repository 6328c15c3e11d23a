//! The interface between a receiver and its handler.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use qopen_types::EventType;

use super::memory::Held;
use crate::error::OpenError;
use crate::open::OpenedCallback;

/// A verified and opened callback, with the body of its request.
#[derive(Debug)]
pub struct Received {
    pub(super) callback: OpenedCallback,
    pub(super) body: Bytes,
    pub(super) room: BodyPermit,
}

/// Memory that a body takes of [`ReceiverConfig::memory_limit`](crate::receiver::ReceiverConfig::memory_limit),
/// returned on drop. A task that continues after the platform has hung up holds it until the task
/// is done.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub struct BodyPermit {
    pub(super) _held: Held,
}

/// The body of an opened callback's request, with the memory that it takes. `Debug` prints only its
/// length.
pub struct ReceivedBody {
    bytes: Bytes,
    room: BodyPermit,
}

impl ReceivedBody {
    /// The body, byte for byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops the body and keeps its memory reserved.
    pub fn into_room(self) -> BodyPermit {
        self.room
    }
}

impl std::fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedBody").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A callback with a valid signature and a content that no key decrypts. `Debug` shows none of it.
///
/// The platform would send the same bytes again. Keep the content, and decrypt it with
/// [`Keyring::decrypt`](crate::Keyring::decrypt) when the right key is known.
pub struct Undecrypted {
    pub(super) content: String,
    pub(super) error: OpenError,
    pub(super) signed_at: Option<u64>,
    pub(super) _room: BodyPermit,
}

impl Undecrypted {
    /// The encrypted content, byte for byte: the base64 of the envelope.
    #[must_use]
    pub fn encoding_content(&self) -> &str {
        &self.content
    }

    /// Why it was not opened.
    #[must_use]
    pub fn error(&self) -> &OpenError {
        &self.error
    }

    /// Time of the signature, in seconds since the Unix epoch by the platform's clock; `None` if
    /// unreadable.
    #[must_use]
    pub fn signed_at(&self) -> Option<u64> {
        self.signed_at
    }
}

impl std::fmt::Debug for Undecrypted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undecrypted")
            .field("bytes", &self.content.len())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// The peer of a connection. A [`Listener`](crate::listener::Listener) puts it into the extensions
/// of each request. Without it all clients are one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Received {
    /// The opened callback.
    #[must_use]
    pub fn callback(&self) -> &OpenedCallback {
        &self.callback
    }

    /// The opened callback, without a copy.
    #[must_use]
    pub fn into_callback(self) -> OpenedCallback {
        self.callback
    }

    /// The opened callback without a copy, and its reserved memory.
    pub fn into_parts(self) -> (OpenedCallback, BodyPermit) {
        (self.callback, self.room)
    }

    /// The opened callback without a copy, and the body of its request.
    #[must_use]
    pub fn into_callback_and_body(self) -> (OpenedCallback, ReceivedBody) {
        (self.callback, ReceivedBody { bytes: self.body, room: self.room })
    }

    /// The request's body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Why a handler did not accept a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// The payload is malformed. The receiver answers 400, and the platform sends it again.
    #[error("the payload could not be read")]
    Malformed,
    /// The payload could not be stored or handed on. The receiver answers 503, and the platform
    /// sends it again.
    #[error("the payload could not be stored at this time")]
    Unavailable,
    /// As [`Unavailable`](Self::Unavailable), for a payload that is no page of this receiver's
    /// pulls. It does not count as a [refusal](crate::Refusals).
    #[error("the payload is not accepted at this time")]
    Declined,
}

/// Handles the callbacks that a receiver has opened.
///
/// `Ok` makes the receiver answer `success`: return it only once the callback is as durable as it
/// must be (invariant I1).
///
/// # Cancellation
/// The receiver drops the future when the platform hangs up. Nothing that was promised may be lost
/// by that.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles a page of a customer list, or the report that the request failed (event 42016).
    ///
    /// # Errors
    /// [`HandlerError`], if the answer must not be `success`.
    async fn account_list(&self, received: Received) -> Result<(), HandlerError>;

    /// Handles any other payload: another event, or a payload without a readable event type, such
    /// as one that is not JSON. By default it is accepted and ignored.
    ///
    /// # Errors
    /// [`HandlerError`], if the answer must not be `success`.
    async fn other(&self, event_type: EventType, received: Received) -> Result<(), HandlerError> {
        let _ = (event_type, received);
        Ok(())
    }

    /// Handles a callback with a valid signature that no key decrypts. By default it is refused.
    ///
    /// # Errors
    /// [`HandlerError`], if the answer must not be `success`.
    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), HandlerError> {
        let _ = callback;
        Err(HandlerError::Malformed)
    }
}
