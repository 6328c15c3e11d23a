//! GetRobotAccountListAsync: asks for a robot's customer list.

use qopen_types::{
    Endpoint, GetRobotAccountListAsync, Refusal, RobotAccountListAnswer, RobotAccountListRequest,
    Secret,
};

use crate::{SendError, Sender};

/// The gateway took the request; the list comes by callback, and may have begun to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The serial number that the gateway filed it under, where it gave one.
    pub serial_no: Option<String>,
    /// Whether the gateway said so by a code. Without one, a JSON object counts as yes.
    pub explicit: bool,
}

impl Sender {
    /// Asks for a robot's full customer list (protocol section 1).
    ///
    /// Tries again by the [`RetryPolicy`](crate::RetryPolicy) with the same mark, and once more
    /// with a fresh token where the gateway does not accept the one it got.
    ///
    /// # Errors
    /// [`SendError`]; after `Refused` and `Unauthorized` the gateway has not taken the request,
    /// after the others it may have.
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
            // There is no other token: what the gateway said of this one is the better answer.
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
