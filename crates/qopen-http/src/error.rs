//! Why a request did not succeed.

use qopen_types::Refusal;

use crate::TokenError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request to the gateway did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The gateway said no, with a code of its own.
    #[error("{endpoint} was refused")]
    Refused {
        /// The endpoint.
        endpoint: &'static str,
        /// What the gateway said.
        #[source]
        refusal: Refusal,
    },
    /// The gateway did not accept the access token, nor a fresh one.
    #[error("{endpoint}: HTTP status {status}: the access token was not accepted")]
    Unauthorized {
        /// The endpoint.
        endpoint: &'static str,
        /// 401 or 403.
        status: u16,
    },
    /// The gateway answered with a status that is no success.
    #[error("{endpoint}: HTTP status {status}")]
    Status {
        /// The endpoint.
        endpoint: &'static str,
        /// The status.
        status: u16,
    },
    /// The gateway's answer is not the JSON object that it should be.
    #[error("{endpoint}: the answer is not the JSON object it should be")]
    Answer {
        /// The endpoint.
        endpoint: &'static str,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
    /// The gateway could not be reached, or did not answer in time.
    #[error("{endpoint}: the gateway could not be reached or did not answer in time")]
    Transport {
        /// The endpoint.
        endpoint: &'static str,
        /// Whether a connection was made, so that the gateway may have got the request.
        connected: bool,
        /// What happened on the way.
        #[source]
        source: Source,
    },
    /// There is no access token to send with.
    #[error("no access token could be had")]
    Token(#[source] TokenError),
}

impl SendError {
    /// Whether the same request may succeed later: the way was blocked, the gateway did not refuse.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Token(error) => error.is_retryable(),
            Self::Refused { .. } | Self::Unauthorized { .. } | Self::Answer { .. } => false,
        }
    }

    /// Whether the gateway may have taken the request all the same: it was sent, and what became of
    /// it was not heard, or not understood.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Transport { connected: true, .. } | Self::Answer { .. })
    }

    /// Whether the gateway refused the request or the credentials, as opposed to not being reached.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unauthorized { .. } => true,
            Self::Token(error) => error.is_refusal(),
            Self::Status { status, .. } => (400..500).contains(status) && *status != 429,
            Self::Answer { .. } | Self::Transport { .. } => false,
        }
    }

    /// What the gateway said, where it refused: code, message, and the hint for its support.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Token(error) => error.refusal(),
            _ => None,
        }
    }
}
