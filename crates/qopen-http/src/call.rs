//! One request to any endpoint.

use qopen_types::{Endpoint, Refusal, Response as _, Secret};

use crate::{SendError, Sender, TokenError};

impl Sender {
    /// Sends a request to an endpoint, and returns the gateway's answer.
    ///
    /// Retries by the [`RetryPolicy`](crate::RetryPolicy), and once with a fresh token if the gateway does not
    /// accept the first one. An answer without a code counts as accepted.
    ///
    /// # Errors
    /// [`SendError`]. After `Refused` and `Unauthorized` the gateway has not accepted the request; after the
    /// other variants it may have.
    ///
    /// # Cancellation
    /// After the future was dropped, the gateway may have accepted the request.
    pub async fn call<E: Endpoint>(&self, request: &E::Request) -> Result<E::Response, SendError> {
        if !E::NEEDS_TOKEN {
            return self.ask::<E>(request, None).await;
        }
        let token = self.tokens.token().await.map_err(SendError::Token)?;
        let first = self.ask::<E>(request, Some(&token)).await;
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
            Ok(fresh) => self.ask::<E>(request, Some(&fresh)).await,
            // There is no other token: the gateway's answer to this one is the better error.
            Err(TokenError::Fixed) => first,
            Err(error) => Err(SendError::Token(error)),
        }
    }

    async fn ask<E: Endpoint>(
        &self,
        request: &E::Request,
        token: Option<&Secret>,
    ) -> Result<E::Response, SendError> {
        let answer = self.transport.call::<E>(request, token).await?;
        let Some(refusal) = answer.refusal() else { return Ok(answer) };
        let Refusal { code, hint, .. } = &refusal;
        tracing::warn!(endpoint = E::NAME, code, hint, "refused");
        Err(SendError::Refused { endpoint: E::NAME, refusal, retryable: false, retry_after: None })
    }
}
