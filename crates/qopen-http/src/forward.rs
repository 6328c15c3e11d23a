//! Sending a callback on, byte for byte, to whoever else listens for events.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use crate::BuildError;
use crate::builder::without_secrets;

/// The largest answer that is looked at for the word `success`, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Why a callback was not taken where it was forwarded to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The listener could not be reached, or did not answer in time.
    #[error("the listener could not be reached or did not answer in time")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The listener answered, and not with `success`: the platform would send it again.
    #[error("the listener answered with HTTP status {status} and without the word success")]
    NotTaken {
        /// The status.
        status: u16,
    },
}

/// Posts callbacks to another listener as the platform would.
#[derive(Clone)]
pub struct Forwarder {
    client: reqwest::Client,
    url: Url,
}

impl Forwarder {
    /// Forwards to that URL; each callback may take 10 s.
    ///
    /// # Errors
    /// [`BuildError`], when the URL is not one.
    pub fn new(url: &str) -> Result<Self, BuildError> {
        let bad = || BuildError::ForwardUrl { url: without_secrets(url) };
        let url = Url::parse(url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad());
        }
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| BuildError::Client(error.into()))?;
        Ok(Self { client, url })
    }

    /// Posts a callback's body. `Ok` when the listener took it: status 200 and `success`.
    ///
    /// # Errors
    /// [`ForwardError`]; the listener may have seen it all the same.
    pub async fn forward(&self, body: &[u8]) -> Result<(), ForwardError> {
        let transport = |error: reqwest::Error| ForwardError::Transport(error.without_url().into());
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = request.body(body.to_vec()).send().await.map_err(transport)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > ANSWER_LIMIT {
                break;
            }
        }
        let success = answer.windows(7).any(|it| it == b"success");
        if status == reqwest::StatusCode::OK && success {
            return Ok(());
        }
        Err(ForwardError::NotTaken { status: status.as_u16() })
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
