//! The next due time. All arithmetic counts whole minutes since the Unix epoch, in UTC or on a local
//! clock: between two transitions of a zone the two differ by a constant.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::Cron;

const DAY: i64 = 24 * 60;

/// Range of the search, in minutes. 29 February on a given weekday comes within 40 years.
const HORIZON: i64 = 41 * 366 * DAY;

/// Minutes before a transition in which another one can matter. Offsets differ by 52 h at most.
const MEMORY: i64 = 3 * DAY;

impl Cron {
    /// Returns the first due minute after `after`, or `None` if there is none within 41 years.
    pub(in crate::serve) fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let mut start = minute_of(after) + 1;
        let horizon = start + HORIZON;
        let mut passed = latest_before(zone, start)?;
        while start < horizon {
            let at = instant(start)?;
            let offset = offset(zone, at);
            let transition = zone.following(at).next();
            let end = transition.map_or(horizon, |it| minute_from(it.timestamp())).min(horizon);
            let local = start + offset;
            let from = if self.follows_clock {
                local
            } else {
                // Local minutes that the clock has skipped are due at the first minute after the gap.
                if self.first(passed + 1, local).is_some() {
                    return Some(at);
                }
                local.max(passed + 1)
            };
            if let Some(due) = self.first(from, end + offset) {
                return instant(due - offset);
            }
            passed = passed.max(end - 1 + offset);
            start = end;
        }
        None
    }

    /// The first local minute of `from..to` that matches.
    fn first(&self, from: i64, to: i64) -> Option<i64> {
        if from >= to {
            return None;
        }
        let mut day = from.div_euclid(DAY);
        let mut date = date(1970, 1, 1).checked_add(day.days()).ok()?;
        let mut earliest = from.rem_euclid(DAY);
        while day * DAY < to {
            if self.has_date(date)
                && let Some(minute) = self.first_of_day(earliest)
            {
                return Some(day * DAY + minute).filter(|it| *it < to);
            }
            (day, earliest) = (day + 1, 0);
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn has_date(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month())
            && if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first minute of a day that matches, not before `earliest`.
    fn first_of_day(&self, earliest: i64) -> Option<i64> {
        let (hour, minute) = (earliest / 60, earliest % 60);
        (hour..24).filter(|hour| self.hours >> hour & 1 == 1).find_map(|it| {
            let from = if it == hour { minute } else { 0 };
            let left = self.minutes >> from;
            (left != 0).then(|| it * 60 + from + i64::from(left.trailing_zeros()))
        })
    }
}

/// The latest local minute that the clock has shown before the minute `start`.
fn latest_before(zone: &TimeZone, start: i64) -> Option<i64> {
    let shown = |minute: i64| instant(minute).map(|at| minute + offset(zone, at));
    let mut latest = shown(start - 1)?;
    for transition in zone.preceding(instant(start)?) {
        let last = minute_from(transition.timestamp()) - 1;
        if last < start - MEMORY {
            break;
        }
        latest = latest.max(shown(last)?);
    }
    Some(latest)
}

/// The offset of a local clock in minutes; seconds, which old offsets have, are rounded down.
fn offset(zone: &TimeZone, at: Timestamp) -> i64 {
    i64::from(zone.to_offset(at).seconds().div_euclid(60))
}

/// The minute that has begun at an instant.
fn minute_of(at: Timestamp) -> i64 {
    let started = i64::from(at.subsec_nanosecond() < 0);
    (at.as_second() - started).div_euclid(60)
}

/// The first minute that begins at an instant or later.
fn minute_from(at: Timestamp) -> i64 {
    let begun = minute_of(at);
    begun + i64::from(instant(begun).is_some_and(|it| it < at))
}

fn instant(minute: i64) -> Option<Timestamp> {
    Timestamp::from_second(minute.checked_mul(60)?).ok()
}
