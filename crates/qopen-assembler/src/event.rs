//! What an assembler has to say.

use std::time::Duration;

use crate::key::{PageDigest, PullKey};
use crate::progress::Progress;

/// What [`Assembler::poll_event`](crate::Assembler::poll_event) hands out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<T> {
    /// A pull's progress changed; at most one waits for each pull, however much has happened. Never
    /// after the pull's end.
    Progressed {
        /// The pull.
        key: PullKey,
    },
    /// Accounts that are new, or whose content replaces an earlier one. Written one over the other
    /// they come to the same map in any order of the pages. Only with [`Config::stream`]; never of a
    /// copy, of a merged fold, of a pull that failed, or once the fold was taken.
    ///
    /// [`Config::stream`]: crate::Config::stream
    Fresh {
        /// The pull.
        key: PullKey,
        /// At least one account.
        accounts: Vec<T>,
    },
    /// The list is complete, as far as can be known: `basis` says why. Comes once for a pull, and is
    /// never followed by `Failed`; never without a last page, while a page is owed or unreadable,
    /// or below the expected number.
    Completed {
        /// The pull.
        key: PullKey,
        /// Why the list counts as complete.
        basis: Basis,
        /// What it came to.
        progress: Progress,
    },
    /// The pull ended without a complete list; what is there is in the progress and the fold.
    /// Never after `Completed`. Comes again only after [`Reopened`](Self::Reopened).
    Failed {
        /// The pull.
        key: PullKey,
        /// Why.
        failure: Failure,
        /// What there is.
        progress: Progress,
    },
    /// A page came, or was released, after the pull had failed: it is folded, and the pull waits
    /// again. `Completed` or `Failed` follows. Never after `Completed`.
    Reopened {
        /// The pull.
        key: PullKey,
    },
    /// Pages came after the pull was complete, and then none for a while: the list has a new revision
    /// (invariant I6). Never of a copy, before `Completed`, after `Failed` or after `Forgotten`.
    Revised {
        /// The pull.
        key: PullKey,
        /// The late page that came last.
        page: PageDigest,
        /// The number of the new revision; a completed list has revision 1.
        revision: u32,
    },
    /// An ended pull is no longer remembered: its retention passed, or newer ones took its place.
    /// From now on its mark is unknown. Comes once for a pull that ended, after all else of it.
    Forgotten {
        /// The pull.
        key: PullKey,
    },
    /// Something that fits no pull, or no longer does. It never ends a pull. Anomalies beyond the
    /// queue's limit are counted, not queued.
    Anomaly(Anomaly),
}

/// Why a list counts as complete. A last page was seen in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Basis {
    /// No page came for at least this long after the last page was seen; `None` where the caller's
    /// word made waiting needless.
    pub quiet: Option<Duration>,
    /// The expected number of accounts, which is reached; `None` where none was given.
    pub expected: Option<u64>,
    /// The caller said that no more pages would come.
    pub declared: bool,
    /// No page said that it was the last; one did not say whether more would follow.
    pub implied_end: bool,
    /// Callbacks that were refused while the pull was open: the quiet is longer for them.
    pub refusals: u64,
    /// How long the caller could not hear what came; it is not counted as quiet.
    pub outage: Duration,
    /// Accounts without a readable id that the list lacks, as the caller allowed.
    pub unidentified: usize,
    /// The list was complete in an earlier run.
    pub earlier: bool,
    /// Nobody received callbacks for a while after the request. The list lacks the pages that the
    /// platform gave up then, unless the expected number of accounts proves otherwise.
    pub interrupted: bool,
}

/// Why a pull ended without a complete list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No page came at all within the idle timeout or the deadline.
    Silent,
    /// Pages came, and no last page: nothing more came within the idle timeout.
    LastPageMissing,
    /// The last page came, with fewer accounts than expected.
    FewerThanExpected {
        /// How many were expected.
        expected: u64,
    },
    /// The last page came, and a page that is kept could not be understood.
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
    /// The pull grew past what the assembler takes on.
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

/// Something that fits no open pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomaly {
    /// A page of a pull that was never started here.
    UnknownMark {
        /// The pull as the page names it.
        key: PullKey,
    },
    /// A page of a pull that the platform or the caller ended, or a limit. It is not folded.
    PageAfterFailure {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// A page of a pull that has ended came, and was unreadable or could not be kept. Where the
    /// pull was complete, its list lacks what the page holds.
    UnfoldedAfterEnd {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// A late page of a completed pull that has as many pages as the limits allow. It is not
    /// folded, and the list keeps its revision.
    LatePageOverLimit {
        /// The pull.
        key: PullKey,
        /// The page.
        page: PageDigest,
    },
    /// An error report that names no mark, for a robot with several open pulls that were requested
    /// before it was signed: it ends none.
    AmbiguousError {
        /// The robot.
        robot: String,
        /// The platform's code.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// An error report for which there is no open pull.
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
    /// Different contents of accounts that this page shares with earlier ones.
    Conflict {
        /// The pull.
        key: PullKey,
        /// Accounts of the pull in conflict so far.
        accounts: usize,
    },
}
