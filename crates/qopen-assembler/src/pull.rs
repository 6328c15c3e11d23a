//! One open pull: what was folded, and when it is due to end.

use std::time::Duration;

use crate::config::PullOptions;
use crate::event::{Basis, Failure};
use crate::fold::Fold;
use crate::key::PullKey;
use crate::time::Time;

/// Where a pull stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum State {
    /// The request is not yet accepted, and no page has come.
    Requested,
    /// Pages are awaited; no last page was seen, or something stands against completeness.
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
    /// More accounts, to reach the expected number.
    MoreAccounts,
    /// Quiet.
    Quiet,
    /// Nothing: it has ended.
    Nothing,
}

/// A pull's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Progress {
    /// Where it stands.
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
    /// Pages that are kept and not understood.
    pub unreadable_pages: usize,
    /// Pages that the platform must send again.
    pub owed_pages: usize,
    /// Whether a page marked as the last was seen.
    pub last_page_seen: bool,
    /// When the pull was started.
    pub started: Time,
    /// When the pull was last heard of.
    pub last_activity: Time,
    /// When it ends if nothing happens; `None` where it has ended.
    pub due: Option<Time>,
    /// The revision of the list: 0 before it is complete.
    pub revision: u32,
}

/// How a pull ends when its time comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete(Basis),
    Failed(Failure),
}

#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pull {
    pub(crate) fold: Fold,
    options: PullOptions,
    started: Time,
    last_activity: Time,
    awaiting_acceptance: bool,
    duplicate_pages: u64,
    /// Whether a progress event waits in the queue.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) announced: bool,
    /// Under which time it stands in the schedule.
    pub(crate) scheduled: Time,
}

impl Pull {
    pub(crate) fn new(now: Time, key: &PullKey, options: PullOptions) -> Self {
        let mut pull = Self {
            fold: Fold::new(key),
            options,
            started: now,
            last_activity: now,
            awaiting_acceptance: options.await_acceptance,
            duplicate_pages: 0,
            announced: false,
            scheduled: now,
        };
        pull.scheduled = pull.due();
        pull
    }

    /// The pull was heard of: silence counts from now.
    pub(crate) fn touch(&mut self, now: Time) {
        self.awaiting_acceptance = false;
        self.last_activity = now;
    }

    pub(crate) fn count_duplicate(&mut self) {
        self.duplicate_pages += 1;
    }

    pub(crate) fn waiting_for(&self) -> WaitingFor {
        let fold = &self.fold;
        let nothing_came = fold.digests() == 0;
        match () {
            () if self.awaiting_acceptance => WaitingFor::Acceptance,
            () if nothing_came => WaitingFor::FirstPage,
            () if !fold.last_page_seen() => WaitingFor::LastPage,
            () if fold.owed() > 0 => WaitingFor::OwedPages,
            () if fold.unreadable() > 0 => WaitingFor::UnreadablePages,
            () if self.options.expect_accounts.is_some_and(|n| (fold.accounts() as u64) < n) => {
                WaitingFor::MoreAccounts
            }
            () => WaitingFor::Quiet,
        }
    }

    fn state(&self) -> State {
        match self.waiting_for() {
            WaitingFor::Acceptance => State::Requested,
            WaitingFor::Quiet => State::Settling,
            _ => State::Collecting,
        }
    }

    /// When the pull ends if nothing happens.
    pub(crate) fn due(&self) -> Time {
        let timing = &self.options.timing;
        let deadline = self.started + timing.deadline;
        match self.waiting_for() {
            WaitingFor::Acceptance => deadline,
            WaitingFor::Quiet => deadline.min(self.last_activity + timing.settle),
            _ => deadline.min(self.last_activity + timing.idle_timeout),
        }
    }

    /// How the pull ends when its time, [`due`](Self::due), has come.
    pub(crate) fn ending(&self) -> Ending {
        let timing = &self.options.timing;
        let due = self.due();
        let waiting_for = self.waiting_for();
        if waiting_for == WaitingFor::Quiet && self.last_activity + timing.settle <= due {
            return Ending::Complete(self.basis(Some(timing.settle), false));
        }
        let out_of_time = self.started + timing.deadline <= due;
        Ending::Failed(match self.missing(waiting_for) {
            // Silence up to the idle timeout says what is missing; the deadline may strike while
            // it is still on its way.
            _ if out_of_time && self.fold.digests() > 0 => Failure::Deadline,
            missing => missing,
        })
    }

    /// How the pull ends when the caller says that nothing more will come.
    pub(crate) fn ending_declared(&self) -> Ending {
        match self.waiting_for() {
            WaitingFor::Quiet => Ending::Complete(self.basis(None, true)),
            waiting_for => Ending::Failed(self.missing(waiting_for)),
        }
    }

    fn basis(&self, quiet: Option<Duration>, declared: bool) -> Basis {
        Basis { quiet, expected: self.options.expect_accounts, declared }
    }

    fn missing(&self, waiting_for: WaitingFor) -> Failure {
        match waiting_for {
            WaitingFor::Acceptance | WaitingFor::FirstPage => Failure::Silent,
            WaitingFor::LastPage => Failure::LastPageMissing,
            WaitingFor::OwedPages => Failure::OwedPages,
            WaitingFor::UnreadablePages => Failure::UnreadablePages,
            WaitingFor::MoreAccounts => {
                Failure::FewerThanExpected { expected: self.options.expect_accounts.unwrap_or(0) }
            }
            WaitingFor::Quiet | WaitingFor::Nothing => Failure::Deadline,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            state: self.state(),
            waiting_for: self.waiting_for(),
            pages: self.fold.pages(),
            accounts: self.fold.accounts(),
            duplicate_pages: self.duplicate_pages,
            conflicts: self.fold.conflicts(),
            unreadable_pages: self.fold.unreadable(),
            owed_pages: self.fold.owed(),
            last_page_seen: self.fold.last_page_seen(),
            started: self.started,
            last_activity: self.last_activity,
            due: Some(self.due()),
            revision: 0,
        }
    }
}
