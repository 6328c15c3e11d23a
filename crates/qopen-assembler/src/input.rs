//! What an assembler is told, and what it answers.

use crate::key::{ContentDigest, PageDigest, PullKey};
use crate::time::Time;

/// A page as a fact: whose it is, and what is in it.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Page<I> {
    /// The pull it belongs to.
    pub key: PullKey,
    /// The digest of its payload.
    pub digest: PageDigest,
    /// Whether the platform says that more pages follow; `None` where the page does not say. Such a
    /// page counts as a last one, and a pull that saw no other settles with the idle timeout.
    pub has_more: Option<bool>,
    /// Its accounts that have an id.
    pub accounts: I,
    /// The contents of its accounts that have no readable id.
    pub unidentified: Vec<ContentDigest>,
}

impl<I> Page<I> {
    /// A page whose accounts all have an id.
    pub fn new(
        key: PullKey,
        digest: PageDigest,
        has_more: impl Into<Option<bool>>,
        accounts: I,
    ) -> Self {
        Self { key, digest, has_more: has_more.into(), accounts, unidentified: Vec::new() }
    }

    /// The same with accounts that have no readable id.
    #[must_use]
    pub fn unidentified(mut self, accounts: Vec<ContentDigest>) -> Self {
        self.unidentified = accounts;
        self
    }
}

/// The platform's report that a request failed, as a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct ErrorReport {
    /// The robot it is about.
    pub robot: String,
    /// The mark, where the report names one.
    pub mark: Option<String>,
    /// The platform's code.
    pub code: i64,
    /// The platform's message.
    pub message: String,
    /// When it was signed, in the caller's time; `None` where that is not known. A report without a
    /// mark concerns only pulls that had been requested by then.
    pub signed: Option<Time>,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It was folded.
    Folded,
    /// It was folded before; nothing changed but the count of copies and the quiet.
    Duplicate,
    /// It came after its pull was complete; a new revision follows when no more come.
    Late,
    /// It came after its pull had failed, was folded, and the pull waits again.
    Reopened,
    /// Its pull was ended by the platform, the caller or a limit; it is reported, not folded.
    AfterFailure,
    /// Its pull was never started here; it is reported, not folded.
    Unknown,
    /// It was not taken, because the pull is at its limit. An open pull has failed by it; a
    /// completed one stays as it is, and the page is reported.
    LimitReached,
    /// It was not taken, because too many events wait: poll them, then hand it in again.
    Backlog,
}

/// A pull that cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A pull of that robot and mark is open, or ended not long ago.
    #[error("a pull of this robot and mark is known already")]
    Known,
    /// The fold is of another pull.
    #[error("the fold belongs to another pull")]
    PullMismatch,
    /// As many pulls are open as the limits allow.
    #[error("{limit} pulls are open, which is the limit; wait for one to end")]
    TooManyPulls {
        /// The limit.
        limit: usize,
    },
}

/// A command for a pull that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pull of this robot and mark is open")]
pub struct NotOpen;

/// A command for a pull that has not ended, or is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pull of this robot and mark has ended and is remembered")]
pub struct NotEnded;

/// A fold that could not be merged into a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// No pull of that robot and mark is open.
    #[error("no pull of this robot and mark is open")]
    NotOpen,
    /// The fold is of another pull.
    #[error("the fold belongs to another pull")]
    PullMismatch,
}

/// What was counted since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Pages under marks that were never started.
    pub unknown_pages: u64,
    /// Pages of pulls that had ended without a complete list.
    pub pages_after_failure: u64,
    /// Error reports that ended no pull.
    pub stray_errors: u64,
    /// Anomalies that found the event queue full and were only counted.
    pub unqueued_anomalies: u64,
}
