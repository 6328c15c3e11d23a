//! One POST of JSON, with limit, retries and time-outs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, clock::DefaultClock};
use qopen_types::{Endpoint, Secret};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::Instant;

use crate::{RetryPolicy, SendError, TokenError};

/// The largest answer that is read, in bytes; a true one has a few hundred.
const ANSWER_LIMIT: usize = 1024 * 1024;

const TOKEN: HeaderName = HeaderName::from_static("token");

pub(crate) struct Transport {
    pub(crate) client: reqwest::Client,
    /// Without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) retry: RetryPolicy,
    pub(crate) limiter: Option<DefaultDirectRateLimiter>,
    /// The `Date` header of the last response.
    pub(crate) date: Mutex<Option<String>>,
}

/// A failure, and how long the gateway asked to be left alone.
struct Attempt {
    error: SendError,
    retry_after: Option<Duration>,
}

impl Transport {
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Sends until it succeeds, fails for good, or the policy's attempts or time are used up.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        request: &E::Request,
        token: Option<&Secret>,
    ) -> Result<E::Answer, SendError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| SendError::Answer { endpoint: E::NAME, source: error.into() })?;
        let give_up = Instant::now() + self.retry.budget;
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(self.retry.min_delay)
            .with_max_delay(self.retry.max_delay)
            .with_max_times(self.retry.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build();
        loop {
            self.wait_for_turn().await;
            let Attempt { error, retry_after } = match self.attempt::<E>(&body, token).await {
                Ok(answer) => return Ok(answer),
                Err(attempt) => attempt,
            };
            let Some(delay) = delays.next().filter(|_| error.is_retryable()) else {
                return Err(error);
            };
            let delay = delay.max(retry_after.unwrap_or(Duration::ZERO));
            if delay >= give_up.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            tracing::info!(
                endpoint = E::NAME,
                error = &error as &dyn std::error::Error,
                delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                "trying again"
            );
            tokio::time::sleep(delay).await;
        }
    }

    async fn wait_for_turn(&self) {
        let Some(limiter) = &self.limiter else { return };
        while let Err(not_until) = limiter.check() {
            tokio::time::sleep(not_until.wait_time_from(DefaultClock::default().now())).await;
        }
    }

    async fn attempt<E: Endpoint>(
        &self,
        body: &[u8],
        token: Option<&Secret>,
    ) -> Result<E::Answer, Attempt> {
        let endpoint = E::NAME;
        let fails = |error| Attempt { error, retry_after: None };
        let transport = |error: reqwest::Error| {
            let connected = !error.is_connect() && !error.is_builder();
            fails(SendError::Transport { endpoint, connected, source: error.without_url().into() })
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| fails(SendError::Token(TokenError::Unsendable)))?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        let url = format!("{}{}", self.base_url, E::PATH);
        let sending = self.client.post(url).headers(headers).body(body.to_vec()).send();
        let mut response = sending.await.map_err(transport)?;
        let status = response.status();
        tracing::debug!(endpoint, status = status.as_u16(), "answered");
        let date = response.headers().get(DATE).and_then(|it| it.to_str().ok());
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = date.map(str::to_owned);
        if !status.is_success() {
            let status = status.as_u16();
            let error = match status {
                401 | 403 => SendError::Unauthorized { endpoint, status },
                _ => SendError::Status { endpoint, status },
            };
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            return Err(Attempt { error, retry_after: seconds.map(Duration::from_secs) });
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                let source = format!("it has more than {ANSWER_LIMIT} bytes").into();
                return Err(fails(SendError::Answer { endpoint, source }));
            }
            answer.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&answer)
            .map_err(|error| fails(SendError::Answer { endpoint, source: error.into() }))
    }
}
