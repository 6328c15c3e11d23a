//! Settings of an assembler and of a single pull.

use core::time::Duration;

/// When a pull ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// Quiet after the last page that completes the pull. Default 3 s. Every new page begins the
    /// quiet anew. Copies prolong it by one idle timeout in all.
    pub settle: Duration,
    /// Silence that ends the pull before a last page. Default 60 s.
    pub idle_timeout: Duration,
    /// Longest duration of the pull. Default 30 min.
    pub deadline: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(60),
            deadline: Duration::from_secs(30 * 60),
        }
    }
}

impl Timing {
    /// Sets the settle time.
    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Sets the idle timeout.
    #[must_use]
    pub const fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.idle_timeout = idle_timeout;
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

/// Options of one pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PullOptions {
    /// When it ends.
    pub timing: Timing,
    /// Fewest accounts that the list must have to be complete. Default none.
    pub expect_accounts: Option<u64>,
    /// Whether the request waits for acceptance. Until [`Assembler::handle_accepted`] or a first
    /// page, silence does not count against the pull, and only its deadline runs. Default false.
    ///
    /// [`Assembler::handle_accepted`]: crate::Assembler::handle_accepted
    pub await_acceptance: bool,
    /// Time between the request, sent by another process, and the start here. Default zero. An
    /// error report without a mark that was signed before the request is about another pull.
    /// Callbacks that were refused since the request may have been pages of this pull.
    #[cfg_attr(feature = "serde", serde(default))]
    pub requested_before: Duration,
    /// Accounts without a readable id that the list may lack. Default 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub allow_unidentified: u64,
    /// Whether the receiver was down for a while after the request. Pages that the platform gave up
    /// meanwhile never come: [`Basis::interrupted`](crate::Basis::interrupted) says so. Default
    /// false.
    #[cfg_attr(feature = "serde", serde(default))]
    pub interrupted: bool,
}

impl PullOptions {
    /// Sets the timing.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets the fewest accounts of a complete list.
    #[must_use]
    pub const fn expect_accounts(mut self, accounts: Option<u64>) -> Self {
        self.expect_accounts = accounts;
        self
    }

    /// Sets the time between the request and the start.
    #[must_use]
    pub const fn requested_before(mut self, start: Duration) -> Self {
        self.requested_before = start;
        self
    }

    /// Sets how many accounts without a readable id the list may lack.
    #[must_use]
    pub const fn allow_unidentified(mut self, accounts: u64) -> Self {
        self.allow_unidentified = accounts;
        self
    }

    /// Says that callbacks may have been lost before the start.
    #[must_use]
    pub const fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// Makes the pull wait for its request's acceptance.
    #[must_use]
    pub const fn await_acceptance(mut self) -> Self {
        self.await_acceptance = true;
        self
    }
}

/// Limits of an assembler (invariant I11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Pulls open at once. Default 10,000.
    pub open_pulls: usize,
    /// Different pages of one pull, read, unreadable or owed. Default 1,000,000.
    pub pages: usize,
    /// Accounts of one pull. Default 50,000,000.
    pub accounts: usize,
    /// Ended pulls that are remembered; the oldest is forgotten first. Default 10,000; 0 counts as 1.
    pub tombstones: usize,
    /// Events that wait to be polled. Default 100,000.
    pub queued_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_pulls: 10_000,
            pages: 1_000_000,
            accounts: 50_000_000,
            tombstones: 10_000,
            queued_events: 100_000,
        }
    }
}

/// Settings of an [`Assembler`](crate::Assembler).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Options for a pull whose mark was never started here, because another system requested it:
    /// its first page opens it. The request is taken to be one idle timeout older than that page, or
    /// [`requested_before`](PullOptions::requested_before) if that is longer. `None`, the default,
    /// counts and ignores such pages.
    pub adopt: Option<PullOptions>,
    /// Whether accounts leave with [`Event::Fresh`](crate::Event::Fresh). Default false.
    pub stream: bool,
    /// How long an ended pull is remembered, so that late pages find it. Default 10 min.
    pub retention: Duration,
    /// How far the clock that signs error reports may be behind the clock that starts pulls.
    /// Default 5 s.
    pub report_tolerance: Duration,
    /// Limits of memory.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            adopt: None,
            stream: false,
            retention: Duration::from_secs(600),
            report_tolerance: Duration::from_secs(5),
            limits: Limits::default(),
        }
    }
}
