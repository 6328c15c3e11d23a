//! Counts of publications.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use qopen::PublishError;
use qopen::engine::ServiceEvent;

/// Upper limits of the durations that are counted apart, in seconds.
const LIMITS: [f64; 9] = [0.05, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 900.0];

/// The results of attempts to publish a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    Complete,
    Partial,
    Held,
    Superseded,
    Failed,
}

impl Attempt {
    pub(super) const ALL: [Self; 5] =
        [Self::Complete, Self::Partial, Self::Held, Self::Superseded, Self::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Held => "held",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }

    fn of(event: &ServiceEvent<'_>) -> Option<Self> {
        Some(match event {
            ServiceEvent::Published { outcome, .. } if outcome.status.is_complete() => {
                Self::Complete
            }
            ServiceEvent::Published { .. } => Self::Partial,
            ServiceEvent::NotConfirmed { .. } | ServiceEvent::StillHeld { .. } => Self::Held,
            ServiceEvent::NotPublished { error, .. } => match error {
                error if error.is_held() => Self::Held,
                PublishError::Superseded { .. } => Self::Superseded,
                _ => Self::Failed,
            },
            _ => return None,
        })
    }
}

/// Durations, counted.
pub(super) struct Times {
    /// Upper limits in seconds, each with the number of durations of at most so long.
    pub(super) buckets: Vec<(f64, u64)>,
    /// Seconds in all.
    pub(super) sum: f64,
    pub(super) count: u64,
}

/// Attempts to publish a list, by result, and durations of those that succeeded.
#[derive(Debug, Default)]
pub(in crate::serve) struct Publications {
    attempts: [AtomicU64; Attempt::ALL.len()],
    micros: AtomicU64,
    /// Durations of at most each limit, and those that are longer.
    durations: [AtomicU64; LIMITS.len() + 1],
}

impl Publications {
    pub(in crate::serve) fn count(&self, event: &ServiceEvent<'_>) {
        if let ServiceEvent::Published { published, .. } = event {
            self.took(published.elapsed);
        }
        if let Some(attempt) = Attempt::of(event) {
            self.attempts[attempt as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let seconds = time.as_secs_f64();
        let bucket = LIMITS.iter().position(|limit| seconds <= *limit);
        self.durations[bucket.unwrap_or(LIMITS.len())].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn attempts(&self, attempt: Attempt) -> u64 {
        self.attempts[attempt as usize].load(Ordering::Relaxed)
    }

    pub(super) fn times(&self) -> Times {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(LIMITS.len());
        for (at, duration) in self.durations.iter().enumerate() {
            count += duration.load(Ordering::Relaxed);
            buckets.extend(LIMITS.get(at).map(|limit| (*limit, count)));
        }
        let sum = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        Times { buckets, sum, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_each_bucket_that_is_not_shorter() {
        let publications = Publications::default();
        for millis in [50, 51, 1_000, 3_600_000] {
            publications.took(Duration::from_millis(millis));
        }
        let Times { buckets, sum, count } = publications.times();
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 2, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((count, sum), (4, 3601.101));
    }
}
