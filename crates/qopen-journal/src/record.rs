//! Records of a journal.

use std::fmt;
use std::sync::Arc;

use qopen_types::{Digest, PayloadText, PullId};

/// A payload, byte for byte, shared rather than copied. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<Vec<u8>>);

impl Payload {
    /// Takes ownership of the bytes without a copy.
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
    /// The digest of its payload. Copies have equal digests.
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

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// The page was not there.
    New,
    /// The page was there; nothing was written.
    Duplicate,
}

/// The durability of an appended page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// None: it is lost with the process.
    Memory,
    /// It survives the end of the process and of the machine, as far as the disk keeps what `fsync`
    /// was told.
    LocalFsync,
    /// It survives what a commit at the database server survives: the end of the server's machine,
    /// and more if commits wait for replicas.
    ServerCommit,
}
