//! Errors of requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use qopen_types::{Refusal, ResponseError};

use crate::content_error::ContentError;
use crate::proxy::ProxyUsed;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The error of a request to the gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The gateway refused the request, with a code of its own.
    #[error("{endpoint} was refused{}", waiting(.retry_after))]
    Refused {
        /// The endpoint.
        endpoint: &'static str,
        /// The gateway's code, message and hint.
        #[source]
        refusal: Refusal,
        /// Whether the code is one of [`SenderBuilder::retry_codes`](crate::SenderBuilder::retry_codes).
        retryable: bool,
        /// The wait that `Retry-After` asks for, if the request may be repeated.
        retry_after: Option<RetryAfter>,
    },
    /// The gateway accepted neither the access token nor a fresh one.
    #[error("{endpoint}: HTTP status {status}{}: the access token was not accepted", through(.proxy))]
    Unauthorized {
        /// The endpoint.
        endpoint: &'static str,
        /// 401 or 403.
        status: u16,
        /// The proxy of the request. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
        /// The gateway's code, message and hint, if the answer has a code.
        #[source]
        refusal: Option<Box<Refusal>>,
    },
    /// The gateway redirected. The sender does not follow: the request carries the token.
    #[error(
        "{endpoint}: HTTP status {status}{} redirects to {location}; redirects are not followed, so check the base URL",
        through(.proxy)
    )]
    Redirected {
        /// The endpoint.
        endpoint: &'static str,
        /// The status, 300 to 399.
        status: u16,
        /// The target: scheme, host, port and path.
        location: String,
        /// The proxy of the request. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
    },
    /// The gateway answered with an HTTP status of failure.
    #[error("{endpoint}: HTTP status {status}{}{}", through(.proxy), waiting(.retry_after))]
    Status {
        /// The endpoint.
        endpoint: &'static str,
        /// The status.
        status: u16,
        /// The proxy of the request. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
        /// The wait that `Retry-After` asks for.
        retry_after: Option<RetryAfter>,
        /// The gateway's code, message and hint, if the answer has a code.
        #[source]
        refusal: Option<Box<Refusal>>,
    },
    /// The gateway's answer is not the expected JSON object.
    #[error("{endpoint}: the answer is not the JSON object it should be{}", through(.proxy))]
    Response {
        /// The endpoint.
        endpoint: &'static str,
        /// The proxy of the request. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
        /// The reason.
        #[source]
        source: Source,
    },
    /// The gateway's answer is a JSON object without the expected content.
    #[error("{endpoint}: the answer does not have the expected content")]
    Content {
        /// The endpoint.
        endpoint: &'static str,
        /// The reason.
        #[source]
        source: ContentError,
    },
    /// A request has too few or too many ids. It was not sent.
    #[error("{endpoint}: a request has 1 to {limit} ids, not {ids}; nothing was sent")]
    NumberOfIds {
        /// The endpoint.
        endpoint: &'static str,
        /// The number of different ids.
        ids: usize,
        /// The most ids of a request.
        limit: usize,
    },
    /// The gateway was unreachable, or did not answer in time.
    #[error("{endpoint}: the gateway could not be reached or did not answer in time{}", through(.proxy))]
    Transport {
        /// The endpoint.
        endpoint: &'static str,
        /// Whether a connection was made, so that the gateway may have received the request.
        connected: bool,
        /// The proxy of the request.
        proxy: Option<ProxyUsed>,
        /// The cause.
        #[source]
        source: Source,
    },
    /// The request cannot be written as JSON. Nothing was sent.
    #[error("{endpoint}: the request cannot be written as JSON")]
    Encode {
        /// The endpoint.
        endpoint: &'static str,
        /// The cause.
        #[source]
        source: Source,
    },
    /// No access token is available.
    #[error("no access token available")]
    Token(#[source] TokenError),
}

/// A wait that the gateway asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryAfter {
    /// Length of the wait, from the answer on.
    pub asked: Duration,
    /// What was left of the retry budget, if the wait exceeds it.
    pub left: Option<Duration>,
}

impl RetryAfter {
    pub(crate) fn new(asked: Duration) -> Self {
        Self { asked, left: None }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.as_secs();
        write!(f, "the gateway asked for {asked} s")?;
        let Some(left) = self.left else { return Ok(()) };
        let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        // Rounded up while the difference is visible.
        match whole < asked {
            true => write!(f, ", longer than the {whole} s that are left of the budget"),
            false => {
                let left = left.as_secs_f64();
                write!(f, ", no less than the {left:.3} s that are left of the budget")
            }
        }
    }
}

