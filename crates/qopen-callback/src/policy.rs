//! The policy for stale timestamps.

use core::time::Duration;

/// How a signed timestamp compares with the receiver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampAge {
    /// Within the tolerance.
    Fresh,
    /// Outside the tolerance.
    Stale {
        /// Distance from the clock, in either direction.
        away: Duration,
    },
    /// The timestamp is not a number of seconds.
    Unreadable,
}

/// What the receiver does about timestamps far from its clock.
///
/// Whether the platform renews the timestamp of a repeated callback is unknown. Refusing stale
/// callbacks may therefore lose pages; the default only reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampPolicy {
    /// Tolerated distance from the clock, in either direction. Default 5 min.
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
    /// Sets the tolerance.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Refuses stale callbacks.
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
