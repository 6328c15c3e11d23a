//! The receiver: one route that reads callbacks, opens them, hands them on and answers.

mod batches;
mod handler;
mod memory;
mod opening;
mod stats;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use qopen_types::EventType;
use tokio::time::{Instant, timeout_at};

use crate::{RejectReason, SharedKeyring, TimestampPolicy};
pub(crate) use handler::Peer;
pub use handler::{BodyPermit, Handler, HandlerError, Received, ReceivedBody, Undecrypted};
use memory::{NoRoom, Reading};
use opening::{Opener, Verified};
pub use stats::{ReceiverStats, is_echo_check};

/// Bytes that a body must bring in each [`WINDOW`]: a slower peer holds memory and brings nothing.
const LEAST: usize = 16 * 1024;

/// Time of a body for [`LEAST`].
const WINDOW: Duration = Duration::from_secs(5);

/// Bytes that a declared length may reserve in advance.
const TRUSTED_LENGTH: usize = 1024 * 1024;

/// Settings of a receiver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// The path of the route, beginning with `/`. Default `/callback`.
    pub path: String,
    /// Largest body, in bytes. Default 16 MiB.
    pub body_limit: usize,
    /// Bytes of all bodies that are held at once, each until it is answered. Half of them are for
    /// verified bodies. Of the other half, bodies above 256 KiB have at most three quarters, and so
    /// has each peer. A body without room is answered 503, after a stalled body has given way.
    /// Default 256 MiB; two bodies of the largest size always fit.
    pub memory_limit: usize,
    /// Longest time of a body. Default 30 s. In addition, a body must bring 16 KiB in 5 s.
    pub read_timeout: Duration,
    /// The policy for stale timestamps.
    pub timestamps: TimestampPolicy,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            path: "/callback".into(),
            body_limit: 16 * 1024 * 1024,
            memory_limit: 256 * 1024 * 1024,
            read_timeout: Duration::from_secs(30),
            timestamps: TimestampPolicy::default(),
        }
    }
}

struct Shared {
    ring: SharedKeyring,
    handler: Arc<dyn Handler>,
    config: ReceiverConfig,
    stats: ReceiverStats,
    memory: Arc<memory::Memory>,
    opener: Arc<Opener>,
}

/// Returns a router with the one route, to serve or to merge into another router.
///
/// | answer | when |
/// |---|---|
/// | 200 `success` | the handler accepted the callback |
/// | 400 | a body that breaks off, no envelope, or content or a payload that cannot be read |
/// | 401 | a wrong signature, another app's key, or a refused timestamp |
/// | 405 | another method than POST |
/// | 408, 413 | a body that is too slow, or too large |
/// | 415 | a compressed body |
/// | 503 | no memory for the body, or the handler could not keep the payload |
///
/// [`ReceiverStats::refusals`] counts what a genuine callback may have suffered.
///
/// # Panics
/// If `config.path` is not a path for an `axum::Router`: it must begin with `/`.
pub fn router(
    ring: impl Into<SharedKeyring>,
    handler: Arc<dyn Handler>,
    config: ReceiverConfig,
    stats: ReceiverStats,
) -> Router {
    let path = config.path.clone();
    let memory = Arc::new(memory::Memory::new(config.memory_limit, config.body_limit));
    let opener = Arc::new(Opener::new(config.timestamps));
    let ring = ring.into();
    let shared = Arc::new(Shared { ring, handler, config, stats, memory, opener });
    Router::new().route(&path, post(receive).fallback(other_method)).with_state(shared)
}

/// Makes the router answer 404 to other paths and count them: a callback URL with a mistake ends
/// there.
pub fn count_other_paths(router: Router, stats: ReceiverStats) -> Router {
    router.fallback(move |uri: Uri| {
        let stats = stats.clone();
        async move {
            stats.count_other_path(uri.path());
            (StatusCode::NOT_FOUND, "not the callback path")
        }
    })
}

