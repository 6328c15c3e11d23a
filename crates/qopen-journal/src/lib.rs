#![doc = include_str!("../README.md")]

mod age;
mod backend;
#[cfg(feature = "conformance")]
pub mod conformance;
mod disk;
mod memory;
mod note;
mod outbox;
mod pack;
mod quarantine;
mod record;
mod report;
mod state;
pub mod storage;
mod upkeep;
mod work;

use std::collections::BTreeSet;
use std::future::ready;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use qopen_types::{Digest, MarkId, RobotId};

pub use backend::{Backend, DiskBackend, Opened};
#[cfg(feature = "faults")]
pub use disk::Faults;
pub use disk::{DiskJournal, DiskOptions};
pub use memory::MemoryJournal;
pub use note::{Changes, Note, Noted, Started};
pub use outbox::{Backlog, Outbox, Waiting};
pub use quarantine::{Layer, Quarantined};
pub use record::{Appended, Durability, PageRecord, Payload, PullId};
pub use report::{Damage, Report};
pub use state::PullState;
pub use upkeep::{Expired, Holdings, JournalStats, Store, Upkeep};
pub use work::{Claim, Fencing, Renewed, WorkerId, Workload};

/// How far a journal was read, as that journal writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Any text that the journal that gave it understands.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
    /// Another process has the journal open.
    #[error("the journal is in use by another process ({holder})")]
    Locked {
        /// What that process says of itself.
        holder: String,
    },
    /// The journal was written in a format that this version does not know.
    #[error("the journal has format {found}; this version knows {known}")]
    UnknownFormat {
        /// The format that was found.
        found: u32,
        /// The format that is known.
        known: u32,
    },
    /// A record that was kept cannot be read any more.
    #[error("a record of the journal is damaged")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The storage is beyond help from here: nothing more can be written.
    #[error("the journal's storage has failed for good")]
    Fatal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JournalError {
    /// Whether the same call may succeed later: then the platform is not answered `success`, and
    /// sends the page again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Unavailable(_))
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

    /// The different pages of a pull that are there at the time of the call, in the order in which
    /// they were kept. Nothing is read ahead of the stream's consumer but what a page needs.
    ///
    /// # Errors
    /// [`JournalError`], here or at a page, when the storage cannot be read.
    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError>;

    /// The digests of a pull's pages.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn digests(&self, pull: &PullId) -> Result<Vec<Digest>, JournalError> {
        self.pages(pull).await?.map_ok(|page| page.digest).try_collect().await
    }

    /// As [`pages`](Self::pages), but only those of these digests.
    ///
    /// # Errors
    /// [`JournalError`], here or at a page, when the storage cannot be read.
    async fn pages_of(
        &self,
        pull: &PullId,
        digests: &[Digest],
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        let wanted: BTreeSet<Digest> = digests.iter().copied().collect();
        let is_wanted = move |page: &PageRecord| ready(wanted.contains(&page.digest));
        Ok(self.pages(pull).await?.try_filter(is_wanted).boxed())
    }

    /// The digests of a pull's pages that were kept since a cursor was given, and perhaps others; all of
    /// them without one. The cursor that comes with them is for the next time.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn digests_since(
        &self,
        pull: &PullId,
        cursor: Option<&Cursor>,
    ) -> Result<(Vec<Digest>, Option<Cursor>), JournalError> {
        let _ = cursor;
        Ok((self.digests(pull).await?, None))
    }

    /// What is known of a pull; `None` where nothing is.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError>;

    /// As [`pull`](Self::pull), for the notes and what lies in quarantine: its pages need not be counted,
    /// and may be 0.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn facts_of(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        self.pull(pull).await
    }

    /// Whether anything is known of a pull: what is asked of each page that comes of a pull that is not
    /// followed here.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn knows(&self, pull: &PullId) -> Result<bool, JournalError> {
        Ok(self.pull(pull).await?.is_some())
    }

    /// Every pull of that mark of which anything is known, in the order of robots.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn pulls_marked(&self, mark: &MarkId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.pull.mark_id == *mark);
        Ok(pulls)
    }

    /// Every pull of which anything is known, in the order of robots and marks.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn pulls(&self) -> Result<Vec<PullState>, JournalError>;

    /// Every pull of a robot of which anything is known, in the order of marks.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn pulls_of(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.pull.robot_id == *robot);
        Ok(pulls)
    }

    /// Every pull that has not ended, in the order of robots and marks: what an item of quarantine that
    /// does not say whose it is stands against.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn open_pulls(&self) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.ended().is_none());
        Ok(pulls)
    }

    /// What lies in quarantine, of one pull or of all and none, oldest first.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError>;

    /// Lets go of something in quarantine, because it was read after all or is not wanted. What is
    /// not there is no error.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be written.
    async fn release(&self, item: &Quarantined) -> Result<(), JournalError>;

    /// Lets go of a pull: its pages, notes and quarantined items. Unknown pulls are no error.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be written.
    async fn forget(&self, pull: &PullId) -> Result<(), JournalError>;

    /// What a kept page survives.
    fn durability(&self) -> Durability;
}
