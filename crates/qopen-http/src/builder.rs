//! Settings of a sender.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::{Quota, RateLimiter};
use qopen_types::Secret;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::Sender;
use crate::build_error::BuildError;
use crate::client::ClientSettings;
use crate::proxy::ProxyChoice;
use crate::retry::RetryPolicy;
use crate::token::AppCredentials;
use crate::token::{FixedToken, TokenSource};
use crate::transport::Transport;
use crate::url::without_secrets;

/// Builds a [`Sender`]. Timeouts are per attempt.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SenderBuilder {
    base_url: String,
    tokens: Option<Tokens>,
    client: ClientSettings,
    rate_limit: Option<NonZeroU32>,
    retry: RetryPolicy,
    retry_codes: BTreeSet<i64>,
}

enum Tokens {
    Fixed(Secret),
    Source(Arc<dyn TokenSource>),
    Credentials(String, Secret),
}

impl SenderBuilder {
    pub(crate) fn new(base_url: String) -> Self {
        let mut client = ClientSettings::new(Duration::from_secs(15));
        client.user_agent = Some(concat!("qopen/", env!("CARGO_PKG_VERSION")).into());
        Self {
            base_url,
            tokens: None,
            client,
            rate_limit: None,
            retry: RetryPolicy::default(),
            retry_codes: BTreeSet::new(),
        }
    }

    /// Sends with this access token only.
    pub fn access_token(mut self, token: impl Into<Secret>) -> Self {
        self.tokens = Some(Tokens::Fixed(token.into()));
        self
    }

    /// Fetches access tokens with the app's key and secret, and renews them before they expire.
    pub fn app_credentials(
        mut self,
        app_key: impl Into<String>,
        app_secret: impl Into<Secret>,
    ) -> Self {
        self.tokens = Some(Tokens::Credentials(app_key.into(), app_secret.into()));
        self
    }

    /// Takes access tokens from a source of the caller's.
    pub fn token_source(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(Tokens::Source(source));
        self
    }

    /// Sets the longest time of an attempt. Default 15 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.timeout = timeout;
        self
    }

    /// Sets the longest time of connecting. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client.connect_timeout = timeout;
        self
    }

    /// Sends every request through this proxy: `http://`, `https://`, `socks5://` (names resolved
    /// here), `socks5h://` (names resolved by the proxy), `socks4://` or `socks4a://`, with user
    /// and password if the proxy asks for them. Default: `HTTPS_PROXY` or `HTTP_PROXY`, then
    /// `ALL_PROXY`, except for the hosts of `NO_PROXY`.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.client.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Sends without a proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.client.proxy = ProxyChoice::Nothing;
        self
    }

    /// Trusts these certificates in addition to the system's: PEM, one or several.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.root_certificates = Some(pem.into());
        self
    }

    /// Sets the `User-Agent` header. Default `qopen/` and the version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.client.user_agent = Some(user_agent.into());
        self
    }

    /// Limits the requests per second, including token requests and repeated attempts. Default: no
    /// limit.
    pub fn rate_limit(mut self, per_second: NonZeroU32) -> Self {
        self.rate_limit = Some(per_second);
        self
    }

    /// Sets the retry policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Retries by the policy after a refusal with one of these codes, at the token endpoint too.
    /// Default: none. The mark stays the same; the last refusal is the error.
    pub fn retry_codes(mut self, codes: impl IntoIterator<Item = i64>) -> Self {
        self.retry_codes = codes.into_iter().collect();
        self
    }

    /// Builds the sender. Sends nothing yet.
    ///
    /// # Errors
    /// [`BuildError`], if a setting is missing or unusable.
    pub fn build(self) -> Result<Sender, BuildError> {
        let base_url = checked_base_url(&self.base_url)?;
        let (client, proxy) = self.client.build(&base_url)?;
        let limiter =
            self.rate_limit.map(|per_second| RateLimiter::direct(Quota::per_second(per_second)));
        let transport = Arc::new(Transport {
            client,
            base_url,
            proxy,
            retry: self.retry,
            retry_codes: self.retry_codes,
            limiter,
            date: Mutex::default(),
        });
        let tokens = match self.tokens.ok_or(BuildError::NoToken)? {
            Tokens::Fixed(token) if HeaderValue::from_str(token.expose()).is_err() => {
                return Err(BuildError::UnsendableToken);
            }
            Tokens::Fixed(token) => Arc::new(FixedToken::new(token)),
            Tokens::Source(source) => source,
            Tokens::Credentials(app_key, app_secret) => {
                Arc::new(AppCredentials::new(Arc::clone(&transport), app_key, app_secret))
            }
        };
        Ok(Sender { transport, tokens })
    }
}

fn checked_base_url(url: &str) -> Result<Url, BuildError> {
    let bad = || BuildError::BaseUrl { url: without_secrets(url) };
    let mut parsed = Url::parse(url).map_err(|_| bad())?;
    let usable = matches!(parsed.scheme(), "http" | "https")
        && parsed.has_host()
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.username().is_empty()
        && parsed.password().is_none();
    if !usable {
        return Err(bad());
    }
    if !parsed.path().bytes().all(|it| it == b'/') {
        parsed.set_path("");
        let host = parsed.as_str().trim_end_matches('/').to_owned();
        return Err(BuildError::BaseUrlPath { url: url.to_owned(), host });
    }
    parsed.set_path("");
    Ok(parsed)
}

impl std::fmt::Debug for SenderBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderBuilder")
            .field("base_url", &without_secrets(&self.base_url))
            .finish_non_exhaustive()
    }
}
