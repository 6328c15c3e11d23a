//! Refusals of the gateway.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

/// A refusal by the gateway: its code, its message, and the log id for its support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gateway refused: code {code}, message {message:?}, hint {hint:?}")]
pub struct Refusal {
    /// The gateway's code; never 0.
    pub code: i64,
    /// The gateway's message.
    pub message: String,
    /// The gateway's request log id.
    pub hint: String,
}

impl Refusal {
    /// Whether the message speaks of the access token (protocol section 2): the only public sign
    /// that a new token may help.
    #[must_use]
    pub fn names_token(&self) -> bool {
        self.message.to_lowercase().contains("token")
    }

    /// The refusal in an answer's fields. Without a code, or with code 0, there is none.
    pub(crate) fn of(code: Option<i64>, message: &str, hint: &str) -> Option<Self> {
        let code = code.filter(|code| *code != 0)?;
        Some(Self { code, message: message.to_owned(), hint: hint.to_owned() })
    }
}
