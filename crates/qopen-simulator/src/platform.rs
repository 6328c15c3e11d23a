//! The platform's endpoints for tokens and customer lists.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use qopen_types::{
    AccessTokenRequest, Endpoint, GetAccessToken, GetRobotAccountListAsync, RobotAccountListRequest,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::answer::{NO_ROBOT, refuse, use_token};
use crate::delivery::deliver;
use crate::robot::Known;
use crate::siblings;
use crate::state::{AtomicCounts, Shared, SimulatorConfig};

/// The error of a simulator that cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is not available.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The HTTP client failed to start.
    #[error("the HTTP client failed to start")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Counts of a simulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests for a list that were accepted.
    pub requests: u64,
    /// Tokens issued.
    pub tokens: u64,
    /// Callbacks posted, counting each attempt.
    pub attempts: u64,
    /// Callbacks that were answered `success`.
    pub acknowledged: u64,
    /// Callbacks given up after the last attempt.
    pub given_up: u64,
    /// Requests for a page of a list of robots, refused ones included.
    pub robot_lists: u64,
    /// Requests for the states of robots, refused ones included.
    pub robot_states: u64,
    /// Requests for customers by their ids, refused ones included.
    pub by_ids: u64,
}

/// A running simulator. Dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Simulator {
    /// Starts listening.
    ///
    /// # Errors
    /// [`StartError`], if the address is not available or the HTTP client fails to start.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    /// Dropping the future starts nothing.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        let address = config.listen;
        let listener = TcpListener::bind(address).await;
        let listen = |source| StartError::Listen { address, source };
        let listener = listener.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let failed = |error: rustls::Error| StartError::Client(error.into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?;
        // Plain HTTP works on a machine without certificates.
        let tls = match config.callback_url.starts_with("http:") {
            true => tls.with_root_certificates(rustls::RootCertStore::empty()),
            false => tls.with_platform_verifier().map_err(failed)?,
        };
        let tls = tls.with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .map_err(|error| StartError::Client(error.into()))?;
        let ring = config.ring.clone();
        let shared = Arc::new(Shared {
            config,
            ring,
            client,
            counts: AtomicCounts::default(),
            tokens: Mutex::default(),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .route(GetAccessToken::PATH, post(access_token))
            .route(GetRobotAccountListAsync::PATH, post(account_list))
            .merge(siblings::router())
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the simulator stopped");
            }
        });
        Ok(Self { address, shared, server })
    }

    /// The base URL for requests.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counts = &self.shared.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            requests: get(&counts.requests),
            tokens: get(&counts.tokens),
            attempts: get(&counts.attempts),
            acknowledged: get(&counts.acknowledged),
            given_up: get(&counts.given_up),
            robot_lists: get(&counts.robot_lists),
            robot_states: get(&counts.robot_states),
            by_ids: get(&counts.by_ids),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn access_token(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<AccessTokenRequest>(&body) else {
        return refuse(40001, "the body is not what it should be");
    };
    let config = &shared.config;
    let known = request.app_key == config.ring.app_key() && request.app_secret == config.app_secret;
    if !known || config.schedule.refuse_credentials {
        return refuse(40013, "invalid app_key or app_secret");
    }
    let number = shared.counts.tokens.fetch_add(1, Ordering::Relaxed);
    let token = format!("simulated-token-{number}");
    let uses = config.schedule.token_uses.unwrap_or(usize::MAX);
    shared.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), uses);
    let grant = json!({"access_token": token, "expires_in": 7200});
    json!({"data": {"data": grant}, "errcode": 0, "errmsg": "", "hint": ""})
        .to_string()
        .into_response()
}

async fn account_list(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let schedule = &shared.config.schedule;
    if shared.counts.unavailable.fetch_add(1, Ordering::Relaxed) < schedule.unavailable as u64 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !use_token(&shared, &headers) {
        return refuse(42001, "token expired");
    }
    let Ok(request) = serde_json::from_slice::<RobotAccountListRequest>(&body) else {
        return refuse(40001, "the body is not what it should be");
    };
    if let Some(refusal) = &schedule.refusal {
        return refuse(refusal.code, &refusal.message);
    }
    let RobotAccountListRequest { robot_id, mark_id, need_tag_info, .. } = request;
    match (schedule.known(&robot_id), &schedule.offline_refusal) {
        (Known::Unknown, _) => return refuse(NO_ROBOT, "no such robot"),
        (Known::Offline, Some(refusal)) => return refuse(refusal.code, &refusal.message),
        _ => {}
    }
    let number = shared.counts.requests.fetch_add(1, Ordering::Relaxed);
    let of_robot = shared.next_request(&robot_id);
    let sent = deliver(Arc::clone(&shared), robot_id, mark_id, need_tag_info, of_robot);
    let delivery = tokio::spawn(sent);
    if schedule.callbacks_first {
        // Every callback is accepted or given up before the request is answered.
        let _ = delivery.await;
    }
    let data = json!({"serial_no": format!("simulated-{number}")});
    if schedule.answer_without_code {
        return json!({"data": data}).to_string().into_response();
    }
    json!({"data": data, "errcode": 0, "errmsg": "", "hint": "log-simulated"})
        .to_string()
        .into_response()
}
