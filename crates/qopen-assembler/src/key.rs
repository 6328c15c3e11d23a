//! Names and digests of pulls, pages and accounts.

use alloc::sync::Arc;
use core::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128, xxh3_128_with_seed};

/// Names a pull: the robot, and the mark of the request.
///
/// Both count: the same mark under another robot is another pull (invariant I7). Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PullKey {
    robot: Arc<str>,
    mark: Arc<str>,
}

impl PullKey {
    /// The pull of this robot and mark. Any texts are valid.
    #[must_use]
    pub fn new(robot: &str, mark: &str) -> Self {
        Self { robot: robot.into(), mark: mark.into() }
    }

    /// The robot's id.
    #[must_use]
    pub fn robot(&self) -> &str {
        &self.robot
    }

    /// The request's mark.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }
}

impl fmt::Display for PullKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "robot {} mark {}", self.robot, self.mark)
    }
}

/// Makes the fingerprints of one pull differ from those of any other.
///
/// It follows from the pull's key alone, so that folds of one pull agree on every node. It cannot
/// be predicted without the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seed(u64);

impl Seed {
    /// The seed of a pull.
    #[must_use]
    pub fn of(key: &PullKey) -> Self {
        let mut hasher = Xxh3::new();
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hasher.update(&(key.robot.len() as u64).to_le_bytes());
        hasher.update(key.robot.as_bytes());
        hasher.update(key.mark.as_bytes());
        Self(hasher.digest())
    }

    /// The fingerprint of an account's id within the pull.
    #[must_use]
    pub fn fingerprint(&self, id: &str) -> Fingerprint {
        // Zero marks an empty slot of the table, so that id takes the next number.
        Fingerprint(xxh3_128_with_seed(id.as_bytes(), self.0).max(1))
    }
}

/// 128 bits that identify an account within one pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub(crate) u128);

/// The digest of a page's payload. Copies of a page have equal digests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PageDigest(u128);

impl PageDigest {
    /// Digests a page's payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self(xxh3_128(payload))
    }

    /// A digest from elsewhere, by a function of the payload alone.
    #[must_use]
    pub const fn from_u128(digest: u128) -> Self {
        Self(digest)
    }

    /// The digest as a number.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for PageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageDigest({:032x})", self.0)
    }
}

/// The digest of an account's content. Of two contents of one account the greater digest wins: an
/// arbitrary rule, and the same everywhere.
///
/// 127 bits count; the lowest is not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ContentDigest(pub(crate) u128);

impl ContentDigest {
    /// Digests an account's content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::from_u128(xxh3_128(content))
    }

    /// A digest from elsewhere, by a function of the content alone.
    #[must_use]
    pub const fn from_u128(digest: u128) -> Self {
        Self(digest & !1)
    }

    /// The digest as a number, its lowest bit zero.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentDigest({:032x})", self.0)
    }
}

/// What the assembler needs of an account: a fingerprint of its id and a digest of its content.
///
/// ```
/// use qopen_assembler::{ContentDigest, Fingerprint, Keyed, Seed};
///
/// struct Contact { id: String, json: String }
///
/// impl Keyed for Contact {
///     fn fingerprint(&self, seed: &Seed) -> Fingerprint {
///         seed.fingerprint(&self.id)
///     }
///     fn content(&self) -> ContentDigest {
///         ContentDigest::of(self.json.as_bytes())
///     }
/// }
/// ```
pub trait Keyed {
    /// The fingerprint of the account's id: `seed.fingerprint(id)`, or that value computed before.
    fn fingerprint(&self, seed: &Seed) -> Fingerprint;

    /// The digest of the account's content.
    fn content(&self) -> ContentDigest;
}

/// An account reduced to 32 bytes, for callers that store the account elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it is these two values")]
pub struct Entry {
    /// The fingerprint of its id, made with the seed of its pull.
    pub fingerprint: Fingerprint,
    /// The digest of its content.
    pub content: ContentDigest,
}

impl Keyed for Entry {
    fn fingerprint(&self, _: &Seed) -> Fingerprint {
        self.fingerprint
    }

    fn content(&self) -> ContentDigest {
        self.content
    }
}

#[cfg(feature = "types")]
mod types {
    use super::{ContentDigest, Fingerprint, Keyed, PageDigest, PullKey, Seed};

    impl From<&qopen_types::PullId> for PullKey {
        fn from(pull: &qopen_types::PullId) -> Self {
            Self::new(pull.robot_id.as_str(), pull.mark_id.as_str())
        }
    }

    impl From<qopen_types::Digest> for PageDigest {
        fn from(digest: qopen_types::Digest) -> Self {
            Self::from_u128(digest.to_u128())
        }
    }

    impl From<qopen_types::Digest> for ContentDigest {
        fn from(digest: qopen_types::Digest) -> Self {
            Self::from_u128(digest.to_u128())
        }
    }

    /// The id identifies the account; its JSON as written is its content.
    impl Keyed for qopen_types::Account {
        fn fingerprint(&self, seed: &Seed) -> Fingerprint {
            seed.fingerprint(self.account_id.as_str())
        }

        fn content(&self) -> ContentDigest {
            self.digest().into()
        }
    }
}
