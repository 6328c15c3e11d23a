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
    /// Everything needed was seen; the quiet that makes the list complete is running.
    Settling,
    /// Ended with a complete list.
    Completed,
    /// Ended without one.
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
    /// A page that could not be kept, to be sent again.
    OwedPages,
    /// An unreadable page, to be read after all.
    UnreadablePages,
    /// Accounts without a readable id, to be allowed.
    Identification,
    /// More accounts, to reach the expected number.
    MoreAccounts,
    /// Quiet.
    Quiet,
    /// Nothing: it has ended.
    Nothing,
}

/// The figures of a pull at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Figures {
    /// Different pages.
    pub pages: usize,
    /// Different accounts.
    pub accounts: usize,
    /// Copies of pages.
    pub duplicate_pages: u64,
    /// Accounts of which more than one content came.
    pub conflicts: usize,
    /// Unreadable pages, which are in quarantine.
    pub unreadable_pages: usize,
    /// Pages that the platform must send again.
    pub owed_pages: usize,
    /// Accounts without a readable id.
    pub unidentified: usize,
    /// Callbacks of any pull that were refused since the request of this one, as far as is known.
    pub refusals: u64,
    /// Whether a page that is marked as the last came.
    pub last_page_seen: bool,
    /// The revision of the list; 0 before it is complete.
    pub revision: u32,
    /// Whether late pages came that are not in that revision: the next one follows.
    pub revising: bool,
}

/// A pull's state and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PullProgress {
    /// The pull's state.
    pub state: State,
    /// What it waits for.
    pub waiting_for: WaitingFor,
    /// Its figures.
    pub figures: Figures,
    /// When the pull was started.
    pub started: Time,
    /// When its last callback came.
    pub last_activity: Time,
    /// When it ends if nothing happens; `None` after its end.
    pub due: Option<Time>,
}
