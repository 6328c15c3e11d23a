//! One POST of JSON, with rate limit, retries and timeouts.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, clock::DefaultClock};
use qopen_types::{Endpoint, Response as _, Secret};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::error::{RetryAfter, SendError, TokenError};
use crate::headers;
use crate::proxy::ProxyUsed;
use crate::retry::RetryPolicy;

/// Longest answer that is read, in bytes: 100 customers by their ids, each with 80 KiB of profile,
/// attributes and tags. Most answers have a few hundred bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

const TOKEN: HeaderName = HeaderName::from_static("token");

pub(crate) struct Transport {
    pub(crate) client: reqwest::Client,
    /// Scheme and host.
    pub(crate) base_url: Url,
    /// The client's proxy, for errors.
    pub(crate) proxy: Option<ProxyUsed>,
    pub(crate) retry: RetryPolicy,
    /// Codes of refusals after which a request is repeated.
    pub(crate) retry_codes: BTreeSet<i64>,
    pub(crate) limiter: Option<DefaultDirectRateLimiter>,
    /// The `Date` header of the last response.
    pub(crate) date: Mutex<Option<String>>,
}

impl Transport {
    pub(crate) fn base_url(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }

    /// Sends until the request succeeds, fails for good, or the policy's attempts or time are used
    /// up.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        request: &E::Request,
        token: Option<&Secret>,
    ) -> Result<E::Response, SendError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| SendError::Encode { endpoint: E::NAME, source: error.into() })?;
        let begun = Instant::now();
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(self.retry.min_delay)
            .with_max_delay(self.retry.max_delay)
            .with_max_times(self.retry.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build();
        loop {
            self.wait_for_turn().await;
            let error = match self.attempt::<E>(&body, token).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(delay) = delays.next().filter(|_| error.is_retryable()) else {
                return Err(error);
            };
            let delay = delay.max(error.retry_after().unwrap_or_default());
            let left = self.retry.budget.saturating_sub(begun.elapsed());
            if delay >= left {
                return Err(error.out_of_budget(left));
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
    ) -> Result<E::Response, SendError> {
        let endpoint = E::NAME;
        let proxy = || self.proxy.clone();
        let transport = |error: reqwest::Error| {
            let connected = !error.is_connect() && !error.is_builder();
            let source = error.without_url().into();
            SendError::Transport { endpoint, connected, proxy: proxy(), source }
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| SendError::Token(TokenError::Unsendable))?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        let mut url = self.base_url.clone();
        url.set_path(E::PATH);
        let sending = self.client.post(url.clone()).headers(headers).body(body.to_vec()).send();
        let mut response = sending.await.map_err(transport)?;
        let status = response.status();
        tracing::debug!(endpoint, status = status.as_u16(), "answered");
        let date = response.headers().get(DATE).and_then(|it| it.to_str().ok());
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = date.map(str::to_owned);
        let status = status.as_u16();
        if let Some(location) = headers::redirect(&url, status, response.headers()) {
            return Err(SendError::Redirected { endpoint, status, location, proxy: proxy() });
        }
        let retry_after = headers::retry_after(response.headers()).unwrap_or_else(|why| {
            tracing::debug!(endpoint, why, "Retry-After cannot be used");
            None
        });
        let retry_after = retry_after.map(RetryAfter::new);
        let mut answer = Vec::new();
        let whole = loop {
            match response.chunk().await.map_err(transport) {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) if answer.len() + chunk.len() > ANSWER_LIMIT => {
                    let source = format!("it has more than {ANSWER_LIMIT} bytes").into();
                    break Err(SendError::Response { endpoint, proxy: proxy(), source });
                }
                Ok(Some(chunk)) => answer.extend_from_slice(&chunk),
                Err(error) => break Err(error),
            }
        };
        let answer = whole.and_then(|()| {
            serde_json::from_slice(&answer).map_err(|error| SendError::Response {
                endpoint,
                proxy: proxy(),
                source: error.into(),
            })
        });
        let refusal = answer.as_ref().ok().and_then(E::Response::refusal).map(Box::new);
        if let Some(refusal) = refusal.clone().filter(|it| self.retry_codes.contains(&it.code)) {
            return Err(SendError::Refused {
                endpoint,
                refusal: *refusal,
                retryable: true,
                retry_after,
            });
        }
        // The status of an error is enough if its body says nothing.
        match status {
            200..300 => answer,
            401 | 403 => Err(SendError::Unauthorized { endpoint, status, proxy: proxy(), refusal }),
            _ => Err(SendError::Status { endpoint, status, proxy: proxy(), retry_after, refusal }),
        }
    }
}
