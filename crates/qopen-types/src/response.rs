//! What the gateway's responses hold, and their error.

use alloc::string::String;

use crate::endpoint::Response as _;
use crate::refusal::Refusal;
use crate::{AccessTokenGrant, AccessTokenResponse, Json, RobotAccountListResponse, wire};

/// The error of an answer without the expected content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The gateway refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The answer reports success and yet holds no access token.
    #[error("the answer holds no access token, neither in `data` nor in `data.data`")]
    NoToken,
}

impl AccessTokenResponse {
    /// The token, from either of the two shapes the gateways answer with (protocol section 2).
    ///
    /// # Errors
    /// [`ResponseError`], if the gateway refused or the answer holds no token.
    pub fn grant(&self) -> Result<AccessTokenGrant, ResponseError> {
        if let Some(refusal) = self.refusal() {
            return Err(ResponseError::Refused(refusal));
        }
        let outer = self.data.as_ref().ok_or(ResponseError::NoToken)?;
        serde_json::from_str(outer.as_str())
            .ok()
            .or_else(|| {
                let inner: Json = wire::first_field(outer.as_str(), "data")?;
                serde_json::from_str(inner.as_str()).ok()
            })
            .ok_or(ResponseError::NoToken)
    }
}

impl RobotAccountListResponse {
    /// The gateway's serial number of the request, if it gave one.
    #[must_use]
    pub fn serial_no(&self) -> Option<String> {
        let serial_no = wire::first_field(self.data.as_ref()?.as_str(), "serial_no");
        serial_no.map(|wire::Lenient(serial_no)| serial_no)
    }
}