/// Answers a request that is not a POST. The platform's console may probe the URL with a GET.
async fn other_method(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.stats.count_other_method(&method, uri.query().unwrap_or_default());
    let allow = [(header::ALLOW, HeaderValue::from_static("POST"))];
    (StatusCode::METHOD_NOT_ALLOWED, allow, "callbacks come by POST").into_response()
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let stats = &shared.stats;
    stats.count_received();
    let peer = peer.map(|Extension(Peer(peer))| peer);
    let opened = match open(&shared, peer, &headers, body).await {
        Ok(opened) => opened,
        Err((reason, status)) => return stats.reject(reason, status),
    };
    let mut malformed = RejectReason::Payload;
    let taken = match opened {
        Opened::Callback(received) => {
            stats.count_opened(&received.callback);
            match received.callback.event_type() {
                EventType::ROBOT_ACCOUNT_LIST => shared.handler.account_list(received).await,
                event_type => {
                    stats.count_other_event();
                    // A payload with another event type is not a missing page; one without an event
                    // type may be.
                    let says_nothing = event_type == EventType::Absent;
                    match shared.handler.other(event_type, received).await {
                        Err(HandlerError::Unavailable) if !says_nothing => {
                            Err(HandlerError::Declined)
                        }
                        taken => taken,
                    }
                }
            }
        }
        Opened::Undecrypted(callback) => {
            stats.count_undecrypted();
            malformed = RejectReason::Undecryptable;
            shared.handler.undecrypted(callback).await
        }
    };
    match taken {
        Ok(()) => {
            stats.count_accepted();
            (StatusCode::OK, "success").into_response()
        }
        Err(HandlerError::Malformed) => stats.reject(malformed, StatusCode::BAD_REQUEST),
        Err(HandlerError::Declined) => {
            stats.refuse(RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(HandlerError::Unavailable) => {
            stats.reject(RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

type Rejection = (RejectReason, StatusCode);

const NO_ROOM: Rejection = (RejectReason::NoRoom, StatusCode::SERVICE_UNAVAILABLE);

/// A callback whose signature holds.
enum Opened {
    Callback(Received),
    Undecrypted(Undecrypted),
}

/// Whether a `Content-Encoding` names an encoding.
fn is_coded(encoding: &HeaderValue) -> bool {
    let plain = [&b""[..], b"identity", b"utf-8", b"utf8", b"none", b"binary", b"8bit"];
    let encoding = encoding.as_bytes().trim_ascii();
    !plain.iter().any(|it| encoding.eq_ignore_ascii_case(it))
}

async fn open(
    shared: &Arc<Shared>,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Opened, Rejection> {
    if headers.get_all(header::CONTENT_ENCODING).iter().any(is_coded) {
        return Err((RejectReason::Compressed, StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let reading = Arc::new(shared.memory.enter(peer));
    let body = read(body, length, shared, &reading).await?;
    reading.complete();
    let opened = shared.opener.open(shared.ring.get(), &body, &reading).await;
    // The task ends early only if the runtime does.
    let opened =
        opened.map_err(|_| (RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE))?;
    let opened = opened.map_err(|error| {
        tracing::debug!(error = &error as &dyn std::error::Error, "envelope not opened");
        let reason = error.reason();
        let status = match reason {
            RejectReason::AppKey | RejectReason::Signature | RejectReason::Stale => {
                StatusCode::UNAUTHORIZED
            }
            _ => StatusCode::BAD_REQUEST,
        };
        (reason, status)
    })?;
    let room = BodyPermit { _held: reading.verified().map_err(|NoRoom| NO_ROOM)? };
    Ok(match opened {
        Verified::Opened(callback) => Opened::Callback(Received { callback, body, room }),
        Verified::Undecrypted { content, error, signed_at } => {
            Opened::Undecrypted(Undecrypted { content, error, signed_at, _room: room })
        }
    })
}

/// Reads the whole body, unless it exceeds the limit, is too slow, or finds no room.
async fn read(
    body: Body,
    length: Option<usize>,
    shared: &Shared,
    reading: &Reading,
) -> Result<Bytes, Rejection> {
    const TOO_LARGE: Rejection = (RejectReason::Body, StatusCode::PAYLOAD_TOO_LARGE);
    const TOO_SLOW: Rejection = (RejectReason::Body, StatusCode::REQUEST_TIMEOUT);
    const BROKEN: Rejection = (RejectReason::Body, StatusCode::BAD_REQUEST);
    let limit = shared.config.body_limit;
    if length.is_some_and(|length| length > limit) {
        return Err(TOO_LARGE);
    }
    let end = Instant::now() + shared.config.read_timeout;
    // The time by which the body must have this many bytes.
    let mut window = (Instant::now() + WINDOW, LEAST);
    let mut chunks = body.into_data_stream();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let held = first.len() + whole.len();
        let next = tokio::select! {
            next = timeout_at(end.min(window.0), chunks.next()) => next,
            () = reading.gives_way() => return Err(TOO_SLOW),
        };
        let Some(chunk) = next.map_err(|_| TOO_SLOW)? else { break };
        let chunk = chunk.map_err(|_| BROKEN)?;
        if held + chunk.len() > limit {
            return Err(TOO_LARGE);
        }
        // The pieces take the memory of the whole, however small they are.
        tokio::select! {
            grown = reading.grow(held + chunk.len()) => grown.map_err(|NoRoom| NO_ROOM)?,
            () = reading.gives_way() => return Err(TOO_SLOW),
        }
        if held + chunk.len() >= window.1 {
            window = (Instant::now() + WINDOW, held + chunk.len() + LEAST);
        }
        match held {
            // A body in one piece is never copied.
            0 => first = chunk,
            _ => {
                if !first.is_empty() {
                    let expected = length.unwrap_or(0).min(TRUSTED_LENGTH);
                    whole.reserve(expected.max(held + chunk.len()));
                    whole.extend_from_slice(&std::mem::take(&mut first));
                }
                whole.extend_from_slice(&chunk);
            }
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
