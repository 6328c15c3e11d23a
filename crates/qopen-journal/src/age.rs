//! How old records are: by the time that was observed since, and never by what a clock says.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

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
/// A clock that jumps ages nothing. Within a process, a monotonic clock counts. Between two processes, the
/// advance of the wall clock beyond its highest reading counts, limited to one day and to half of the
/// retention time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ages {
    observed_ms: u64,
    /// The furthest that the wall clock was, in milliseconds since 1970.
    wall_ms: Option<u64>,
    /// How often in turn it was not so far when the journal was opened.
    behind: u8,
    marks: VecDeque<Mark>,
}

/// How often in turn the wall clock must be behind what it once was until that is taken for wrong: a
/// machine that has no clock of its own is behind at each second start.
const BEHIND: u8 = 3;

/// The time that one process has observed itself. Kept in memory, from one [`Ages::observe`] to the next.
#[derive(Clone, Copy, Debug)]
pub struct Observer {
    since: Instant,
    observed_ms: u64,
}

impl Ages {
    /// Counts the time since `by` looked last; with `None`, a process begins to observe. `wall` is the
    /// wall clock's time since 1970, `keep` the retention time, `now` the monotonic clock's time.
    pub fn observe(
        &mut self,
        by: Option<Observer>,
        wall: Duration,
        keep: Duration,
        now: Instant,
    ) -> Observer {
        match by {
            Some(observer) => self.passed(wall, observer, now),
            None => self.opened(wall, keep, now),
        }
    }

    /// A process begins to observe. Time in which none did counts by the wall clock; `keep` is how long
    /// records are to be kept.
    fn opened(&mut self, wall: Duration, keep: Duration, now: Instant) -> Observer {
        let wall = millis(wall);
        let furthest = self.wall_ms.unwrap_or(wall);
        let unseen = Duration::from_millis(wall.saturating_sub(furthest));
        let counts = unseen.min(UNSEEN).min(keep / 2);
        self.observed_ms = self.observed_ms.saturating_add(millis(counts));
        self.behind = if wall < furthest { self.behind + 1 } else { 0 };
        self.wall_ms = Some(furthest.max(wall));
        if self.behind >= BEHIND {
            (self.wall_ms, self.behind) = (Some(wall), 0);
        }
        Observer { since: now, observed_ms: self.observed_ms }
    }

    /// A process still observes. What others have observed at the same time counts once.
    fn passed(&mut self, wall: Duration, by: Observer, now: Instant) -> Observer {
        let own = by.observed_ms.saturating_add(millis(now.saturating_duration_since(by.since)));
        self.observed_ms = self.observed_ms.max(own);
        self.wall_ms = self.wall_ms.max(Some(millis(wall)));
        Observer { since: now, observed_ms: self.observed_ms }
    }

    /// The number that every record from now on must have at least: what is written with a smaller one
    /// would be taken for old.
    pub fn next(&self) -> u64 {
        self.marks.back().map_or(0, |mark| mark.1)
    }

