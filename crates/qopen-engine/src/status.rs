//! How a pull ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Basis, Failure};
use qopen_journal::{EndReason, EndState, Evidence};

use crate::requester::RequestError;

/// How a pull ended: one of these, once (invariant I4).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// The list is complete, as far as can be known.
    Complete(Basis),
    /// Pages came, but not the end, or something counts against completeness.
    Incomplete(Failure),
    /// No page came at all.
    NoCallback,
    /// The platform refused the request or the credentials.
    Refused(Arc<RequestError>),
    /// The request could not be sent, or its answer not be read.
    NotSent(Arc<RequestError>),
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
    /// The state that the journal notes for it.
    #[must_use]
    pub fn end_state(&self) -> EndState {
        match self {
            Self::Complete(_) => EndState::Complete,
            Self::Incomplete(_) | Self::Cancelled => EndState::Incomplete,
            Self::NoCallback | Self::Refused(_) | Self::NotSent(_) | Self::Reported { .. } => {
                EndState::Failed
            }
        }
    }

    /// The evidence that the list is complete; `None` if it is not, or was complete before it was resumed and
    /// an earlier version noted no evidence.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        let Self::Complete(basis) = self else { return None };
        if is_unknown(basis) {
            return None;
        }
        let mut evidence = Evidence::default();
        evidence.quiet_ms = basis.quiet.map(millis);
        evidence.expected_accounts = basis.expected;
        evidence.implied_end = basis.implied_end;
        evidence.refused_callbacks = basis.refusals;
        evidence.outage_ms = millis(basis.outage);
        evidence.unidentified = basis.unidentified as u64;
        evidence.interrupted = basis.interrupted;
        Some(evidence)
    }

    /// Why the list is not complete, as data; `None` if it is.
    #[must_use]
    pub fn reason(&self) -> Option<EndReason> {
        Some(match self {
            Self::Complete(_) => return None,
            Self::Incomplete(failure) => reason(failure),
            Self::NoCallback => EndReason::NoCallback,
            Self::Refused(_) => EndReason::Refused,
            Self::NotSent(_) => EndReason::NotSent,
            Self::Reported { code, .. } => EndReason::Reported { code: *code },
            Self::Cancelled => EndReason::Cancelled,
        })
    }

    /// Whether the list is complete, as far as can be known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    /// Whether only quiet speaks for a complete list although no process received callbacks for a while.
    #[must_use]
    pub fn may_lack_a_page(&self) -> bool {
        matches!(self, Self::Complete(basis) if basis.interrupted && basis.expected.is_none())
    }

    /// Whether a new request may bring the list that an interrupted pull did not.
    #[must_use]
    pub fn is_worth_a_request(&self) -> bool {
        matches!(self, Self::Incomplete(_) | Self::NoCallback | Self::Reported { .. })
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

/// The basis of a list that was complete before, on the evidence that its end noted.
pub(crate) fn noted_basis(mut basis: Basis, evidence: &Evidence) -> Basis {
    basis.quiet = evidence.quiet_ms.map(Duration::from_millis);
    basis.declared = evidence.quiet_ms.is_none();
    basis.expected = evidence.expected_accounts;
    basis.implied_end = evidence.implied_end;
    basis.refusals = evidence.refused_callbacks;
    basis.outage = Duration::from_millis(evidence.outage_ms);
    basis.unidentified = usize::try_from(evidence.unidentified).unwrap_or(usize::MAX);
    basis.interrupted = evidence.interrupted;
    basis
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One sentence for a person: what happened, and what to do.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(basis) => f.write_str(&grounds(self, basis)),
            Self::Incomplete(failure) => f.write_str(&sentence(failure)),
            Self::NoCallback => f.write_str(
                "no page came: is the callback URL in the platform's console the one that reaches this listener?",
            ),
            Self::Refused(error) | Self::NotSent(error) => write_chain(f, error.cause()),
            Self::Reported { code, message } => {
                write!(f, "the platform reported error {code}: {message}")
            }
            Self::Cancelled => f.write_str("cancelled before the list was complete"),
        }
    }
}

/// Whether the list was complete before, and an earlier version did not note its evidence.
fn is_unknown(basis: &Basis) -> bool {
    basis.earlier && basis.quiet.is_none() && !basis.declared
}

/// The grounds of completeness.
fn grounds(status: &Status, basis: &Basis) -> String {
    let evidence = status.evidence().map(|it| it.basis(0));
    match (basis.earlier, evidence) {
        (true, Some(evidence)) => format!("the list was complete before: {evidence}"),
        (_, evidence) => evidence.unwrap_or_else(|| "the list was complete before".to_owned()),
    }
}

fn reason(failure: &Failure) -> EndReason {
    match failure {
        Failure::Silent => EndReason::NoCallback,
        Failure::LastPageMissing => EndReason::LastPageMissing,
        Failure::FewerThanExpected { expected } => {
            EndReason::FewerThanExpected { expected: *expected }
        }
        Failure::UnreadablePages => EndReason::UnreadablePages,
        Failure::UnidentifiedAccounts { accounts } => {
            EndReason::UnidentifiedAccounts { accounts: *accounts as u64 }
        }
        Failure::OwedPages => EndReason::OwedPages,
        Failure::Deadline => EndReason::Deadline,
        Failure::Reported { code, .. } => EndReason::Reported { code: *code },
        Failure::Cancelled => EndReason::Cancelled,
        Failure::LimitReached(_) => EndReason::LimitReached,
        _ => EndReason::Unknown,
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
            "a callback could not be read and lies in quarantine; the list may lack its accounts"
                .into()
        }
        Failure::UnidentifiedAccounts { accounts } => format!(
            "{accounts} accounts have no readable id and are not in the list; --allow-unidentified {accounts} accepts that"
        ),
        Failure::OwedPages => {
            "a page could not be kept when it came, or the journal has lost it, and it was not sent again; pull again".into()
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
