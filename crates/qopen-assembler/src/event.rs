//! Events emitted by the assembler.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::key::{PageDigest, PullKey};
use crate::progress::PullProgress;

/// An event, from [`Assembler::poll_event`](crate::Assembler::poll_event).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<T> {
    /// A pull's progress changed. At most one waits for each pull, however often it changes. Never
    /// after the pull's end.
    Progressed {
        /// The pull.
        key: PullKey,
    },
    /// Accounts that are new, or whose content replaces an earlier one. Applied in turn, they give
    /// the same map in any order of the pages. Only with [`Config::stream`]; never for a copy, a
    /// merged fold, a failed pull, or after the fold was taken.
    ///
    /// [`Config::stream`]: crate::Config::stream
    Fresh {
        /// The pull.
        key: PullKey,
        /// At least one account.
        accounts: Vec<T>,
    },
    /// The list is complete, as far as any evidence tells: `basis` says why. Emitted once per pull,
    /// and never followed by `Failed`. Never without a last page, while a page is owed or
    /// unreadable, or below the expected number.
    Completed {
        /// The pull.
        key: PullKey,
        /// Why the list counts as complete.
        basis: Basis,
        /// The figures at the end.
        progress: PullProgress,
    },
    /// The pull ended without a complete list; what arrived is in the progress and the fold. Never
    /// after `Completed`. A second one only after [`Reopened`](Self::Reopened).
    Failed {
        /// The pull.
        key: PullKey,
        /// Why.
        failure: Failure,
        /// The figures at the end.
        progress: PullProgress,
    },
    /// A page came, or was released, after the pull had failed. The pull waits again, and
    /// `Completed` or `Failed` follows. Never after `Completed`.
    Reopened {
        /// The pull.
        key: PullKey,
    },
    /// The list has a new revision: pages came after the pull was complete, and then quiet
    /// (invariant I6). Never for a copy, before `Completed`, after `Failed` or after `Forgotten`.
    Revised {
        /// The pull.
        key: PullKey,
        /// The late page that came last.
        page: PageDigest,
        /// The number of the new revision; a completed list has revision 1.
        revision: u32,
    },
    /// The assembler forgot an ended pull: its retention passed, or newer pulls took its place.
    /// From now on its mark is unknown. Emitted once per ended pull, as its last event.
    Forgotten {
        /// The pull.
        key: PullKey,
    },
    /// A fact that fits no pull, or no open one. It never ends a pull. Anomalies beyond the queue's
    /// limit are counted, not queued.
    Anomaly(Anomaly),
}

/// Why a list counts as complete. A last page was seen in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Basis {
    /// Quiet after the last page, at least this long; `None` if the caller declared the end.
    pub quiet: Option<Duration>,
    /// The expected number of accounts, which was reached; `None` if none was given.
    pub expected: Option<u64>,
    /// Whether the caller declared that no more pages would come.
    pub declared: bool,
    /// Whether the last page was implied: no page said `has_more: false`, and one did not say
    /// whether more would follow.
    pub implied_end: bool,
    /// Callbacks that were refused since the pull's request, as far as is known. They prolong the quiet.
    pub refusals: u64,
    /// Time in which the caller could not receive. It is not counted as quiet.
    pub outage: Duration,
    /// Accounts without a readable id that the list lacks, as the caller allowed.
    pub unidentified: usize,
    /// Whether the list was complete in an earlier run.
    pub earlier: bool,
    /// Whether the receiver was down for a while after the request. The list lacks the pages that
    /// the platform gave up meanwhile, unless the expected number of accounts proves otherwise.
    pub interrupted: bool,
}

/// Why a pull ended without a complete list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No page came within the idle timeout or the deadline.
    Silent,
    /// Pages came, but no last page within the idle timeout.
    LastPageMissing,
    /// The last page came, with fewer accounts than expected.
    FewerThanExpected {
        /// How many were expected.
        expected: u64,
    },
    /// The last page came, and a kept page could not be read.
    UnreadablePages,
    /// The last page came, and accounts had no readable id.
    UnidentifiedAccounts {
        /// How many.
        accounts: usize,
    },
    /// The last page came, and a page that could not be kept was not sent again.
    OwedPages,
    /// Pages kept coming until the deadline.
    Deadline,
    /// The platform reported an error.
    Reported {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// The pull was cancelled.
    Cancelled,
    /// The pull reached a limit of the assembler.
    LimitReached(Limit),
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::pages`](crate::Limits::pages).
    Pages,
    /// [`Limits::accounts`](crate::Limits::accounts).
    Accounts,
}

/// A fact that fits no open pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomaly {
    /// A page of a pull that was never started here.
    UnknownMark {
        /// The pull as the page names it.
        key: PullKey,
    },
    /// A page of a pull that the platform, the caller or a limit ended. It is not folded.
    PageAfterFailure {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// An unreadable or owed page of a pull that has ended. A complete pull's list lacks that page.
    UnfoldedAfterEnd {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// A late page of a completed pull that is at its limit of pages. It is not folded, and the
    /// list keeps its revision.
    LatePageOverLimit {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// An error report without a mark, for a robot with several open pulls that were requested
    /// before it was signed. It ends none of them.
    AmbiguousError {
        /// The robot.
        robot: String,
        /// The platform's code.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// An error report that matches no open pull.
    UnmatchedError {
        /// The robot.
        robot: String,
        /// The mark, where the report named one.
        mark: Option<String>,
        /// The platform's code.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// Accounts of this page have other contents than on earlier pages.
    Conflict {
        /// The pull.
        key: PullKey,
        /// Accounts of the pull in conflict so far.
        accounts: usize,
    },
}
