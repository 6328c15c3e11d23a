//! Parser of the five fields.

use std::fmt;
use std::str::FromStr;

use super::Cron;

/// The mistake in a time of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CronError(String);

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CronError {}

/// One of the five fields.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    /// Names of values, beginning with `low`.
    names: &'static [&'static str],
    example: &'static str,
}

const MINUTE: Field =
    Field { name: "minute", low: 0, high: 59, names: &[], example: "30 or 0,30 or */15" };
const HOUR: Field =
    Field { name: "hour", low: 0, high: 23, names: &[], example: "2 or 0,12 or 8-18" };
const DAY: Field =
    Field { name: "day of month", low: 1, high: 31, names: &[], example: "1 or 1,15 or 1-7" };
const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    example: "1 or Jan-Mar or */3",
};
/// Sunday is 0 and 7.
const WEEKDAY: Field = Field {
    name: "day of week",
    low: 0,
    high: 7,
    names: &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"],
    example: "Mon or Mon-Fri or 1-5",
};

/// Short forms and what they mean.
const SHORT: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Maximum number of days of each month.
const LONGEST: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if let Some(first) = fields.first().filter(|it| it.starts_with('@')) {
            let short = SHORT.iter().find(|(name, _)| first.eq_ignore_ascii_case(name));
            return match short {
                Some((_, long)) if fields.len() == 1 => long.parse(),
                Some((name, _)) => Err(CronError(format!("{name} takes no fields"))),
                None => {
                    let known = SHORT.map(|(name, _)| name).join(", ");
                    Err(CronError(format!("{first:?} is none of {known}")))
                }
            };
        }
        if let Some(first) = fields.first().filter(|it| it.contains('=')) {
            let message = format!("{first:?} is not a field; write time_zone = \"Asia/Shanghai\"");
            return Err(CronError(message));
        }
        let &[minute, hour, day, month, weekday] = &*fields else {
            let count = fields.len();
            let no_seconds = if count > 5 { ", without seconds, year or command" } else { "" };
            return Err(CronError(format!(
                "{count} fields; a time has five: minute, hour, day of month, month, day of week{no_seconds}, such as \"30 2 * * Mon-Fri\""
            )));
        };
        let begins_with_star = |field: &str| field.starts_with('*');
        let weekdays = WEEKDAY.read(weekday)?;
        let cron = Self {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !begins_with_star(day) && !begins_with_star(weekday),
            follows_clock: begins_with_star(minute) || begins_with_star(hour),
        };
        if !cron.either_day && !cron.has_a_date() {
            return Err(CronError(format!(
                "day of month {day:?} with month {month:?}: no such date exists; the first days of a month exist in each, such as \"0 0 1 * *\""
            )));
        }
        Ok(cron)
    }
}

impl Cron {
    /// Whether any month has one of the days. Each date falls on each weekday in some year.
    fn has_a_date(&self) -> bool {
        (1..=12).zip(LONGEST).any(|(month, longest)| {
            self.months >> month & 1 == 1 && (1..=longest).any(|day| self.days >> day & 1 == 1)
        })
    }
}

impl Field {
    /// The bits of the values.
    fn read(&self, text: &str) -> Result<u64, CronError> {
        text.split(',').try_fold(0, |bits, item| {
            self.item(item).map(|item| bits | item).map_err(|why| self.wrong(text, item, &why))
        })
    }

    fn wrong(&self, text: &str, item: &str, why: &str) -> CronError {
        let Self { name, example, .. } = self;
        let of = if item == text { String::new() } else { format!(" in {text:?}") };
        CronError(format!("{name} {item:?}{of}: {why}, such as {example}"))
    }

    /// The bits of one item of a list: a value, a range, or a range with a step.
    fn item(&self, item: &str) -> Result<u64, String> {
        if item.is_empty() {
            return Err("a value is missing; separate values by one comma".to_owned());
        }
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => (range, Some(step)),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            None if step.is_some() => {
                let high = self.high.min(if self.is_weekday() { 6 } else { u8::MAX });
                return Err(format!(
                    "a step needs a range before it, such as {range}-{high}/{}",
                    step.unwrap_or_default()
                ));
            }
            None => {
                let value = self.value(range)?;
                (value, value)
            }
            Some((from, to)) => {
                let (from, to) = (self.value(from)?, self.value(to)?);
                // The week may end with Sunday.
                (from, if self.is_weekday() && to == 0 && from > 0 { 7 } else { to })
            }
        };
        if from > to {
            return Err(format!("the range {range} ends before it begins; give two ranges"));
        }
        let step = match step {
            None => 1,
            Some(step) => self.step(step)?,
        };
        Ok((from..=to).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    fn is_weekday(&self) -> bool {
        self.name == WEEKDAY.name
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let most = usize::from(self.high - self.low) + usize::from(!self.is_weekday());
        let is_number = text.bytes().all(|it| it.is_ascii_digit());
        let step = text.parse::<usize>().ok().filter(|step| is_number && (1..=most).contains(step));
        step.ok_or_else(|| format!("the step {text:?} is not a number from 1 to {most}"))
    }

    /// A number, or a name of at least three letters.
    fn value(&self, text: &str) -> Result<u8, String> {
        let Self { low, high, names, .. } = self;
        if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
            let number = text.parse::<u8>().ok().filter(|it| (low..=high).contains(&it));
            return number.ok_or_else(|| format!("{text} is out of range; give {low} to {high}"));
        }
        let lower = text.to_ascii_lowercase();
        let named =
            (*low..).zip(*names).find(|(_, name)| lower.len() >= 3 && name.starts_with(&lower));
        if let Some((value, _)) = named {
            return Ok(value);
        }
        if text.contains(['L', 'W', '#', '?', '~', 'H']) {
            return Err(format!(
                "{text:?} is not supported; give numbers, lists, ranges and steps"
            ));
        }
        let or_name = if names.is_empty() { "" } else { " or a name" };
        Err(format!("{text:?} is not a number from {low} to {high}{or_name}; give one"))
    }
}
