//! Parser of the five fields.

use std::str::FromStr;

use super::Cron;
use crate::causes::Plain;
use crate::lang::{Phrase, Text, phrase};

/// One of the five fields.
struct Field {
    name: Text,
    low: u8,
    high: u8,
    /// Names of values, beginning with `low`.
    names: &'static [&'static str],
    example: &'static str,
}

const MINUTE: Field = Field {
    name: Text::new("minute", "分钟"),
    low: 0,
    high: 59,
    names: &[],
    example: "30 or 0,30 or */15",
};
const HOUR: Field = Field {
    name: Text::new("hour", "小时"),
    low: 0,
    high: 23,
    names: &[],
    example: "2 or 0,12 or 8-18",
};
const DAY: Field = Field {
    name: Text::new("day of month", "日"),
    low: 1,
    high: 31,
    names: &[],
    example: "1 or 1,15 or 1-7",
};
const MONTH: Field = Field {
    name: Text::new("month", "月"),
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
    name: Text::new("day of week", "星期"),
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
    type Err = Plain;

    fn from_str(text: &str) -> Result<Self, Plain> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if let Some(first) = fields.first().filter(|it| it.starts_with('@')) {
            let short = SHORT.iter().find(|(name, _)| first.eq_ignore_ascii_case(name));
            return match short {
                Some((_, long)) if fields.len() == 1 => long.parse(),
                Some((name, _)) => Err(Plain::new(phrase!(
                    "{name} takes no fields",
                    "{name} 之后不写字段",
                    name = name
                ))),
                None => {
                    let known = SHORT.map(|(name, _)| name).join(", ");
                    Err(Plain::new(phrase!(
                        "{first} is none of {known}",
                        "{first} 不是 {known} 之一",
                        first = format!("{first:?}"),
                        known = known,
                    )))
                }
            };
        }
        if let Some(first) = fields.first().filter(|it| it.contains('=')) {
            return Err(Plain::new(phrase!(
                "{first} is not a field; write time_zone = \"Asia/Shanghai\"",
                "{first} 不是字段；请写 time_zone = \"Asia/Shanghai\"",
                first = format!("{first:?}"),
            )));
        }
        let &[minute, hour, day, month, weekday] = &*fields else {
            let count = fields.len();
            let no_seconds = match count > 5 {
                true => Text::new(", without seconds, year or command", "，不含秒、年或命令"),
                false => Text::new("", ""),
            };
            return Err(Plain::new(phrase!(
                "{count} fields; a time has five: minute, hour, day of month, month, day of week{no_seconds}, such as \"30 2 * * Mon-Fri\"",
                "有 {count} 个字段；时间应有五个：分钟、小时、日、月、星期{no_seconds}，例如 \"30 2 * * Mon-Fri\"",
                count = count,
                no_seconds = no_seconds,
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
            return Err(Plain::new(phrase!(
                "day of month {day} with month {month}: no such date exists; the first days of a month exist in each, such as \"0 0 1 * *\"",
                "日 {day} 与月 {month}：没有这样的日期；每个月都有前几日，例如 \"0 0 1 * *\"",
                day = format!("{day:?}"),
                month = format!("{month:?}"),
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
    fn read(&self, text: &str) -> Result<u64, Plain> {
        text.split(',').try_fold(0, |bits, item| {
            self.item(item).map(|item| bits | item).map_err(|why| self.wrong(text, item, why))
        })
    }

    fn wrong(&self, text: &str, item: &str, why: Phrase) -> Plain {
        let of = match item == text {
            true => Phrase::default(),
            false => phrase!(" in {it}", "（在 {it} 中）", it = format!("{text:?}")),
        };
        Plain::new(phrase!(
            "{name} {item}{of}: {why}, such as {example}",
            "{name} {item}{of}：{why}，例如 {example}",
            name = self.name,
            item = format!("{item:?}"),
            of = of,
            why = why,
            example = Phrase::any_of(self.example),
        ))
    }

    /// The bits of one item of a list: a value, a range, or a range with a step.
    fn item(&self, item: &str) -> Result<u64, Phrase> {
        if item.is_empty() {
            return Err(phrase!(
                "a value is missing; separate values by one comma",
                "缺少一个值；各值之间写一个逗号",
            ));
        }
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => (range, Some(step)),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            None if step.is_some() => {
                let high = self.high.min(if self.is_weekday() { 6 } else { u8::MAX });
                return Err(phrase!(
                    "a step needs a range before it, such as {range}-{high}/{step}",
                    "步长之前需要范围，例如 {range}-{high}/{step}",
                    range = range,
                    high = high,
                    step = step.unwrap_or_default(),
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
            return Err(phrase!(
                "the range {range} ends before it begins; give two ranges",
                "范围 {range} 的终点在起点之前；请写成两个范围",
                range = range,
            ));
        }
        let step = match step {
            None => 1,
            Some(step) => self.step(step)?,
        };
        Ok((from..=to).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    fn is_weekday(&self) -> bool {
        self.name.en == WEEKDAY.name.en
    }

    fn step(&self, text: &str) -> Result<usize, Phrase> {
        let most = usize::from(self.high - self.low) + usize::from(!self.is_weekday());
        let is_number = text.bytes().all(|it| it.is_ascii_digit());
        let step = text.parse::<usize>().ok().filter(|step| is_number && (1..=most).contains(step));
        step.ok_or_else(|| {
            phrase!(
                "the step {text} is not a number from 1 to {most}",
                "步长 {text} 不是 1 到 {most} 的数字",
                text = format!("{text:?}"),
                most = most,
            )
        })
    }

    /// A number, or a name of at least three letters.
    fn value(&self, text: &str) -> Result<u8, Phrase> {
        let Self { low, high, names, .. } = self;
        if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
            let number = text.parse::<u8>().ok().filter(|it| (low..=high).contains(&it));
            return number.ok_or_else(|| {
                phrase!(
                    "{text} is out of range; give {low} to {high}",
                    "{text} 超出范围；请写 {low} 到 {high}",
                    text = text,
                    low = low,
                    high = high,
                )
            });
        }
        let lower = text.to_ascii_lowercase();
        let named =
            (*low..).zip(*names).find(|(_, name)| lower.len() >= 3 && name.starts_with(&lower));
        if let Some((value, _)) = named {
            return Ok(value);
        }
        if text.contains(['L', 'W', '#', '?', '~', 'H']) {
            return Err(phrase!(
                "{text} is not supported; give numbers, lists, ranges and steps",
                "不支持 {text}；请写数字、列表、范围与步长",
                text = format!("{text:?}"),
            ));
        }
        let or_name = match names.is_empty() {
            true => Text::new("", ""),
            false => Text::new(" or a name", "，也不是名称"),
        };
        Err(phrase!(
            "{text} is not a number from {low} to {high}{or_name}; give one",
            "{text} 不是 {low} 到 {high} 的数字{or_name}；请写一个",
            text = format!("{text:?}"),
            low = low,
            high = high,
            or_name = or_name,
        ))
    }
}
