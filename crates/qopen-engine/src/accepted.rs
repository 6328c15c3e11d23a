//! An engine's input, and its result.

use std::fmt;

use qopen_journal::{JournalError, Payload, PullId};
use qopen_types::EventType;
use tokio::time::Instant;

/// A payload from the platform, verified and opened. `Debug` prints only its length.
///
/// The engine trusts it: verify the signature before.
#[derive(Clone)]
pub struct Incoming {
    pub(crate) payload: Payload,
    pub(crate) signed_at: Option<u64>,
    pub(crate) arrived: Instant,
}

impl Incoming {
    /// A payload that arrives now, byte for byte.
    #[must_use]
    pub fn new(payload: Payload) -> Self {
        Self { payload, signed_at: None, arrived: Instant::now() }
    }

    /// The time of its signature, in seconds since the Unix epoch by the platform's clock. An error
    /// report counts only against a pull that was requested before.
    #[must_use]
    pub fn signed_at(mut self, signed_at: Option<u64>) -> Self {
        self.signed_at = signed_at;
        self
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("payload", &self.payload)
            .field("signed_at", &self.signed_at)
            .finish_non_exhaustive()
    }
}

/// The result of [`Engine::accept`](crate::Engine::accept).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// A page. The journal has it.
    Page,
    /// An error report. The journal has it if it belongs to a pull.
    Report,
    /// An unreadable payload, or one that names no pull of this journal. The journal has it, byte
    /// for byte, in quarantine.
    Quarantined,
    /// Another event. The engine keeps nothing of it.
    Other(EventType),
    /// A page of an external pull, if the engine [returns
    /// those](crate::EngineBuilder::return_external_pages). The engine keeps nothing of it.
    External(PullId),
}

/// The error of a payload that the engine did not keep. The payload must come again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotKept {
    /// The journal did not keep it.
    #[error("the journal did not keep the payload")]
    Journal(#[source] JournalError),
    /// It is a page of an external pull: 64 MiB of those are in quarantine, or no more pulls can be open.
    #[error("the payload belongs to no pull of this journal, and no more of those are kept")]
    Declined,
    /// The engine, or the runtime, has shut down.
    #[error("the engine has shut down")]
    Closed,
}
