//! Stale timestamps: how far from the clock a callback may be.

use std::time::Duration;

/// How a signed timestamp compares with the receiver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampAge {
    /// Within the tolerance.
    Fresh,
    /// Outside it, by this distance from the clock.
    Stale {
        /// How far, in either direction.
        away: Duration,
    },
    /// It is not a number of seconds.
    Unreadable,
}

/// What is done about timestamps that are far from the receiver's clock.
///
/// Whether the platform gives a re-sent callback a new timestamp is not known, so refusing stale
/// ones may lose pages; the default only reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampPolicy {
    /// How far a timestamp may be from the clock, in either direction. Default 5 min.
    pub tolerance: Duration,
    /// Whether a stale callback is refused. Default false: it is reported.
    pub refuse: bool,
}

impl Default for TimestampPolicy {
    fn default() -> Self {
        Self { tolerance: Duration::from_secs(300), refuse: false }
    }
}

impl TimestampPolicy {
    /// The policy with another tolerance.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The policy, refusing what is stale.
    #[must_use]
    pub const fn refuse(mut self) -> Self {
        self.refuse = true;
        self
    }

    pub(crate) fn judge(self, seconds: Option<u64>, now: u64) -> TimestampAge {
        let Some(seconds) = seconds else { return TimestampAge::Unreadable };
        let away = Duration::from_secs(now.abs_diff(seconds));
        if away <= self.tolerance { TimestampAge::Fresh } else { TimestampAge::Stale { away } }
    }
}
