//! What a customer is beyond its fields.

use crate::{Account, Digest};

impl Account {
    /// The digest of the account as it is written: two accounts are the same when it is, in
    /// whatever spelling they came.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Every member writes itself as plain JSON, which cannot fail in memory.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
