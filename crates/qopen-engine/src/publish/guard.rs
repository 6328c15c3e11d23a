//! The guard against lists that lost too many customers.

use std::fmt;
use std::str::FromStr;

/// The number of customers that a list may lack of its predecessor before it is held (evidence E10).
///
/// Parses and prints as `N` customers, or as `P%` of the predecessor's customers, with up to two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxGone {
    /// This number of customers.
    Accounts(u64),
    /// This part of the predecessor's customers, in hundredths of a percent: 0 to 10,000.
    BasisPoints(u16),
}

/// The error of a text that is no [`MaxGone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a number of customers, such as 200, or a percentage from 0% to 100%, such as 2.5%")]
pub struct ParseMaxGoneError;

/// All of the predecessor's customers, in hundredths of a percent.
const WHOLE: u16 = 10_000;

impl MaxGone {
    /// Whether a list that lacks `gone` of the `before` customers of its predecessor is held.
    #[must_use]
    pub fn is_exceeded(self, gone: u64, before: u64) -> bool {
        match self {
            Self::Accounts(most) => gone > most,
            Self::BasisPoints(most) => {
                u128::from(gone) * u128::from(WHOLE) > u128::from(before) * u128::from(most)
            }
        }
    }
}

impl FromStr for MaxGone {
    type Err = ParseMaxGoneError;

    fn from_str(text: &str) -> Result<Self, ParseMaxGoneError> {
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
            is_plain.then(|| text.parse().ok()).flatten()
        };
        let Some(percent) = text.strip_suffix('%') else {
            return number(text).map(Self::Accounts).ok_or(ParseMaxGoneError);
        };
        let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
        if !(1..=2).contains(&decimals.len()) {
            return Err(ParseMaxGoneError);
        }
        let (Some(whole), Some(part)) = (number(whole), number(&format!("{decimals:0<2}"))) else {
            return Err(ParseMaxGoneError);
        };
        let points = whole.checked_mul(100).and_then(|it| it.checked_add(part));
        let points = points.and_then(|it| u16::try_from(it).ok()).filter(|it| *it <= WHOLE);
        points.map(Self::BasisPoints).ok_or(ParseMaxGoneError)
    }
}

impl fmt::Display for MaxGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts(most) => write!(f, "{most}"),
            Self::BasisPoints(most) if most % 100 == 0 => write!(f, "{}%", most / 100),
            Self::BasisPoints(most) => {
                let (whole, part) = (most / 100, format!("{:02}", most % 100));
                write!(f, "{whole}.{}%", part.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_limit_reads_what_it_prints(points in 0..=WHOLE, accounts: u64) {
            for limit in [MaxGone::BasisPoints(points), MaxGone::Accounts(accounts)] {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }

        #[test]
        fn a_list_that_lost_nobody_is_never_held(points in 0..=WHOLE, before: u64) {
            prop_assert!(!MaxGone::BasisPoints(points).is_exceeded(0, before));
            prop_assert!(!MaxGone::Accounts(0).is_exceeded(0, before));
        }
    }

    #[test]
    fn the_limit_itself_is_allowed_and_one_more_is_not() {
        for (limit, most, before) in [
            ("3", 3, 1000),
            ("0", 0, 1000),
            ("2.5%", 25, 1000),
            ("0.01%", 0, 9_999),
            ("0.01%", 1, 10_000),
            ("100%", u64::MAX, u64::MAX),
            ("0%", 0, u64::MAX),
        ] {
            let limit: MaxGone = limit.parse().expect("it is a limit");
            assert!(!limit.is_exceeded(most, before), "{limit} {most}");
            let more = most.saturating_add(1);
            assert_eq!(limit.is_exceeded(more, before), more > most, "{limit} {more}");
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in [
            "", "%", "-1", "+1", "1.5", "101%", "100.01%", "1.234%", "1,5%", " 1%", "1 %", ".5%",
            "1.%", "x",
        ] {
            assert_eq!(text.parse::<MaxGone>(), Err(ParseMaxGoneError), "{text:?}");
        }
        assert_eq!("18446744073709551616".parse::<MaxGone>(), Err(ParseMaxGoneError));
        assert_eq!("655.36%".parse::<MaxGone>(), Err(ParseMaxGoneError));
    }
}
