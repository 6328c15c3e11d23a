//! An open pull's figures.

use std::time::Duration;

use qopen_assembler::{Time, WaitingFor};
use qopen_journal::PullId;

/// A pull's figures at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The pull.
    pub pull: PullId,
    /// Different pages.
    pub pages: usize,
    /// Different customers.
    pub accounts: usize,
    /// Copies of pages.
    pub duplicate_pages: u64,
    /// Customers of which more than one content came.
    pub conflicts: usize,
    /// Pages in quarantine.
    pub unreadable_pages: usize,
    /// Pages that the platform must send again.
    pub owed_pages: usize,
    /// Accounts without a readable id.
    pub unidentified: usize,
    /// Callbacks that were refused meanwhile and may have been pages, of whichever pull.
    pub refusals: u64,
    /// Whether a last page was seen.
    pub last_page_seen: bool,
    /// What the pull waits for.
    pub waiting_for: WaitingFor,
    /// Time from its start.
    pub elapsed: Duration,
    /// Time since it was last heard of.
    pub quiet: Duration,
    /// The list's revision; 0 before it is complete.
    pub revision: u32,
    /// Whether late pages came that make the next revision.
    pub revising: bool,
}

impl Progress {
    /// The assembler's figures of the pull; those of a beginning if it knows none.
    pub(crate) fn new(pull: &PullId, found: Option<qopen_assembler::Progress>, now: Time) -> Self {
        let mut progress = Self {
            pull: pull.clone(),
            pages: 0,
            accounts: 0,
            duplicate_pages: 0,
            conflicts: 0,
            unreadable_pages: 0,
            owed_pages: 0,
            unidentified: 0,
            refusals: 0,
            last_page_seen: false,
            waiting_for: WaitingFor::FirstPage,
            elapsed: Duration::ZERO,
            quiet: Duration::ZERO,
            revision: 0,
            revising: false,
        };
        if let Some(found) = found {
            progress.pages = found.pages;
            progress.accounts = found.accounts;
            progress.duplicate_pages = found.duplicate_pages;
            progress.conflicts = found.conflicts;
            progress.unreadable_pages = found.unreadable_pages;
            progress.owed_pages = found.owed_pages;
            progress.unidentified = found.unidentified;
            progress.refusals = found.refusals;
            progress.revising = found.revising;
            progress.last_page_seen = found.last_page_seen;
            progress.waiting_for = found.waiting_for;
            progress.elapsed = now.since(found.started);
            progress.quiet = now.since(found.last_activity);
            progress.revision = found.revision;
        }
        progress
    }
}
