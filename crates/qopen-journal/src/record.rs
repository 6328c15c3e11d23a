//! What a journal holds.

use std::fmt;
use std::sync::Arc;

use qopen_types::{Digest, PayloadText, PullId};

/// A payload, byte for byte, shared rather than copied. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<Vec<u8>>);

impl Payload {
    /// Takes the bytes without copying them.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, in the tolerant order of reading.
    #[must_use]
    pub fn text(&self) -> PayloadText<'_> {
        PayloadText::of(&self.0)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload(<{} bytes>)", self.0.len())
    }
}

/// A page, byte for byte.
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
        Self { pull, digest: Digest::of(payload.as_bytes()), payload }
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

/// What an appended page survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Memory,
    /// The process's end, and the machine's, as far as its disk keeps what `fsync` was told.
    LocalFsync,
    /// What a commit at the database server survives: its machine's end, and more where its commits
    /// wait for replicas.
    ServerCommit,
}
