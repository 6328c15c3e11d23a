//! How old records are: by the time that was observed since, and never by what a clock says.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Marks that are kept at most.
const MOST: usize = 512;

/// The most that time in which no process looked counts for, each time: a clock may have been put
/// right meanwhile.
const UNSEEN: Duration = Duration::from_secs(24 * 3600);

/// A record of an age: everything with a smaller number had been kept when so much time was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark(u64, u64);

/// The time that processes have observed since a journal was made, and which numbers records had by
/// then. It only moves on.
///
/// A clock that jumps makes nothing older: within a process, time is what passed on a clock that is
/// never set; between two, it is what the wall clock says, but at most [`UNSEEN`], and at most half of
/// what is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ages {
    observed_ms: u64,
    /// What the wall clock said last, in milliseconds since 1970.
    wall_ms: Option<u64>,
    marks: VecDeque<Mark>,
}

impl Ages {
    /// So much time has passed while a process had the journal.
    pub(crate) fn passed(&mut self, time: Duration) {
        self.observed_ms = self.observed_ms.saturating_add(millis(time));
    }

    /// Time has passed while no process had it; `keep` is how long records are to be kept.
    pub(crate) fn opened(&mut self, wall: Duration, keep: Duration) {
        let Some(before) = self.wall_ms else { return };
        let unseen = Duration::from_millis(millis(wall).saturating_sub(before));
        self.passed(unseen.min(UNSEEN).min(keep / 2));
    }

    /// The wall clock says that.
    pub(crate) fn saw(&mut self, wall: Duration) {
        self.wall_ms = Some(millis(wall));
    }

    /// Everything with a smaller number than `next` has been kept by now. Gives the number below which
    /// everything is at least as old as `keep`.
    pub(crate) fn older_than(&mut self, keep: Duration, next: u64) -> u64 {
        if self.marks.back().is_none_or(|mark| mark.1 < next) {
            self.marks.push_back(Mark(self.observed_ms, next));
        }
        let then = self.observed_ms.checked_sub(millis(keep));
        let old = |mark: &Mark| then.is_some_and(|then| mark.0 <= then);
        let number = self.marks.iter().copied().take_while(old).last().map_or(0, |mark| mark.1);
        // The one that counts says all that the older ones do.
        while self.marks.get(1).is_some_and(old) {
            self.marks.pop_front();
        }
        if self.marks.len() > MOST {
            // Every second one: a record is never taken to be older for it.
            let mut keep = false;
            let last = self.marks.len() - 1;
            let mut at = 0;
            self.marks.retain(|_| {
                (keep, at) = (!keep, at + 1);
                keep || at > last
            });
        }
        number
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    /// Some day in 2026.
    const NOW: Duration = Duration::from_secs(1_790_000_000);

    #[test]
    fn a_record_is_old_when_so_much_time_was_observed() {
        let mut ages = Ages::default();
        assert_eq!(ages.older_than(WEEK, 10), 0);
        for hour in 1..=7 * 24 {
            ages.passed(HOUR);
            let old = ages.older_than(WEEK, 10 + hour);
            assert_eq!(old, if hour < 7 * 24 { 0 } else { 10 }, "after {hour} hours");
        }
        assert_eq!(ages.older_than(Duration::ZERO, 1000), 1000);
    }

    #[test]
    fn i16_a_clock_that_was_behind_or_is_ahead_makes_nothing_old() {
        for (before, after) in [
            (NOW - 30 * DAY, NOW),
            (NOW, NOW + WEEK),
            (NOW, NOW + 3650 * DAY),
            (Duration::ZERO, NOW),
            (NOW, NOW - 30 * DAY),
        ] {
            let mut ages = Ages::default();
            ages.opened(before, WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0);
            ages.saw(before);
            ages.opened(after, WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0, "{before:?} {after:?}");
            ages.saw(after);
        }
    }

    #[test]
    fn one_run_a_day_makes_days() {
        let mut ages = Ages::default();
        for day in 0..7 {
            ages.opened(NOW + day * DAY, WEEK);
            assert_eq!(ages.older_than(WEEK, 10 + u64::from(day)), 0, "on day {day}");
            ages.saw(NOW + day * DAY);
        }
        ages.opened(NOW + 7 * DAY, WEEK);
        assert_eq!(ages.older_than(WEEK, 30), 10);
    }

    #[test]
    fn i16_a_short_time_is_not_made_up_by_one_jump() {
        let mut ages = Ages::default();
        assert_eq!(ages.older_than(HOUR, 10), 0);
        ages.saw(NOW);
        ages.opened(NOW + 30 * DAY, HOUR);
        assert_eq!(ages.older_than(HOUR, 20), 0);
    }

    #[test]
    fn i11_marks_are_bounded_and_never_make_a_record_older() {
        let mut ages = Ages::default();
        let mut there = Vec::new();
        for n in 1..5000_u64 {
            ages.passed(Duration::from_secs(60));
            let old = ages.older_than(WEEK, n * 3);
            there.push((n * 60, n * 3));
            let truth = there.iter().filter(|(at, _)| at + WEEK.as_secs() <= n * 60);
            assert!(old <= truth.map(|it| it.1).max().unwrap_or(0));
            assert!(ages.marks.len() <= MOST + 1);
        }
        let old = ages.older_than(DAY, 20_000);
        assert!(old > 8_000, "{old}");
    }
}
