#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod age;
mod backend;
mod claim_queue;
mod claims;
#[cfg(feature = "conformance")]
pub mod conformance;
mod disk;
mod evidence;
mod maintenance;
mod memory;
mod note;
mod outbox;
mod outline;
mod pack;
mod quarantine;
mod reason;
mod record;
mod repeat;
mod report;
mod restored;
mod state;
pub mod storage;

use std::collections::BTreeSet;
use std::future::ready;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use qopen_types::{Digest, MarkId, RobotId};

pub use backend::{Backend, DiskBackend, Examined, Opened};
pub use claim_queue::{Claim, ClaimQueue, Fencing, Renewed, WorkerId};
#[cfg(feature = "faults")]
pub use disk::Faults;
pub use disk::{DiskJournal, DiskOptions};
pub use maintenance::{Expired, JournalStats, JournalSummary, Maintenance, Store};
pub use memory::MemoryJournal;
pub use note::{Changes, Comparison, EndState, Evidence, Note, Noted, Started};
pub use outbox::{Backlog, Outbox, PendingEvent};
pub use outline::{PublishedOutline, PullOutline};
pub use qopen_types::PullId;
pub use quarantine::{Layer, Quarantined};
pub use reason::EndReason;
pub use record::{Appended, Durability, PageRecord, Payload};
pub use repeat::Repeat;
pub use report::{Damage, Report};
pub use restored::doubt_unfinished_pulls;
pub use state::PullState;

/// How far a journal was read, as that journal writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from a journal's own text.
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

/// The error of a journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// There is no room until pulls are forgotten.
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
        /// The process, as the lock file names it.
        holder: String,
    },
    /// The journal was written in a format that this version does not know.
    #[error(
        "the journal has format {found}, and this version of qopen reads formats 1 to {known}; use the later qopen that wrote it, or restore a backup from before the upgrade"
    )]
    UnknownFormat {
        /// The format that was found.
        found: u32,
        /// The latest format that is known.
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

/// The log of received pages and of each pull's fate: the truth from which lists are folded.
///
/// Any task may call any method at any time.
///
/// # Cancellation
/// A future that is dropped before it is ready may or may not have had its effect. Appending the
/// same page again is always safe.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Keeps a page. Returns `Ok` only once the page is as durable as
    /// [`durability`](Self::durability) promises (invariant I1).
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError>;

    /// Keeps a fact about a pull, with the same promise.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError>;

    /// Keeps an unreadable callback that verified, with the same promise.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError>;

    /// The different pages that a pull has at the time of the call, in the order in which they were
    /// kept. The stream reads only the pages that its consumer asks for.
    ///
    /// # Errors
    /// [`JournalError`], here or at a page, if the storage cannot be read.
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

    /// The digests of a pull's pages that were kept since a cursor, and perhaps earlier ones; all
    /// of them without a cursor. Returns the cursor for the next call.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn digests_since(
        &self,
        pull: &PullId,
        cursor: Option<&Cursor>,
    ) -> Result<(Vec<Digest>, Option<Cursor>), JournalError> {
        let _ = cursor;
        Ok((self.digests(pull).await?, None))
    }

    /// The state of a pull; `None` if the journal does not know it.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError>;

    /// As [`pull`](Self::pull), for notes and quarantine only: the number of pages may be 0.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn facts_of(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        self.pull(pull).await
    }

    /// Whether the journal knows a pull. Called for each page of a pull that is not open here.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn knows(&self, pull: &PullId) -> Result<bool, JournalError> {
        Ok(self.pull(pull).await?.is_some())
    }

    /// Every known pull of a mark, in the order of robots.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pulls_marked(&self, mark: &MarkId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.pull.mark_id == *mark);
        Ok(pulls)
    }

    /// Every known pull, in the order of robots and marks.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pulls(&self) -> Result<Vec<PullState>, JournalError>;

    /// At most `most` known pulls, in the order of robots and marks: the first ones after a pull, or the first ones of
    /// all. None follow if there are fewer.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pulls_after(
        &self,
        after: Option<&PullId>,
        most: usize,
    ) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| after.is_none_or(|after| state.pull > *after));
        pulls.truncate(most);
        Ok(pulls)
    }

    /// The outline of every known pull, in the order of robots and marks.
    ///
    /// A storage in memory can do it without copying the notes.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn outlines(&self) -> Result<Vec<PullOutline>, JournalError> {
        Ok(self.pulls().await?.iter().map(PullOutline::of).collect())
    }

    /// Every known pull of a robot, in the order of marks.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pulls_of(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.pull.robot_id == *robot);
        Ok(pulls)
    }

    /// The pulls of the same robot that started after a pull, in the order of marks; none if the journal does not
    /// know the pull.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn later_pulls(&self, pull: &PullId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls_of(&pull.robot_id).await?;
        let own = pulls.iter().find(|state| state.pull == *pull).map(|state| state.order);
        pulls.retain(|state| own.is_some_and(|own| state.order > own));
        Ok(pulls)
    }

    /// The pulls of a robot that have a note of a [held list](Note::Held), in the order of marks.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn pulls_with_held_lists(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls_of(robot).await?;
        pulls.retain(|state| state.notes.iter().any(|it| matches!(it.note, Note::Held { .. })));
        Ok(pulls)
    }

    /// Every pull that has not ended, in the order of robots and marks: a quarantined item of an
    /// unknown pull counts against all of them.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn open_pulls(&self) -> Result<Vec<PullState>, JournalError> {
        let mut pulls = self.pulls().await?;
        pulls.retain(|state| state.ended().is_none());
        Ok(pulls)
    }

    /// The quarantined items of one pull, or of all pulls and of none, oldest first.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError>;

    /// Deletes a quarantined item, because it was read after all or is not needed. A missing item
    /// is no error.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be written.
    async fn release(&self, item: &Quarantined) -> Result<(), JournalError>;

    /// Deletes a pull: its pages, notes and quarantined items. An unknown pull is no error.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be written.
    async fn forget(&self, pull: &PullId) -> Result<(), JournalError>;

    /// The durability of a kept page.
    fn durability(&self) -> Durability;
}
