//! What a receiver hands to its handler.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use qopen_types::EventType;

use super::memory::Held;
use crate::error::OpenError;
use crate::open::OpenedCallback;

/// A callback that was verified and opened, and the body it came in.
#[derive(Debug)]
pub struct Received {
    pub(super) callback: OpenedCallback,
    pub(super) body: Bytes,
    pub(super) room: BodyPermit,
}

/// The room that a body takes of [`ReceiverConfig::memory_limit`](crate::receiver::ReceiverConfig::memory_limit), given back when this is dropped: whoever
/// goes on working when the platform has hung up holds it until that is done.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub struct BodyPermit {
    pub(super) _held: Held,
}

/// The body of a request whose callback was opened, and the room that it takes. `Debug` prints only its
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

    /// Drops the body and keeps its room.
    pub fn into_room(self) -> BodyPermit {
        self.room
    }
}

impl std::fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedBody").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A callback whose signature holds and whose content could not be decrypted. `Debug` shows none of
/// it.
///
/// The platform would send the same bytes again: keep it, and decrypt it with
/// [`Keyring::decrypt`](crate::Keyring::decrypt) when the right key is known.
pub struct Undecrypted {
    pub(super) content: String,
    pub(super) error: OpenError,
    pub(super) signed_at: Option<u64>,
    pub(super) _room: BodyPermit,
}

impl Undecrypted {
    /// The encrypted content, as it came: base64 of what an AES key opens.
    #[must_use]
    pub fn encoding_content(&self) -> &str {
        &self.content
    }

    /// Why it was not opened.
    #[must_use]
    pub fn error(&self) -> &OpenError {
        &self.error
    }

    /// When it was signed, in seconds since the Unix epoch by the platform's clock.
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

/// The peer of a connection, which a [`Listener`](crate::listener::Listener) puts into the extensions
/// of each request. Without it everybody is one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Received {
    /// The opened callback.
    #[must_use]
    pub fn callback(&self) -> &OpenedCallback {
        &self.callback
    }

    /// The opened callback, without copying it.
    #[must_use]
    pub fn into_callback(self) -> OpenedCallback {
        self.callback
    }

    /// The opened callback, without copying it, and the room that it takes.
    pub fn into_parts(self) -> (OpenedCallback, BodyPermit) {
        (self.callback, self.room)
    }

    /// The opened callback, without copying it, and the body that it came in.
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

/// Why a handler did not take a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// The payload is not what it should be: answered 400. The platform will send it again.
    #[error("the payload could not be read")]
    Malformed,
    /// It could not be made durable, or handed on: answered 503. The platform will send it again.
    #[error("it could not be kept at this time")]
    Unavailable,
    /// As [`Unavailable`](Self::Unavailable), for something that is nobody's page here: it is no
    /// [refusal](crate::Refusals).
    #[error("it is not wanted at this time")]
    Declined,
}

/// What takes the callbacks that a receiver has opened.
///
/// `Ok` is the promise that makes the receiver answer `success`: give it only once the callback
/// is as safe as it is meant to be (invariant I1). Dropping the future, as happens when the
/// platform hangs up, must lose nothing that was promised.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// A page of a customer list, or the report that there will be none (event 42016).
    ///
    /// # Errors
    /// [`HandlerError`], when it is not to be answered `success`.
    async fn account_list(&self, received: Received) -> Result<(), HandlerError>;

    /// Any other payload: an event that is not ours, or something that does not say what it is, such
    /// as a payload that is not JSON. Ignored unless you do something with it.
    ///
    /// # Errors
    /// [`HandlerError`], when it is not to be answered `success`.
    async fn other(&self, event_type: EventType, received: Received) -> Result<(), HandlerError> {
        let _ = (event_type, received);
        Ok(())
    }

    /// A callback whose signature holds, and that no key opens. Refused unless you keep it.
    ///
    /// # Errors
    /// [`HandlerError`], when it is not to be answered `success`.
    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), HandlerError> {
        let _ = callback;
        Err(HandlerError::Malformed)
    }
}
