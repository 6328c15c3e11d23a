//! Settings of an assembler and of a single pull.

use std::time::Duration;

/// When a pull ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// How long the pull must be quiet, after its last page was seen, to count as complete.
    /// Default 3 s. Every new page begins the quiet anew; copies prolong it, by one idle timeout in
    /// all.
    pub settle: Duration,
    /// How long to wait for any page at all before the pull is given up. Default 60 s.
    pub idle_timeout: Duration,
    /// The longest that a pull may take. Default 30 min.
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
    /// The same with another settle time.
    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// The same with another idle timeout.
    #[must_use]
    pub const fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.idle_timeout = idle_timeout;
        self
    }

    /// The same with another deadline.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

/// How one pull is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PullOptions {
    /// When it ends.
    pub timing: Timing,
    /// At least this many accounts must be there before it counts as complete.
    pub expect_accounts: Option<u64>,
    /// The request is yet to be accepted: until [`Assembler::handle_accepted`] or a first page,
    /// silence is not held against the pull; only its deadline runs.
    ///
    /// [`Assembler::handle_accepted`]: crate::Assembler::handle_accepted
    pub await_acceptance: bool,
    /// How long before its start the pull was requested, by another process. Default zero. An error
    /// report without a mark that was signed earlier is about another pull.
    #[cfg_attr(feature = "serde", serde(default))]
    pub requested_before: Duration,
    /// Accounts without a readable id that the list may lack. Default 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub allow_unidentified: u64,
    /// Nobody received its callbacks for a while after its request: a page that the platform gave up
    /// then never comes. [`Basis::interrupted`](crate::Basis::interrupted) says so. Default false.
    #[cfg_attr(feature = "serde", serde(default))]
    pub interrupted: bool,
}

impl PullOptions {
    /// The same with another timing.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// The same with an expected number of accounts.
    #[must_use]
    pub const fn expect_accounts(mut self, accounts: Option<u64>) -> Self {
        self.expect_accounts = accounts;
        self
    }

    /// The same, requested that long before its start.
    #[must_use]
    pub const fn requested_before(mut self, start: Duration) -> Self {
        self.requested_before = start;
        self
    }

    /// The same, complete although it lacks up to that many accounts without a readable id.
    #[must_use]
    pub const fn allow_unidentified(mut self, accounts: u64) -> Self {
        self.allow_unidentified = accounts;
        self
    }

    /// The same, of which callbacks may have been lost before its start.
    #[must_use]
    pub const fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// The same, waiting first for the request to be accepted.
    #[must_use]
    pub const fn await_acceptance(mut self) -> Self {
        self.await_acceptance = true;
        self
    }
}

/// How much an assembler takes on (invariant I11).
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
    /// Pages under a mark that was never started: `Some` opens a pull for them with these options,
    /// because someone else sends the requests; `None`, the default, counts and ignores them.
    pub adopt: Option<PullOptions>,
    /// Whether accounts leave as [`Event::Fresh`](crate::Event::Fresh). Default false.
    pub stream: bool,
    /// How long an ended pull is remembered, so that late pages find it. Default 10 min.
    pub retention: Duration,
    /// How far the clock that signs error reports may be behind the one that starts pulls. Default
    /// 5 s.
    pub report_tolerance: Duration,
    /// How much it takes on.
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
