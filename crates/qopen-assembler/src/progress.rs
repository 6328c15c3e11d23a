//! A pull's state and figures.

use crate::time::Time;

/// The state of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum State {
    /// The request is not yet accepted, and no page has come.
    Requested,
    /// No last page was seen, or something counts against completeness.
    Collecting,
    /// Everything needed was seen; the quiet that completes the list is running.
    Settling,
    /// Ended with a complete list.
    Completed,
    /// Ended without a complete list.
    Failed,
}

/// What a pull waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum WaitingFor {
    /// The request to be accepted.
    Acceptance,
    /// A first page.
    FirstPage,
    /// A page that is marked as the last.
    LastPage,
    /// An owed page, to be sent again.
    OwedPages,
    /// An unreadable page, to be read or released.
    UnreadablePages,
    /// Accounts without a readable id, to be allowed.
    Identification,
    /// More accounts, to reach the expected number.
    MoreAccounts,
    /// Quiet.
    Quiet,
    /// Nothing: the pull has ended.
    Nothing,
}

/// A pull's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Progress {
    /// Its state.
    pub state: State,
    /// What it waits for.
    pub waiting_for: WaitingFor,
    /// Different pages folded.
    pub pages: usize,
    /// Different accounts.
    pub accounts: usize,
    /// Copies of pages that were folded before.
    pub duplicate_pages: u64,
    /// Accounts of which more than one content was seen.
    pub conflicts: usize,
    /// Pages that were kept and not readable.
    pub unreadable_pages: usize,
    /// Pages that the platform must send again.
    pub owed_pages: usize,
    /// Accounts without a readable id.
    pub unidentified: usize,
    /// Whether a page marked as the last was seen.
    pub last_page_seen: bool,
    /// Callbacks that were refused while it was open, whichever pull they belonged to.
    pub refusals: u64,
    /// When the pull was started.
    pub started: Time,
    /// When the last sign of the pull came.
    pub last_activity: Time,
    /// When it ends if nothing happens; `None` after its end.
    pub due: Option<Time>,
    /// The revision of the list; 0 before it is complete.
    pub revision: u32,
    /// Whether late pages came that are not in this revision: the next one follows.
    pub revising: bool,
}
