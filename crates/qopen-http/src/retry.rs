//! The policy for retries.

use std::time::Duration;

/// When a request is repeated: after connection errors, timeouts, 429 and 5xx, and after a refusal
/// only with a code of [`SenderBuilder::retry_codes`](crate::SenderBuilder::retry_codes). The
/// `mark_id` stays the same, so a repeated request only brings copies of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Most attempts. Default 4; 0 and 1 never repeat.
    pub attempts: u32,
    /// First delay, doubled each time and jittered. Default 250 ms.
    pub min_delay: Duration,
    /// Longest delay, unless the gateway's `Retry-After` asks for more. Default 5 s.
    pub max_delay: Duration,
    /// Latest start of an attempt, after the first one. Default 45 s.
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
    /// Sets the number of attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the first and the longest delay.
    #[must_use]
    pub const fn delays(mut self, min: Duration, max: Duration) -> Self {
        self.min_delay = min;
        self.max_delay = max;
        self
    }
}
