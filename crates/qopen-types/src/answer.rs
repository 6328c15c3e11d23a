//! Results of the gateway's answers.

use crate::{AccessTokenAnswer, AccessTokenGrant, Json, RobotAccountListAnswer, wire};

/// The gateway's refusal: its code, its message, and the log id that its support asks for.
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
}

/// The error of an answer without the expected content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The gateway refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The answer reports success and yet holds no access token.
    #[error("the answer holds no access token, neither in `data` nor in `data.data`")]
    NoToken,
}

fn refusal(code: Option<i64>, message: &str, hint: &str) -> Option<Refusal> {
    code.filter(|code| *code != 0).map(|code| Refusal {
        code,
        message: message.to_owned(),
        hint: hint.to_owned(),
    })
}

impl AccessTokenAnswer {
    /// The refusal, if the gateway refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        refusal(self.errcode, &self.errmsg, &self.hint)
    }

    /// The token, from either of the two shapes the gateways answer with (protocol section 2).
    ///
    /// # Errors
    /// [`AnswerError`], when the gateway refused or the answer holds no token.
    pub fn grant(&self) -> Result<AccessTokenGrant, AnswerError> {
        if let Some(refusal) = self.refusal() {
            return Err(AnswerError::Refused(refusal));
        }
        let outer = self.data.as_ref().ok_or(AnswerError::NoToken)?;
        serde_json::from_str(outer.as_str())
            .ok()
            .or_else(|| {
                let inner: Json = wire::first_field(outer.as_str(), "data")?;
                serde_json::from_str(inner.as_str()).ok()
            })
            .ok_or(AnswerError::NoToken)
    }
}

impl RobotAccountListAnswer {
    /// The refusal, if the gateway refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        refusal(self.errcode, &self.errmsg, &self.hint)
    }

    /// The gateway's serial number of the request, if it gave one.
    #[must_use]
    pub fn serial_no(&self) -> Option<String> {
        let serial_no = wire::first_field(self.data.as_ref()?.as_str(), "serial_no");
        serial_no.map(|wire::Lenient(serial_no)| serial_no)
    }
}
