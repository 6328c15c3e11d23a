#![doc = include_str!("../README.md")]

mod error;
mod file;
mod format;
mod quarantine;
mod record;
mod sort;
mod stream;

pub use error::SinkError;
pub use file::FileSink;
pub use format::{CSV_COLUMNS, Format};
pub use quarantine::Quarantine;
pub use record::Record;
pub use sort::{Pair, Sorter};
pub use stream::StreamSink;

use qopen_types::RobotId;

/// Whether a list is the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// It is: it may take the place of the last one.
    Complete,
    /// It is what there was when the pull ended early: it stands beside the last complete one.
    Partial,
}

/// A place that lists can be published to.
///
/// A list is written whole and then committed; until then, and after a failure, whoever reads the
/// place sees the list that was there before (invariant I5). All methods block.
pub trait Sink: Send + Sync {
    /// Whether a list could be written at all, found out without leaving a trace: so that a pull
    /// fails before its request is sent, not after its pages have come.
    ///
    /// # Errors
    /// [`SinkError`], saying what stands in the way.
    fn check(&self) -> Result<(), SinkError>;

    /// Begins a list. Dropping the writer without committing leaves no trace of it.
    ///
    /// # Errors
    /// [`SinkError`], when it cannot be begun.
    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError>;
}

/// A list being written.
pub trait ListWriter: Send {
    /// Writes one record.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError>;

    /// Writes a record straight from its account's JSON, where this writer can do so and gets the same
    /// result. False where nothing was written: then the account is to be read, and given to
    /// [`write`](Self::write), as it always may be.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        let _ = (robot_id, account);
        Ok(false)
    }

    /// Makes the list durable and puts it in its place. Returns where that is, for messages.
    ///
    /// # Errors
    /// [`SinkError`]. The place holds what it held before, or, where only the last step failed
    /// (making the replacement durable, removing a partial list), the new list.
    fn commit(self: Box<Self>) -> Result<String, SinkError>;
}
