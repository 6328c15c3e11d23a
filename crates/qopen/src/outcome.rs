//! How a pull ended.

use std::fmt;
use std::sync::Arc;

use qopen_assembler::{Basis, Failure};
use qopen_http::SendError;

use crate::{Progress, PulledList};

/// How a pull ended: one of these, once (invariant I4).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// The list is complete, as far as can be known.
    Complete(Basis),
    /// Pages came, and the end did not, or something stands against completeness.
    Incomplete(Failure),
    /// No page came at all.
    NoCallback,
    /// The platform refused the request or the credentials.
    Refused(Arc<SendError>),
    /// The request could not be sent, or its answer not be read.
    NotSent(Arc<SendError>),
    /// The platform reported an error by callback.
    Reported {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// It was cancelled.
    Cancelled,
}

impl Status {
    /// `complete`, `incomplete` or `failed`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Incomplete(_) | Self::Cancelled => "incomplete",
            Self::NoCallback | Self::Refused(_) | Self::NotSent(_) | Self::Reported { .. } => {
                "failed"
            }
        }
    }

    pub(crate) fn of(failure: Failure) -> Self {
        match failure {
            Failure::Silent => Self::NoCallback,
            Failure::Reported { code, message } => Self::Reported { code, message },
            Failure::Cancelled => Self::Cancelled,
            other => Self::Incomplete(other),
        }
    }
}

/// One sentence for a person: what happened, and what to do.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(basis) => match (basis.quiet, basis.expected) {
                (Some(quiet), Some(expected)) => write!(
                    f,
                    "the last page was seen, then {quiet:?} of quiet, with at least {expected} accounts"
                ),
                (Some(quiet), None) => write!(f, "the last page was seen, then {quiet:?} of quiet"),
                (None, _) => f.write_str("the last page was seen, and no more pages can come"),
            },
            Self::Incomplete(failure) => f.write_str(&sentence(failure)),
            Self::NoCallback => f.write_str(
                "no page came: is the callback URL in the platform's console the one that reaches this listener?",
            ),
            Self::Refused(error) | Self::NotSent(error) => write_chain(f, &**error),
            Self::Reported { code, message } => {
                write!(f, "the platform reported error {code}: {message}")
            }
            Self::Cancelled => f.write_str("cancelled before the list was complete"),
        }
    }
}

fn sentence(failure: &Failure) -> String {
    match failure {
        Failure::LastPageMissing => {
            "pages came, and none of them is marked as the last; pull again".into()
        }
        Failure::FewerThanExpected { expected } => {
            format!(
                "the last page came, with fewer than the {expected} accounts expected; pull again"
            )
        }
        Failure::UnreadablePages => {
            "a page could not be read and lies in quarantine; the list lacks its accounts".into()
        }
        Failure::OwedPages => {
            "a page could not be kept when it came and was not sent again; pull again".into()
        }
        Failure::Deadline => "pages kept coming until the deadline; raise it, or pull again".into(),
        Failure::LimitReached(limit) => format!("the pull reached a limit: {limit:?}"),
        other => format!("{other:?}"),
    }
}

/// An error and its causes, on one line.
fn write_chain(f: &mut fmt::Formatter<'_>, error: &dyn std::error::Error) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// What came of a pull.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Its figures at the end.
    pub progress: Progress,
    /// The list, to be published: the whole of it, or what there is.
    pub list: PulledList,
}
