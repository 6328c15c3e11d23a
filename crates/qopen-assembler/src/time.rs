//! Time as the caller counts it.

use core::time::Duration;

/// A point in time, as a distance from an epoch of the caller's choosing.
///
/// Any clock will do that mostly goes forward: the time since the process began, a virtual clock in
/// a test, the timestamps of a replayed log. If it goes back, the assembler stays at the latest
/// time it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Time(Duration);

impl Time {
    /// The epoch itself.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The time at this distance after the epoch.
    #[must_use]
    pub const fn since_epoch(distance: Duration) -> Self {
        Self(distance)
    }

    /// The distance after the epoch.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        self.0
    }

    /// The distance after `earlier`; zero if this is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl core::ops::Add<Duration> for Time {
    type Output = Self;

    /// Saturates at the far end of time.
    fn add(self, distance: Duration) -> Self {
        Self(self.0.saturating_add(distance))
    }
}
