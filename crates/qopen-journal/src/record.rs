//! What a journal holds.

use std::fmt;
use std::sync::Arc;

use qopen_types::{Digest, MarkId, RobotId};

/// Which pull: the robot, and the mark of the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "it is these two names")]
pub struct PullId {
    /// The robot that was asked about.
    pub robot_id: RobotId,
    /// The mark that names the request.
    pub mark_id: MarkId,
}

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "robot {} mark {}", self.robot_id, self.mark_id)
    }
}

/// An opened payload, shared rather than copied. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<String>);

impl Payload {
    /// Takes the text without copying it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload(<{} bytes>)", self.0.len())
    }
}

/// A page as it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRecord {
    /// The pull it belongs to.
    pub pull: PullId,
    /// The digest of its payload, by which copies are told.
    pub digest: Digest,
    /// Its payload.
    pub payload: Payload,
}

impl PageRecord {
    /// A page of a pull; the digest follows from the payload.
    #[must_use]
    pub fn new(pull: PullId, payload: Payload) -> Self {
        Self { pull, digest: Digest::of(payload.as_str().as_bytes()), payload }
    }
}

/// What an append found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// The page was not there.
    New,
    /// The page was there; nothing was written.
    Duplicate,
}

/// A fact about a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// It is about to be requested.
    Started {
        /// Whether tags were asked for.
        need_tag_info: bool,
    },
    /// It ended; the text names the way, as a summary does.
    Ended {
        /// `complete`, `incomplete` or `failed`.
        status: String,
    },
    /// Its list was published.
    Published {
        /// The revision of the list.
        revision: u32,
        /// How many accounts it has.
        accounts: u64,
    },
}

/// Something that verified and could not be understood, kept whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The pull it belongs to, where that could be read.
    pub pull: Option<PullId>,
    /// What is wrong with it; never quotes it.
    pub reason: String,
    /// The thing itself.
    pub payload: Payload,
}

impl Quarantined {
    /// Something of a pull, or of nobody knows which.
    #[must_use]
    pub fn new(pull: Option<PullId>, reason: impl Into<String>, payload: Payload) -> Self {
        Self { pull, reason: reason.into(), payload }
    }
}

/// What an appended page survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Memory,
}
