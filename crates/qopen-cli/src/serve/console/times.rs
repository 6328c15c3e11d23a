//! Times on pages.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use maud::{Markup, html};

use super::lang::Lang;
use super::texts::frame;
use crate::zone::Zone;

/// Formats a time in the zone of pages, with its offset, and for programs in UTC.
pub(super) fn time(zone: &Zone, at: SystemTime) -> Markup {
    let Ok(at) = Timestamp::try_from(at) else { return html! { "?" } };
    let machine = at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let shown = at.to_zoned(zone.zone.clone());
    html! { time datetime=(machine) { (shown.strftime("%Y-%m-%d %H:%M:%S %:z")) } }
}

/// Formats a duration by its largest unit, like `3 d`.
pub(super) fn age(lang: Lang, age: Duration) -> String {
    let seconds = age.as_secs();
    let (value, text) = match seconds {
        0..60 => (seconds, &frame::SECONDS),
        60..3600 => (seconds / 60, &frame::MINUTES),
        3600..172_800 => (seconds / 3600, &frame::HOURS),
        _ => (seconds / 86_400, &frame::DAYS),
    };
    text.fill(lang, &[&value])
}

/// Groups the digits of a number.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_ages_have_one_unit() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            let shown = age(Lang::En, Duration::from_secs(seconds)).replace('\u{A0}', " ");
            assert_eq!(shown, text);
        }
    }
}
