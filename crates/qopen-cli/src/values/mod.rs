//! Values of settings and flags: durations, counts, addresses, paths and codes.

pub(crate) mod address;
pub(crate) mod home;
pub(crate) mod out;
pub(crate) mod sqlite;
pub(crate) mod text_file;

use std::time::Duration;

use crate::lang::{Phrase, phrase};

/// Returns the text without invisible characters at its ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether a character is white space or has no width.
pub(crate) fn is_space(it: char) -> bool {
    it.is_whitespace()
        || matches!(
            it,
            '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF9}'..='\u{FFFB}'
        )
}

/// Parses a duration such as `3s`, `500ms`, `30m` or `7d`. A day has 24 hours.
pub(crate) fn time(text: &str) -> Result<Duration, Phrase> {
    let wrong = |_| {
        phrase!(
            "expected a duration with a unit, such as 500ms, 3s, 30m or 7d",
            "应为带单位的时长，例如 500ms、3s、30m 或 7d",
        )
    };
    let span: jiff::Span = text.parse().map_err(wrong)?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let time = span.to_duration(days).map_err(wrong)?;
    let negative = |_| phrase!("a duration cannot be negative", "时长不能为负");
    Duration::try_from(time).map_err(negative)
}

/// Parses the duration of a flag.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    time(text).map_err(Phrase::into_english)
}

/// A time as flags spell it.
pub(crate) fn in_units(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) if seconds >= 60 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}

pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        lease if lease < Duration::from_secs(1) => Err("it must be 1s or more".to_owned()),
        lease => Ok(lease),
    }
}

/// Parses a whole number other than zero.
pub(crate) fn count(text: &str) -> Result<usize, Phrase> {
    match text.parse() {
        Ok(0) | Err(_) => Err(phrase!("expected a whole number, 1 or more", "应为不小于 1 的整数")),
        Ok(n) => Ok(n),
    }
}

/// Parses the count of a flag.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    count(text).map_err(Phrase::into_english)
}

/// Refuses the path of a callback URL that would need an escape somewhere.
pub(crate) fn plain_path(path: &str) -> Result<(), Phrase> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    match path.starts_with('/') && path.chars().all(plain) {
        true => Ok(()),
        false => Err(phrase!(
            "{path} must begin with / and have only letters, digits and -_.~",
            "{path} 必须以 / 开头，且只含字母、数字和 -_.~",
            path = format!("{path:?}"),
        )),
    }
}

/// Codes of refusals after which a request is retried.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetryCodes(pub(crate) Vec<i64>);

/// Parses codes such as `-1,45009`.
pub(crate) fn retry_codes(text: &str) -> Result<RetryCodes, String> {
    let code = |text: &str| match text.trim().parse::<i64>() {
        Ok(0) => Err("0 means success".to_owned()),
        Ok(code) => Ok(code),
        Err(_) => Err(format!("{text:?} is not a code; give whole numbers, such as -1,45009")),
    };
    text.split(',').map(code).collect::<Result<_, _>>().map(RetryCodes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::retry_codes;

    #[test]
    fn codes_are_whole_numbers_other_than_zero() {
        assert_eq!(retry_codes("-1, 45009").unwrap().0, [-1, 45009]);
        for rubbish in ["", ",", "-1,", "1.5", "0", "-0", "busy", "--json", "9223372036854775808"] {
            assert!(retry_codes(rubbish).is_err(), "{rubbish:?}");
        }
    }
}
