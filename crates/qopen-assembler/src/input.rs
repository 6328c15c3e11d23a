//! Facts for the assembler, and its verdicts and errors.

use alloc::string::String;
use alloc::vec::Vec;

use crate::key::{ContentDigest, PageDigest, PullKey};
use crate::time::Time;

/// A page as a fact: its pull, its digest and its accounts.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Page<I> {
    /// The page's pull.
    pub key: PullKey,
    /// The digest of its payload.
    pub digest: PageDigest,
    /// Whether the platform says that more pages follow; `None` if the page does not say. Such a
    /// page counts as a last one, and a pull without another one settles with the idle timeout.
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

    /// Adds the contents of accounts that have no readable id.
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
    /// The robot that it is about.
    pub robot: String,
    /// The mark, if the report names one.
    pub mark: Option<String>,
    /// The platform's code.
    pub code: i64,
    /// The platform's message.
    pub message: String,
    /// When it was signed, in the caller's time; `None` if unknown. A report without a mark
    /// concerns only pulls that had been requested by then.
    pub signed: Option<Time>,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The page was folded.
    Folded,
    /// The page was folded before; only the count of copies and the quiet changed.
    Duplicate,
    /// The page came after its pull was complete; a new revision follows after quiet.
    Late,
    /// The page came after its pull had failed. It was folded, and the pull waits again.
    Reopened,
    /// The platform, the caller or a limit had ended the pull; the page is reported, not folded.
    AfterFailure,
    /// The pull was never started here; the page is reported, not folded.
    Unknown,
    /// The page was refused, because the pull is at its limit. An open pull has failed by it; a
    /// completed one is unchanged, and the page is reported.
    LimitReached,
    /// The page was refused, because too many events wait: poll them, then hand it in again.
    Backlog,
}

/// The error of a pull that cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A pull of the same robot and mark is open, or ended not long ago.
    #[error("a pull of this robot and mark is known already")]
    Known,
    /// The fold belongs to another pull.
    #[error("the fold belongs to another pull")]
    PullMismatch,
    /// The limit of open pulls is reached.
    #[error("{limit} pulls are open, which is the limit; wait for one to end")]
    TooManyPulls {
        /// The limit.
        limit: usize,
    },
}

/// The error of a command for a pull that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pull of this robot and mark is open")]
pub struct NotOpen;

/// The error of a command for a pull that has not ended, or is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pull of this robot and mark has ended and is remembered")]
pub struct NotEnded;

/// The error of a fold that cannot be merged into a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// No pull of this robot and mark is open.
    #[error("no pull of this robot and mark is open")]
    NotOpen,
    /// The fold belongs to another pull.
    #[error("the fold belongs to another pull")]
    PullMismatch,
}

/// Counts since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Pages under marks that were never started here.
    pub unknown_pages: u64,
    /// Pages of pulls that had ended without a complete list.
    pub pages_after_failure: u64,
    /// Error reports that ended no pull.
    pub stray_errors: u64,
    /// Anomalies that were counted only, because the event queue was full.
    pub unqueued_anomalies: u64,
}
