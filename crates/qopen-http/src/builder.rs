//! Settings of a sender.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::{Quota, RateLimiter};
use qopen_types::Secret;
use reqwest::header::HeaderValue;

use crate::token::AppCredentials;
use crate::transport::Transport;
use crate::{FixedToken, Sender, TokenSource};

/// A setting with which no sender can be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is not one.
    #[error(
        "the base URL {url:?} must begin with http:// or https:// and name a host, like https://gateway.example"
    )]
    BaseUrl {
        /// What was given, without what may be secret in it.
        url: String,
    },
    /// Neither a token, nor credentials, nor a token source was given.
    #[error("no access token, app credentials or token source was given")]
    NoToken,
    /// The access token has characters that an HTTP header cannot carry, such as a line break.
    #[error("the access token has characters that an HTTP header cannot carry")]
    UnsendableToken,
    /// The URL to forward to is not one.
    #[error(
        "{url:?} must begin with http:// or https:// and name a host, like https://app.example/callback"
    )]
    ForwardUrl {
        /// What was given, without what may be secret in it.
        url: String,
    },
    /// The proxy's URL is not one.
    #[error("the proxy is not a URL that can be used")]
    Proxy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The root certificate cannot be read.
    #[error("the extra root certificate is not a PEM certificate")]
    RootCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// When a request is tried again: after connection errors, time-outs, 429 and 5xx, never after a
/// refusal. The `mark_id` stays the same, so a repeated request only brings copies of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all. Default 4; 1 never tries again.
    pub attempts: u32,
    /// The first delay, doubled each time and jittered. Default 250 ms.
    pub min_delay: Duration,
    /// The longest delay, before what the gateway's `Retry-After` asks for. Default 5 s.
    pub max_delay: Duration,
    /// No attempt begins later than this after the first. Default 45 s.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            min_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(5),
            budget: Duration::from_secs(45),
        }
    }
}

impl RetryPolicy {
    /// The policy with another number of attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The policy with other delays, first and longest.
    #[must_use]
    pub const fn delays(mut self, min: Duration, max: Duration) -> Self {
        self.min_delay = min;
        self.max_delay = max;
        self
    }
}

/// Makes a [`Sender`]. Times are per attempt.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SenderBuilder {
    base_url: String,
    tokens: Option<Tokens>,
    timeout: Duration,
    connect_timeout: Duration,
    proxy: Option<String>,
    root_certificate: Option<Vec<u8>>,
    user_agent: String,
    rate_limit: Option<NonZeroU32>,
    retry: RetryPolicy,
}

enum Tokens {
    Fixed(Secret),
    Source(Arc<dyn TokenSource>),
    Credentials(String, Secret),
}

impl SenderBuilder {
    pub(crate) fn new(base_url: String) -> Self {
        Self {
            base_url,
            tokens: None,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            proxy: None,
            root_certificate: None,
            user_agent: concat!("qopen/", env!("CARGO_PKG_VERSION")).into(),
            rate_limit: None,
            retry: RetryPolicy::default(),
        }
    }

    /// Sends with this one access token.
    pub fn access_token(mut self, token: impl Into<Secret>) -> Self {
        self.tokens = Some(Tokens::Fixed(token.into()));
        self
    }

    /// Fetches access tokens with the app's key and secret, and renews them before they end.
    pub fn app_credentials(
        mut self,
        app_key: impl Into<String>,
        app_secret: impl Into<Secret>,
    ) -> Self {
        self.tokens = Some(Tokens::Credentials(app_key.into(), app_secret.into()));
        self
    }

    /// Takes access tokens from a source of your own.
    pub fn token_source(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(Tokens::Source(source));
        self
    }

    /// How long an attempt may take in all. Default 15 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sends through this proxy. Without it, the usual environment variables count.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts this certificate too, given as PEM.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Says so in the `User-Agent` header. Default `qopen/` and the version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Sends at most so many requests a second, token requests and repeated attempts included.
    /// Default: no limit.
    pub fn rate_limit(mut self, per_second: NonZeroU32) -> Self {
        self.rate_limit = Some(per_second);
        self
    }

    /// Tries again by this policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Makes the sender. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BuildError`], when a setting is missing or cannot be used.
    pub fn build(self) -> Result<Sender, BuildError> {
        let base_url = checked_base_url(&self.base_url)?;
        let mut client = reqwest::Client::builder()
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            // A redirect would carry the token to a place nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(self.user_agent);
        if let Some(url) = self.proxy {
            let proxy = reqwest::Proxy::all(url)
                .map_err(|error| BuildError::Proxy(error.without_url().into()))?;
            client = client.proxy(proxy);
        }
        if let Some(pem) = self.root_certificate {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| BuildError::RootCertificate(error.into()))?;
            if certificates.is_empty() {
                return Err(BuildError::RootCertificate("it holds no certificate".into()));
            }
            client = client.tls_certs_merge(certificates);
        }
        let client = client.build().map_err(|error| BuildError::Client(error.into()))?;
        let limiter =
            self.rate_limit.map(|per_second| RateLimiter::direct(Quota::per_second(per_second)));
        let date = Mutex::default();
        let transport = Arc::new(Transport { client, base_url, retry: self.retry, limiter, date });
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

fn checked_base_url(url: &str) -> Result<String, BuildError> {
    let parsed = reqwest::Url::parse(url).ok();
    let usable = parsed.is_some_and(|it| {
        matches!(it.scheme(), "http" | "https")
            && it.has_host()
            && it.query().is_none()
            && it.fragment().is_none()
            && it.username().is_empty()
            && it.password().is_none()
    });
    if !usable {
        return Err(BuildError::BaseUrl { url: without_secrets(url) });
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// A URL for a message: what comes before `@` and after `?` may be secret.
pub(crate) fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (shown, rest) = url.split_at(end);
    let mut out = match shown.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => shown.to_owned(),
    };
    if !rest.is_empty() {
        out.push_str("?…");
    }
    out
}

impl std::fmt::Debug for SenderBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderBuilder")
            .field("base_url", &without_secrets(&self.base_url))
            .finish_non_exhaustive()
    }
}
