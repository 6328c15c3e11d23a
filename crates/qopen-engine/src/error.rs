//! Errors of pulls.

use qopen_assembler::StartError;
use qopen_journal::JournalError;
use qopen_sink::SinkError;

/// The error of a pull without an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The pull could not be started.
    #[error("the pull could not be started")]
    Start(#[source] StartError),
    /// The journal holds a pull of this robot and mark: its pages and the new one's would be mixed.
    #[error("the journal has a pull of this robot and mark; resume it, or use another mark")]
    InJournal,
    /// The journal holds no pull of this robot and mark.
    #[error("the journal has no pull of this robot and mark; was it written to another folder?")]
    NotInJournal,
    /// The pull has not ended.
    #[error("the pull is under way; cancel it first")]
    UnderWay,
    /// The journal could not note the start, or could not be read.
    #[error("the journal could not be used")]
    Journal(#[source] JournalError),
    /// The sink gave no sequence number.
    #[error("no sequence number from the place of the list")]
    Place(#[source] SinkError),
    /// It was followed under a claim that no longer counts.
    #[error("another worker has taken the pull over, or the pull is released")]
    Fenced,
    /// The engine has shut down.
    #[error("the engine has shut down")]
    Closed,
}
