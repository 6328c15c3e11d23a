//! When a request is tried again.

use std::time::Duration;

/// When a request is tried again: after connection errors, time-outs, 429 and 5xx, and after a refusal
/// only with a code of [`SenderBuilder::retry_codes`](crate::SenderBuilder::retry_codes). The `mark_id`
/// stays the same, so a repeated request only brings copies of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all. Default 4; 1 never tries again.
    pub attempts: u32,
    /// The first delay, doubled each time and jittered. Default 250 ms.
    pub min_delay: Duration,
    /// The longest delay, before what the gateway's `Retry-After` asks for. Default 5 s.
    pub max_delay: Duration,
    /// No attempt begins later than this after the first. Default 45 s.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            min_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(5),
            budget: Duration::from_secs(45),
        }
    }
}

impl RetryPolicy {
    /// The policy with another number of attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The policy with other delays, first and longest.
    #[must_use]
    pub const fn delays(mut self, min: Duration, max: Duration) -> Self {
        self.min_delay = min;
        self.max_delay = max;
        self
    }
}