    /// Everything with a smaller number than `next` has been kept by now. Gives the number below which
    /// everything is at least as old as `keep`.
    pub fn older_than(&mut self, keep: Duration, next: u64) -> u64 {
        // A mark of what is not there yet says nothing: the journal is an older one than it.
        while self.marks.back().is_some_and(|mark| mark.1 > next) {
            self.marks.pop_back();
        }
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
            // Every second one and the last: a record is never taken to be older for it.
            let last = self.marks.len() - 1;
            let mut places = 0..;
            self.marks.retain(|_| places.next().is_some_and(|at| at % 2 == 0 || at == last));
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

    /// A process that looks every so often, on a clock that is set by hand.
    struct Process {
        observer: Observer,
        now: Instant,
    }

    impl Process {
        fn new(ages: &mut Ages, wall: Duration, keep: Duration) -> Self {
            let now = Instant::now();
            Self { observer: ages.opened(wall, keep, now), now }
        }

        fn passes(&mut self, ages: &mut Ages, wall: Duration, time: Duration) {
            self.now += time;
            self.observer = ages.passed(wall, self.observer, self.now);
        }
    }

    #[test]
    fn a_record_is_old_when_so_much_time_was_observed() {
        let mut ages = Ages::default();
        let mut process = Process::new(&mut ages, NOW, WEEK);
        assert_eq!(ages.older_than(WEEK, 10), 0);
        for hour in 1..=7 * 24 {
            process.passes(&mut ages, NOW, HOUR);
            let old = ages.older_than(WEEK, 10 + hour);
            assert_eq!(old, if hour < 7 * 24 { 0 } else { 10 }, "after {hour} hours");
        }
        assert_eq!(ages.older_than(Duration::ZERO, 1000), 1000);
    }

    #[test]
    fn what_several_observe_at_once_counts_once() {
        let mut ages = Ages::default();
        let mut processes = [(); 3].map(|()| Process::new(&mut ages, NOW, WEEK));
        assert_eq!(ages.older_than(WEEK, 10), 0);
        for hour in 1..=7 * 24 {
            for process in &mut processes {
                process.passes(&mut ages, NOW, HOUR);
            }
            let old = ages.older_than(WEEK, 10 + hour);
            assert_eq!(old, if hour < 7 * 24 { 0 } else { 10 }, "after {hour} hours");
        }
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
            Process::new(&mut ages, before, WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0);
            let mut process = Process::new(&mut ages, after, WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0, "{before:?} {after:?}");
            // Nor where it jumps while a process looks.
            process.passes(&mut ages, before, HOUR);
            process.passes(&mut ages, after, HOUR);
            assert_eq!(ages.older_than(WEEK, 10), 0, "{before:?} {after:?}");
        }
    }

    #[test]
    fn i16_a_clock_that_is_wrong_at_each_boot_makes_nothing_old() {
        let mut ages = Ages::default();
        for boot in 0..100 {
            Process::new(&mut ages, Duration::ZERO, WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0, "boot {boot}");
            Process::new(&mut ages, NOW + boot * Duration::from_secs(60), WEEK);
            assert_eq!(ages.older_than(WEEK, 10), 0, "boot {boot}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_once_does_not_stop_time() {
        let mut ages = Ages::default();
        Process::new(&mut ages, NOW + 3650 * DAY, WEEK);
        assert_eq!(ages.older_than(WEEK, 10), 0);
        let day = (1..30).find(|day| {
            Process::new(&mut ages, NOW + *day * DAY, WEEK);
            ages.older_than(WEEK, 10) > 0
        });
        assert_eq!(day, Some(10));
    }

    #[test]
    fn one_run_a_day_makes_days() {
        let mut ages = Ages::default();
        for day in 0..7 {
            Process::new(&mut ages, NOW + day * DAY, WEEK);
            assert_eq!(ages.older_than(WEEK, 10 + u64::from(day)), 0, "on day {day}");
        }
        Process::new(&mut ages, NOW + 7 * DAY, WEEK);
        assert_eq!(ages.older_than(WEEK, 30), 10);
    }

    #[test]
    fn i16_a_short_time_is_not_made_up_by_one_jump() {
        let mut ages = Ages::default();
        Process::new(&mut ages, NOW, HOUR);
        assert_eq!(ages.older_than(HOUR, 10), 0);
        Process::new(&mut ages, NOW + 30 * DAY, HOUR);
        assert_eq!(ages.older_than(HOUR, 20), 0);
    }

    #[test]
    fn a_mark_of_what_is_not_there_says_nothing() {
        let mut ages = Ages::default();
        let mut process = Process::new(&mut ages, NOW, HOUR);
        assert_eq!(ages.older_than(HOUR, 1000), 0);
        assert_eq!(ages.next(), 1000);
        process.passes(&mut ages, NOW, DAY);
        // The folder was put in the place of an older one, say.
        assert_eq!(ages.older_than(HOUR, 5), 0);
    }

    #[test]
    fn i11_marks_are_bounded_and_never_make_a_record_older() {
        let mut ages = Ages::default();
        let mut process = Process::new(&mut ages, NOW, WEEK);
        let mut there = Vec::new();
        for n in 1..5000_u64 {
            process.passes(&mut ages, NOW, Duration::from_secs(60));
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
