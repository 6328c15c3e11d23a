//! The collector, reached over HTTP by the client that requests use.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

use crate::exit::{Failure, chain};
use crate::say::caution;
use crate::topics::warnings;

/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;

/// Where requests run. The thread that sends spans has no runtime.
static RUNTIME: OnceLock<Handle> = OnceLock::new();

pub(super) fn send_on(runtime: &Handle) {
    let _ = RUNTIME.set(runtime.clone());
}

#[derive(Debug)]
pub(super) struct Collector {
    client: reqwest::Client,
    /// Whether a failure was said.
    has_failed: AtomicBool,
}

impl Collector {
    pub(super) fn new(timeout: Duration) -> Result<Self, Failure> {
        // Another client may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder =
            || reqwest::Client::builder().timeout(timeout).redirect(redirect::Policy::none());
        let client = builder().build().or_else(|_| {
            // A system without certificates has no reason to refuse a collector on plain HTTP.
            let tls = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
            builder().tls_backend_preconfigured(tls.with_no_client_auth()).build()
        });
        let client = client.map_err(|error| Failure::unexpected("the client of traces", &error))?;
        Ok(Self { client, has_failed: AtomicBool::new(false) })
    }

    /// Says the first failure. Later ones are of the same collector, and cost no line each.
    fn say(&self, why: &str) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            caution!(
                warnings::TRACES_NOT_SENT,
                "traces cannot be sent to the collector: {why}; the work goes on without them",
                "无法向收集器发送追踪数据：{why}；工作照常进行，只是没有追踪数据",
                why = why,
            );
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = RUNTIME.get().ok_or("no runtime")?;
        let sent = runtime.spawn(sent(self.client.clone(), request.try_into()?)).await?;
        match &sent {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => self.say(&format!("HTTP status {}", answer.status().as_u16())),
            Err(error) => self.say(&chain("", error)),
        }
        Ok(sent?)
    }
}

/// Sends a request. Errors do not name its URL, which may have credentials.
async fn sent(
    client: reqwest::Client,
    request: reqwest::Request,
) -> Result<Response<Bytes>, reqwest::Error> {
    let mut answer = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while body.len() < ANSWER
        && let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)?
    {
        body.extend_from_slice(&part);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}
