//! Waiting for the next time of a schedule.

use std::time::Duration;

use jiff::Timestamp;

use super::job::Times;

/// Maximum time of a sleep, so that a corrected clock is noticed.
const NAP: Duration = Duration::from_secs(60);

/// The next time of a schedule, computed only from the present time of the clock. A corrected clock, forwards
/// or back, is right from then on.
#[derive(Default)]
pub(super) struct Watch {
    /// The awaited time.
    due: Option<Timestamp>,
}

/// The result of a look at the clock.
pub(super) enum Look {
    /// The time until it is due.
    Wait(Duration),
    /// The due time. Missed times are not made up for: one list is as good as two.
    Due(Timestamp),
    Never,
}

impl Watch {
    pub(super) fn look(&mut self, times: &Times, now: Timestamp) -> Look {
        if let Some(due) = self.due.take_if(|due| *due <= now) {
            return Look::Due(due);
        }
        // Computed each time: after a clock went back, another time may come first.
        let Some(due) = times.next(now) else { return Look::Never };
        let wait = Duration::try_from(due.duration_since(now));
        self.due = Some(due);
        Look::Wait(wait.unwrap_or_default().min(NAP))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::{Span, ToSpan as _, Zoned};

    use super::*;
    use crate::zone::Zone;

    /// Runs a schedule on a clock that is set by hand, and gives the times for which it was due.
    fn run(cron: &str, jumps: &[(i64, Span)], seconds: i64) -> Vec<String> {
        let zone = Zone::named("UTC", "a test").unwrap();
        let times = Times { cron: cron.parse().unwrap(), zone };
        let mut now: Zoned = "2026-03-01T00:00:30[UTC]".parse().unwrap();
        let (mut watch, mut due, mut passed) = (Watch::default(), Vec::new(), 0);
        while passed < seconds {
            match watch.look(&times, now.timestamp()) {
                Look::Never => break,
                Look::Due(at) => due.push(at.strftime("%d %H:%M").to_string()),
                Look::Wait(nap) => {
                    let nap = i64::try_from(nap.as_millis()).unwrap().max(1);
                    let before = passed;
                    passed += nap / 1000 + 1;
                    now = now.checked_add((nap / 1000 + 1).seconds()).unwrap();
                    for (_, jump) in jumps.iter().filter(|it| (before..passed).contains(&it.0)) {
                        now = now.checked_add(*jump).unwrap();
                    }
                }
            }
        }
        due
    }

    #[test]
    fn every_time_is_due_once() {
        assert_eq!(run("* * * * *", &[], 160), ["01 00:01", "01 00:02", "01 00:03"]);
        assert_eq!(run("*/5 * * * *", &[], 700), ["01 00:05", "01 00:10"]);
    }

    #[test]
    fn i16_a_clock_that_is_put_right_stops_no_schedule() {
        // 30 days ahead at the start, and put right after 100 s.
        let due = run("* * * * *", &[(100, -Span::new().days(30))], 400);
        assert!(due.len() >= 6, "{due:?}");
        // Behind, and put right: what was jumped over is not made up for.
        let due = run("* * * * *", &[(100, Span::new().days(30))], 400);
        assert!((6..=7).contains(&due.len()), "{due:?}");
        // Back by less than the time that is waited for.
        let due = run("0 * * * *", &[(1800, -Span::new().minutes(20))], 3 * 3600);
        assert_eq!(due, ["01 01:00", "01 02:00"]);
    }
}
