//! Methods of accounts.

use crate::generated::layout::OBJECTS;
use crate::{Account, Digest, Extra};

impl Account {
    /// The digest of the account's canonical JSON. Accounts with equal content have equal digests,
    /// in whatever spelling they came.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Every member writes itself as plain JSON, which cannot fail in memory.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The objects in an account, such as `profile`, each with its unknown fields.
    pub fn extras(&self) -> impl Iterator<Item = (&'static str, &Extra)> {
        OBJECTS.iter().map(|(name, extra)| (*name, extra(self)))
    }
}
