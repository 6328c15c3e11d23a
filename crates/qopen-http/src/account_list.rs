//! GetRobotAccountListAsync: requests a robot's customer list.

use qopen_types::{
    Endpoint, GetRobotAccountListAsync, Refusal, RobotAccountListAnswer, RobotAccountListRequest,
    Secret,
};

use crate::{SendError, Sender};

/// The gateway accepted the request. The list comes by callback, and may have begun to arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The gateway's serial number of the request, if it gave one.
    pub serial_no: Option<String>,
    /// Whether the answer had a code. A JSON object without one counts as accepted.
    pub explicit: bool,
}

impl Sender {
    /// Requests a robot's full customer list (protocol section 1).
    ///
    /// Retries by the [`RetryPolicy`](crate::RetryPolicy) with the same mark, and once with a fresh
    /// token if the gateway does not accept the first one.
    ///
    /// # Errors
    /// [`SendError`]. After `Refused` and `Unauthorized` the gateway has not accepted the request;
    /// after the other variants it may have.
    ///
    /// # Cancellation
    /// After the future was dropped, the gateway may have accepted the request.
    pub async fn request_account_list(
        &self,
        request: &RobotAccountListRequest,
    ) -> Result<Accepted, SendError> {
        let token = self.tokens.token().await.map_err(SendError::Token)?;
        let first = self.ask(request, &token).await;
        let token_rejected = match &first {
            Err(SendError::Unauthorized { .. }) => true,
            Err(SendError::Refused { refusal, .. }) => refusal.names_token(),
            Err(SendError::Status { status: 400..500, refusal: Some(refusal), .. }) => {
                refusal.names_token()
            }
            _ => false,
        };
        if !token_rejected {
            return first;
        }
        match self.tokens.replace(&token).await {
            Ok(fresh) => self.ask(request, &fresh).await,
            // There is no other token: the gateway's answer to this one is the better error.
            Err(crate::TokenError::Fixed) => first,
            Err(error) => Err(SendError::Token(error)),
        }
    }

    async fn ask(
        &self,
        request: &RobotAccountListRequest,
        token: &Secret,
    ) -> Result<Accepted, SendError> {
        type E = GetRobotAccountListAsync;
        let answer =
            self.transport.call::<E>(request, Some(token), RobotAccountListAnswer::refusal).await?;
        if let Some(refusal) = answer.refusal() {
            let Refusal { code, hint, .. } = &refusal;
            tracing::warn!(endpoint = E::NAME, code, hint, "refused");
            return Err(SendError::Refused {
                endpoint: E::NAME,
                refusal,
                retryable: false,
                retry_after: None,
            });
        }
        let explicit = answer.errcode.is_some();
        if !explicit {
            tracing::warn!(endpoint = E::NAME, "the answer has no code; taken as accepted");
        }
        Ok(Accepted { serial_no: answer.serial_no(), explicit })
    }
}
