//! Which storage something is kept in.

use alloc::string::String;
use core::fmt;

/// Names a storage that can keep both a journal and lists, such as one database. Equal values name the same
/// storage, so that both can change in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageId(String);

impl StorageId {
    /// A name that no other storage has, such as a UUID that the storage keeps.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
