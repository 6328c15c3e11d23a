//! Sources of access tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qopen_types::{AccessTokenGrant, AccessTokenRequest, Endpoint, GetAccessToken, Secret};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::TokenError;
use crate::transport::Transport;

/// Lifetime of a token if the gateway does not give one.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(600);

/// Longest lifetime that is trusted, whatever the gateway says: 30 days.
const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Time before its end at which a token is renewed; a short-lived one is renewed at 90 % of its
/// life.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Provides access tokens. A token fetched by one process may invalidate another's (protocol
/// section 2): processes that share an app should share one source.
///
/// The sender may drop the futures of both methods at any time, as it does when its own request is
/// cancelled.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Returns a token that is believed to be valid.
    ///
    /// # Errors
    /// [`TokenError`], if there is none.
    async fn token(&self) -> Result<Secret, TokenError>;

    /// Returns another token, because the gateway did not accept this one. Called at most once per
    /// request.
    ///
    /// # Errors
    /// [`TokenError`], if there is no other.
    async fn replace(&self, rejected: &Secret) -> Result<Secret, TokenError>;
}

/// A fixed token.
#[derive(Clone, Debug)]
pub struct FixedToken(Secret);

impl FixedToken {
    /// A source of this token only.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }
}

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self) -> Result<Secret, TokenError> {
        Ok(self.0.clone())
    }

    async fn replace(&self, _: &Secret) -> Result<Secret, TokenError> {
        Err(TokenError::Fixed)
    }
}

/// Exchanges the app's key and secret for tokens, with one request at a time for all callers.
pub(crate) struct AppCredentials {
    transport: Arc<Transport>,
    app_key: String,
    app_secret: Secret,
    /// Held while a token is fetched: the tasks that wait for it find the new token.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// The last failure, and when it happened: a caller that asked before then gets it too.
    failed: Option<(Instant, Arc<TokenError>)>,
}

struct Current {
    token: Secret,
    renew_at: Instant,
}

impl AppCredentials {
    pub(crate) fn new(transport: Arc<Transport>, app_key: String, app_secret: Secret) -> Self {
        Self { transport, app_key, app_secret, state: Mutex::default() }
    }

    async fn renew(&self, asked: Instant, state: &mut State) -> Result<Secret, TokenError> {
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(TokenError::Shared(Arc::clone(error)));
        }
        match self.fetch().await {
            Ok(fetched) => Ok(state.current.insert(fetched).token.clone()),
            Err(error) => {
                let error = Arc::new(error);
                state.failed = Some((Instant::now(), Arc::clone(&error)));
                Err(TokenError::Shared(error))
            }
        }
    }

    async fn fetch(&self) -> Result<Current, TokenError> {
        let request = AccessTokenRequest::new(self.app_key.clone(), self.app_secret.clone());
        let answer = self.transport.call::<GetAccessToken>(&request, None).await;
        let answer = answer.map_err(|error| TokenError::Request(Box::new(error)))?;
        let AccessTokenGrant { access_token, expires_in, .. } =
            answer.grant().map_err(TokenError::Response)?;
        let lifetime = match u64::try_from(expires_in) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds).min(LONGEST_LIFETIME),
            _ => UNKNOWN_LIFETIME,
        };
        let margin = RENEW_BEFORE.min(lifetime / 10);
        tracing::debug!(endpoint = GetAccessToken::NAME, expires_in, "access token received");
        Ok(Current { token: access_token, renew_at: Instant::now() + (lifetime - margin) })
    }
}

#[async_trait]
impl TokenSource for AppCredentials {
    async fn token(&self) -> Result<Secret, TokenError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(good) = state.current.as_ref().filter(|it| Instant::now() < it.renew_at) {
            return Ok(good.token.clone());
        }
        self.renew(asked, &mut state).await
    }

    async fn replace(&self, rejected: &Secret) -> Result<Secret, TokenError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(newer) = state.current.as_ref().filter(|it| it.token != *rejected) {
            return Ok(newer.token.clone());
        }
        state.current = None;
        self.renew(asked, &mut state).await
    }
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials").field("app_key", &self.app_key).finish_non_exhaustive()
    }
}
