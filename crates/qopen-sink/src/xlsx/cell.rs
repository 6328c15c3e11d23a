//! The cells of a row.

use qopen_types::{Account, Cell, Column};

use crate::csv_row::{Own, REST, ROBOT, code_label, extra, flag, joined, label, own_label, unread};
use crate::{Labels, Record, XlsxOptions, XlsxZone};

/// A cell's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Empty,
    Text(String),
    Number(i64),
    Flag(bool),
    /// Days since the beginning of 1900 as Excel counts them, which the spreadsheet shows as a time.
    Time(f64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        match text.is_empty() {
            true => Self::Empty,
            false => Self::Text(text),
        }
    }
}

/// The header. The label of a time names the zone.
pub(super) fn header(columns: &[Column], options: &XlsxOptions) -> Vec<String> {
    let own = |it: &Own| own_label(it, options.labels).to_owned();
    let columns = columns.iter().map(|it| {
        let label = label(it, options.labels);
        let zone = options.zone.name();
        match (it.cell, options.labels) {
            // The label names the unit of the number, which a time does not have.
            (Cell::UnixSeconds(_), Some(Labels::Zh)) => {
                format!("{}（{zone}）", label.split('（').next().unwrap_or(label))
            }
            (Cell::UnixSeconds(_), _) => {
                format!("{} ({zone})", label.split(" (").next().unwrap_or(label))
            }
            _ => label.to_owned(),
        }
    });
    std::iter::once(own(&ROBOT)).chain(columns).chain(REST.iter().map(own)).collect()
}

/// The row of a record. Texts are those of CSV.
pub(super) fn row(
    columns: &[Column],
    record: &Record<'_>,
    options: &XlsxOptions,
    mut put: impl FnMut(Value),
) {
    put(record.robot_id().as_str().to_owned().into());
    columns.iter().for_each(|it| put(cell(it.cell, record.account(), options)));
    put(extra(record).into());
    put(unread(record).into());
}

fn cell(cell: Cell, account: &Account, options: &XlsxOptions) -> Value {
    match cell {
        Cell::Text(read) => read(account).to_owned().into(),
        Cell::Integer(read) => number(read(account)),
        Cell::UnixSeconds(read) => time(read(account), &options.zone),
        Cell::Flag(read) => match options.labels {
            None => Value::Flag(read(account)),
            Some(labels) => Value::Text(flag(read(account), Some(labels)).to_owned()),
        },
        Cell::Code(read) => {
            let code = read(account);
            code_label(code, options.labels)
                .map_or_else(|| number(code.code), |it| Value::Text(it.to_owned()))
        }
        Cell::Rows(between, read) => joined(&read(account), between).into(),
        Cell::Json(read) => match read(account) {
            empty if empty == "[]" => Value::Empty,
            json => json.into(),
        },
    }
}

/// Digits that a spreadsheet keeps: 15.
const EXACT: u64 = 999_999_999_999_999;

fn number(number: i64) -> Value {
    match number.unsigned_abs() <= EXACT {
        true => Value::Number(number),
        false => Value::Text(number.to_string()),
    }
}

/// Days from the beginning of 1900 as Excel counts them to the Unix epoch.
const EPOCH: i64 = 25_569;

/// Days that a spreadsheet shows: from 1 March 1900 to 31 December 9999. Excel takes 1900 for a leap year.
const DAYS: std::ops::Range<i64> = 61..2_958_466;

const DAY: i64 = 86_400;

/// A time that a spreadsheet cannot show is the text of its Unix seconds. One that was not given is empty.
pub(super) fn time(unix_seconds: i64, zone: &XlsxZone) -> Value {
    if unix_seconds == 0 {
        return Value::Empty;
    }
    let text = || Value::Text(unix_seconds.to_string());
    // The zone is asked about times of the calendar only.
    let is_near = |it: i64| (DAYS.start - 2..DAYS.end + 2).contains(&(it.div_euclid(DAY) + EPOCH));
    if !is_near(unix_seconds) {
        return text();
    }
    let local = unix_seconds + i64::from(zone.offset(unix_seconds));
    let days = local.div_euclid(DAY) + EPOCH;
    if !DAYS.contains(&days) {
        return text();
    }
    Value::Time(not_before(days, local.rem_euclid(DAY)))
}

/// Returns the days as a number that is not less than the time. LibreOffice cuts off fractions of a second, so that a
/// number that is less by a rounding shows the second before.
#[expect(clippy::cast_precision_loss, reason = "days and seconds have few digits")]
#[expect(clippy::cast_possible_truncation, reason = "the number is whole, and has 69 bits at most")]
fn not_before(days: i64, seconds: i64) -> f64 {
    // The least day is 61, whose doubles are multiples of 2⁻⁴⁷.
    const BITS: i32 = 47;
    let number = days as f64 + seconds as f64 / DAY as f64;
    let scaled = (number * 2_f64.powi(BITS)) as i128;
    let exact = i128::from(days * DAY + seconds) << BITS;
    match scaled * i128::from(DAY) < exact {
        true => number.next_up(),
        false => number,
    }
}
