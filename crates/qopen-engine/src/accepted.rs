//! What an engine is given, and what it made of that.

use std::fmt;

use qopen_journal::{JournalError, Payload, PullId};
use qopen_types::EventType;
use tokio::time::Instant;

/// A payload that came from the platform, verified and opened. `Debug` prints only its length.
///
/// An engine believes what it is given: verify the signature before.
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

/// What an engine made of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// A page. The journal has it.
    Page,
    /// An error report. The journal has it if it belongs to a pull.
    Report,
    /// A payload that could not be read, or that names no pull of this journal. The journal has it,
    /// byte for byte, in quarantine.
    Quarantined,
    /// An event of another kind. The engine keeps nothing of it.
    Other(EventType),
    /// A page of a pull that another system requested, where the engine
    /// [hands those back](crate::EngineBuilder::hand_back_strangers). The engine keeps nothing of it.
    External(PullId),
}

/// Why an engine did not take a payload. It must come again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotKept {
    /// The journal did not keep it.
    #[error("the journal did not keep the payload")]
    Journal(#[source] JournalError),
    /// It is a page of a pull that another system requested, and 64 MiB of those are in quarantine.
    #[error("the payload belongs to no pull of this journal, and no more of those are kept")]
    Declined,
    /// The engine, or the runtime, has shut down.
    #[error("the engine has shut down")]
    Closed,
}
