//! What schedules mean, told by walking from minute to minute.

use std::cell::Cell;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;

/// A field as it is written, and the values that it means.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: Vec<i8>,
}

/// Five fields as they are written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) text: String,
    fields: [Field; 5],
}

/// Any field of values in `low..=high`, whose numbers are `usual..=high` at times and up to `usual` mostly.
fn field(low: i8, high: i8, usual: i8) -> impl Strategy<Value = Field> {
    let every = |from: i8, to: i8, step: i8| {
        (from..=to).step_by(usize::try_from(step).unwrap()).collect::<Vec<_>>()
    };
    let number = prop_oneof![2 => low..=usual, 1 => low..=high];
    let item = (number.clone(), number, 1..=(high - low), 0..6);
    let item = item.prop_map(move |(a, b, step, kind)| {
        let (from, to) = (a.min(b), a.max(b));
        match kind {
            0 => (format!("*/{step}"), every(low, high, step)),
            1 => (format!("{from}-{to}"), every(from, to, 1)),
            2 => (format!("{from}-{to}/{step}"), every(from, to, step)),
            _ => (a.to_string(), vec![a]),
        }
    });
    let list = proptest::collection::vec(item, 1..4).prop_map(|items| {
        let (texts, values): (Vec<String>, Vec<Vec<i8>>) = items.into_iter().unzip();
        Field { text: texts.join(","), values: values.concat() }
    });
    let star = Just(Field { text: "*".to_owned(), values: every(low, high, 1) });
    prop_oneof![1 => star, 1 => list]
}

/// Any schedule that has a date. Its hours are often those in which clocks change.
pub(super) fn written() -> impl Strategy<Value = Written> {
    let fields =
        [field(0, 59, 59), field(0, 23, 3), field(1, 31, 31), field(1, 12, 12), field(0, 7, 7)];
    let written = fields.prop_map(|fields| {
        let text = fields.each_ref().map(|it| it.text.as_str()).join(" ");
        Written { text, fields }
    });
    written.prop_filter("it has no date", |it| {
        let model = Model::of(it);
        let mut dates = (1..=12).flat_map(|month| (1..=31).map(move |day| (month, day)));
        // 2024 is a leap year.
        model.either_day
            || dates.any(|(month, day)| {
                model.months[usize::try_from(month).unwrap()]
                    && model.days[usize::try_from(day).unwrap()]
                    && Date::new(2024, month, day).is_ok()
            })
    })
}

/// The values that match, each in a table.
pub(super) struct Model {
    minutes: [bool; 60],
    hours: [bool; 24],
    days: [bool; 32],
    months: [bool; 13],
    weekdays: [bool; 8],
    either_day: bool,
    is_fixed: bool,
    /// The day that was asked about last, and the answer.
    last_day: Cell<(i64, bool)>,
}

fn table<const N: usize>(field: &Field) -> [bool; N] {
    std::array::from_fn(|value| field.values.iter().any(|it| usize::try_from(*it) == Ok(value)))
}

impl Model {
    pub(super) fn of(written: &Written) -> Self {
        let [minute, hour, day, month, weekday] = &written.fields;
        let star = |field: &Field| field.text.starts_with('*');
        Self {
            minutes: table(minute),
            hours: table(hour),
            days: table(day),
            months: table(month),
            weekdays: table(weekday),
            either_day: !star(day) && !star(weekday),
            is_fixed: !star(minute) && !star(hour),
            last_day: Cell::new((i64::MIN, false)),
        }
    }

    /// Whether a local minute, counted from the first one of 1970, matches.
    fn matches(&self, time: i64) -> bool {
        let at = |value: i64| usize::try_from(value).unwrap();
        let minute = time.rem_euclid(24 * 60);
        self.minutes[at(minute % 60)]
            && self.hours[at(minute / 60)]
            && self.has_date(time.div_euclid(24 * 60))
    }

    fn has_date(&self, day: i64) -> bool {
        // Each day is asked about many times.
        let (known, has) = self.last_day.get();
        if known == day {
            return has;
        }
        let date = date(1970, 1, 1).checked_add(day.days()).unwrap();
        let at = |value: i8| usize::try_from(value).unwrap();
        let weekday = date.weekday().to_sunday_zero_offset();
        let weekday = self.weekdays[at(weekday)] || weekday == 0 && self.weekdays[7];
        let day_of_month = self.days[at(date.day())];
        let has = self.months[at(date.month())]
            && match self.either_day {
                true => day_of_month || weekday,
                false => day_of_month && weekday,
            };
        self.last_day.set((day, has));
        has
    }
}

/// The minutes of `from..until` at which each model is due.
pub(super) fn walk(
    zone: &TimeZone,
    models: &[Model],
    from: Timestamp,
    until: Timestamp,
) -> Vec<Vec<Timestamp>> {
    // The local minute that a clock shows, without its seconds.
    let shown = |minute: i64| {
        let at = Timestamp::from_second(minute * 60).unwrap();
        (minute * 60 + i64::from(zone.to_offset(at).seconds())).div_euclid(60)
    };
    let mut due = vec![Vec::new(); models.len()];
    let first = from.as_second().div_euclid(60);
    // What the clock has shown in the four days before counts as shown.
    let mut latest = shown(first - 4 * 24 * 60);
    for minute in first - 4 * 24 * 60.. {
        let at = Timestamp::from_second(minute * 60).unwrap();
        if at >= until {
            return due;
        }
        let now = shown(minute);
        for (model, due) in models.iter().zip(&mut due) {
            let is_due = match model.is_fixed {
                // The local times that have passed by now and had not a minute ago.
                true => (latest + 1..=now).any(|time| model.matches(time)),
                false => model.matches(now),
            };
            if is_due && at >= from {
                due.push(at);
            }
        }
        latest = latest.max(now);
    }
    due
}
