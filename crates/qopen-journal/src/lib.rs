#![doc = include_str!("../README.md")]

mod memory;
mod record;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

pub use memory::MemoryJournal;
pub use record::{Appended, Durability, Note, PageRecord, Payload, PullId, Quarantined};

/// What a journal could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// There is no room at present; there will be when pulls are forgotten.
    #[error("the journal is full: it holds {held} of at most {limit} bytes")]
    Full {
        /// Bytes of payload it holds.
        held: u64,
        /// The most it may hold.
        limit: u64,
    },
    /// The storage did not do it this time; trying again may help.
    #[error("the journal's storage is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The storage is beyond help from here: nothing more can be written.
    #[error("the journal's storage has failed for good")]
    Fatal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JournalError {
    /// Whether the same call may succeed later: then the platform is not answered `success`, and
    /// sends the page again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Fatal(_))
    }
}

/// The log that is the truth: what was received, and what became of each pull.
///
/// Every method may be called at any time from any task. A future that is dropped before it is
/// ready may or may not have had its effect; appending the same page again is always safe.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Keeps a page. `Ok` only once it survives what [`durability`](Self::durability) promises
    /// (invariant I1).
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError>;

    /// Keeps a fact about a pull, with the same promise.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError>;

    /// Keeps what verified and could not be understood, with the same promise.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError>;

    /// The different pages of a pull that are there at the time of the call, in no particular
    /// order. Nothing is read ahead of the stream's consumer but what a page needs.
    ///
    /// # Errors
    /// [`JournalError`], here or at a page, when the storage cannot be read.
    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError>;

    /// The facts noted about a pull, oldest first.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn notes(&self, pull: &PullId) -> Result<Vec<Note>, JournalError>;

    /// What lies in quarantine, oldest first.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn quarantined(&self) -> Result<Vec<Quarantined>, JournalError>;

    /// Lets go of a pull: its pages, notes and quarantined items. Unknown pulls are no error.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be written.
    async fn forget(&self, pull: &PullId) -> Result<(), JournalError>;

    /// What a kept page survives.
    fn durability(&self) -> Durability;
}
