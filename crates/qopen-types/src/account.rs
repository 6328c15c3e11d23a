//! Methods of accounts.

use crate::{Account, Digest};

impl Account {
    /// The digest of the account's canonical JSON. Accounts with equal content have equal digests,
    /// in whatever spelling they came.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Every member writes itself as plain JSON, which cannot fail in memory.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
