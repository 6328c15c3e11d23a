//! Records that cannot be put into a list.

use crate::SinkError;

/// A record that cannot be put into a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// An account came twice, with different records.
    #[error("an account comes twice in the list, with different records")]
    Repeated,
    /// A record came before its list was begun, or after it was settled.
    #[error("a record was written {when}")]
    OutOfPlace {
        /// The time of the record.
        when: &'static str,
    },
}

impl From<RecordError> for SinkError {
    fn from(error: RecordError) -> Self {
        Self::Database(Box::new(error))
    }
}