pub(crate) fn through(proxy: &Option<ProxyUsed>) -> String {
    proxy.as_ref().map_or_else(String::new, |proxy| format!(", through {proxy}"))
}

fn waiting(wait: &Option<RetryAfter>) -> String {
    wait.map_or_else(String::new, |wait| format!("; {wait}"))
}

impl SendError {
    /// Whether the same request may succeed later: the gateway was unreachable, or refused with one
    /// of [`SenderBuilder::retry_codes`](crate::SenderBuilder::retry_codes).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Token(error) => error.is_retryable(),
            Self::Refused { retryable, .. } => *retryable,
            Self::Unauthorized { .. }
            | Self::Redirected { .. }
            | Self::Response { .. }
            | Self::Encode { .. }
            | Self::Content { .. }
            | Self::NumberOfIds { .. } => false,
        }
    }

    /// Whether the platform does not offer the operation: HTTP status 404, 405 or 501.
    ///
    /// The platform documents no error code for that. A wrong base URL looks the same.
    #[must_use]
    pub fn is_not_offered(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 405 | 501, .. })
    }

    /// The wait that the gateway asked for by `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Refused { retry_after, .. } => {
                retry_after.map(|it| it.asked)
            }
            Self::Token(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The target of a redirect: scheme, host, port and path.
    #[must_use]
    pub fn redirected_to(&self) -> Option<&str> {
        match self {
            Self::Redirected { location, .. } => Some(location),
            Self::Token(error) => error.redirected_to(),
            _ => None,
        }
    }

    /// The error with the budget's rest, if the wait exceeds that.
    pub(crate) fn out_of_budget(mut self, left: Duration) -> Self {
        if let Self::Status { retry_after: Some(wait), .. }
        | Self::Refused { retry_after: Some(wait), .. } = &mut self
            && wait.asked >= left
        {
            wait.left = Some(left);
        }
        self
    }

    /// Whether the gateway may have accepted the request: it was sent, and its answer was lost or
    /// unreadable.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        matches!(
            self,
            Self::Transport { connected: true, .. } | Self::Response { .. } | Self::Content { .. }
        )
    }

    /// Whether the gateway refused the request or the credentials.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unauthorized { .. } => true,
            Self::Token(error) => error.is_refusal(),
            // 407 is the proxy's answer.
            Self::Status { status, .. } => {
                (400..500).contains(status) && !matches!(*status, 407 | 429)
            }
            Self::Response { .. }
            | Self::Encode { .. }
            | Self::Content { .. }
            | Self::NumberOfIds { .. }
            | Self::Transport { .. }
            | Self::Redirected { .. } => false,
        }
    }

    /// The gateway's refusal, also with an HTTP status of an error: code, message, and the hint for
    /// its support.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Unauthorized { refusal, .. } | Self::Status { refusal, .. } => refusal.as_deref(),
            Self::Token(error) => error.refusal(),
            _ => None,
        }
    }
}

/// The error of a token source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The request for an access token failed.
    #[error("asking the gateway for an access token failed")]
    Request(#[source] Box<SendError>),
    /// The gateway's answer has no token.
    #[error("the gateway's answer has no access token")]
    Response(#[source] ResponseError),
    /// The gateway does not accept the fixed token.
    #[error("the fixed access token was not accepted, and there is no other")]
    Fixed,
    /// The token has characters that an HTTP header cannot carry, such as a line break.
    #[error("the access token has characters that an HTTP header cannot carry")]
    Unsendable,
    /// A concurrent request for the same token failed.
    #[error(transparent)]
    Shared(Arc<TokenError>),
    /// A token source of the caller's failed.
    #[error("the token source failed")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TokenError {
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Request(error) => error.is_retryable(),
            Self::Shared(error) => error.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Request(error) => error.is_refusal(),
            Self::Shared(error) => error.is_refusal(),
            Self::Response(_) | Self::Fixed => true,
            Self::Source(_) | Self::Unsendable => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Request(error) => error.retry_after(),
            Self::Shared(error) => error.retry_after(),
            _ => None,
        }
    }

    pub(crate) fn redirected_to(&self) -> Option<&str> {
        match self {
            Self::Request(error) => error.redirected_to(),
            Self::Shared(error) => error.redirected_to(),
            _ => None,
        }
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Request(error) => error.refusal(),
            Self::Shared(error) => error.refusal(),
            Self::Response(ResponseError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
