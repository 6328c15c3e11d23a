//! Forwards callbacks unchanged to another listener.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use crate::build_error::BuildError;
use crate::client::ClientSettings;
use crate::error::through;
use crate::headers;
use crate::proxy::ProxyChoice;
use crate::proxy::ProxyUsed;
use crate::url::without_path;

/// Bytes of an answer that are searched for the word `success`.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The error of forwarding a callback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The listener was unreachable, or did not answer in time.
    #[error("the listener could not be reached or did not answer in time{}", through(.proxy))]
    Transport {
        /// The proxy of the callback.
        proxy: Option<ProxyUsed>,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The listener redirected. The forwarder does not follow: a callback contains customer data.
    #[error(
        "the listener answered with HTTP status {status}{}, which redirects to {location}; redirects are not followed, so forward to the final URL",
        through(.proxy)
    )]
    Redirected {
        /// The status, 300 to 399.
        status: u16,
        /// The target: scheme, host, port and path.
        location: String,
        /// The proxy of the callback. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
    },
    /// The listener's answer was not `success`: the platform would send the callback again.
    #[error("the listener answered with HTTP status {status} and without the word success{}", through(.proxy))]
    NotAccepted {
        /// The status.
        status: u16,
        /// The proxy of the callback. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
    },
}

/// Posts callbacks to another listener, as the platform would.
///
/// User and password in the URL become HTTP basic authentication. No error or log shows them.
#[derive(Clone)]
pub struct Forwarder {
    pub(crate) client: reqwest::Client,
    pub(crate) url: Url,
    pub(crate) proxy: Option<ProxyUsed>,
}

/// Builds a [`Forwarder`]. Timeouts are per callback.
#[must_use = "a builder does nothing until `build` is called"]
pub struct ForwarderBuilder {
    url: String,
    client: ClientSettings,
}

impl ForwarderBuilder {
    /// Sets the longest time of a callback. Default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.timeout = timeout;
        self
    }

    /// Forwards through this proxy, as [`SenderBuilder::proxy`](crate::SenderBuilder::proxy) does.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.client.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Forwards without a proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.client.proxy = ProxyChoice::Nothing;
        self
    }

    /// Trusts these certificates in addition to the system's: PEM, one or several.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client.root_certificates = Some(pem.into());
        self
    }

    /// Builds the forwarder. Sends nothing yet.
    ///
    /// # Errors
    /// [`BuildError`], if a setting is unusable.
    pub fn build(self) -> Result<Forwarder, BuildError> {
        let bad = || BuildError::ForwardUrl { url: without_path(&self.url) };
        let url = Url::parse(&self.url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad());
        }
        let (client, proxy) = self.client.build(&url)?;
        Ok(Forwarder { client, url, proxy })
    }
}

impl fmt::Debug for ForwarderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwarderBuilder")
            .field("url", &without_path(&self.url))
            .finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Forwards to this URL, with the builder's defaults.
    ///
    /// # Errors
    /// [`BuildError`], if the URL is invalid.
    pub fn new(url: &str) -> Result<Self, BuildError> {
        Self::builder(url).build()
    }

    /// Starts with the URL to forward to.
    pub fn builder(url: impl Into<String>) -> ForwarderBuilder {
        let client = ClientSettings::new(Duration::from_secs(10));
        ForwarderBuilder { url: url.into(), client }
    }

    /// Posts a callback's body. Returns `Ok` if the listener answered 200 with `success`.
    ///
    /// # Errors
    /// [`ForwardError`]; the listener may have received the callback.
    ///
    /// # Cancellation
    /// After the future was dropped, the listener may have received the callback.
    pub async fn forward(&self, body: &[u8]) -> Result<(), ForwardError> {
        let proxy = || self.proxy.clone();
        let transport = |error: reqwest::Error| {
            let source = error.without_url().into();
            ForwardError::Transport { proxy: proxy(), source }
        };
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = request.body(body.to_vec()).send().await.map_err(transport)?;
        let status = response.status().as_u16();
        if let Some(location) = headers::redirect(&self.url, status, response.headers()) {
            return Err(ForwardError::Redirected { status, location, proxy: proxy() });
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > ANSWER_LIMIT {
                break;
            }
        }
        let success = answer.windows(7).any(|it| it == b"success");
        if status == 200 && success {
            return Ok(());
        }
        Err(ForwardError::NotAccepted { status, proxy: proxy() })
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
