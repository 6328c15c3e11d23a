//! Reasons why a pull ended without a complete list.

use serde::{Deserialize, Serialize};

/// The reason why a pull ended without a complete list, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EndReason {
    /// No page came.
    NoCallback,
    /// No page is marked as the last.
    LastPageMissing,
    /// The list has fewer accounts than expected.
    FewerThanExpected {
        /// The expected number.
        expected: u64,
    },
    /// A callback could not be read, and is in quarantine.
    UnreadablePages,
    /// Accounts have no readable id.
    UnidentifiedAccounts {
        /// Their number.
        accounts: u64,
    },
    /// A page could not be kept, and was not sent again.
    OwedPages,
    /// Pages kept coming until the deadline.
    Deadline,
    /// A limit of pages or accounts was reached.
    LimitReached,
    /// The platform reported an error by callback.
    Reported {
        /// The platform's code.
        code: i64,
    },
    /// The platform refused the request or the credentials.
    Refused,
    /// The request could not be sent, or its answer not be read.
    NotSent,
    /// A caller ended the pull.
    Cancelled,
    /// A reason that a later version of this crate wrote.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::EndReason;

    #[test]
    fn a_reason_is_read_back_and_one_of_a_later_version_is_unknown() {
        for (reason, json) in [
            (EndReason::LastPageMissing, r#"{"kind":"last_page_missing"}"#),
            (EndReason::Reported { code: -3 }, r#"{"kind":"reported","code":-3}"#),
        ] {
            assert_eq!(serde_json::to_string(&reason).unwrap(), json);
            assert_eq!(serde_json::from_str::<EndReason>(json).unwrap(), reason);
        }
        let later = r#"{"kind":"paused","until":7}"#;
        assert_eq!(serde_json::from_str::<EndReason>(later).unwrap(), EndReason::Unknown);
    }
}
