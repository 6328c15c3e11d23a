//! The receiver: one route that takes callbacks, opens them, hands them on and answers.

mod handler;
mod memory;
mod stats;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

use crate::{OpenError, OpenedCallback, RejectReason, SharedKeyring, TimestampPolicy};
pub(crate) use handler::Peer;
pub use handler::{BodyPermit, Handler, HandlerError, Received, ReceivedBody, Undecrypted};
use memory::{LARGE, NoRoom, Reading};
pub use stats::ReceiverStats;

/// The least that a body must bring in each [`WINDOW`], in bytes: a peer that is slower holds room and
/// brings nothing.
const LEAST: usize = 16 * 1024;

/// How long a body may take for [`LEAST`].
const WINDOW: Duration = Duration::from_secs(5);

/// The largest body that memory is set aside for on the sender's word alone.
const TRUSTED_LENGTH: usize = 1024 * 1024;

/// Settings of a receiver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// The path that takes callbacks. Default `/callback`.
    pub path: String,
    /// The largest body, in bytes. Default 16 MiB.
    pub body_limit: usize,
    /// Bytes of bodies that are held at once, over all requests, until each is answered. Half of it is
    /// for bodies that are verified; of the other half, bodies above 256 KiB, and each peer, have three
    /// quarters at most. A body that finds no room is answered 503, after one that sends nothing was
    /// given up for it. Default 256 MiB; two bodies of the greatest size always fit.
    pub memory_limit: usize,
    /// How long a body may take to arrive. Default 30 s. Besides it must bring 16 KiB in 5 s.
    pub read_timeout: Duration,
    /// What is done about old timestamps.
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
    room: Arc<memory::Memory>,
}

/// A router with the one route, ready to serve or to merge into another router.
///
/// It answers 200 `success` for what the handler took; 401 for a wrong signature, another app's
/// key or a refused timestamp; 400 for what is not an envelope, or what the handler cannot read; 405
/// for another method than POST; 408 and 413 for a body that is too slow or too large; 415 for a
/// compressed one; 503 for what found no room, or the handler could not keep. Whatever a genuine
/// callback may have suffered is noted in [`ReceiverStats::refusals`].
pub fn router(
    ring: impl Into<SharedKeyring>,
    handler: Arc<dyn Handler>,
    config: ReceiverConfig,
    stats: ReceiverStats,
) -> Router {
    let path = config.path.clone();
    let room = Arc::new(memory::Memory::new(config.memory_limit, config.body_limit));
    let ring = ring.into();
    let shared = Arc::new(Shared { ring, handler, config, stats, room });
    Router::new().route(&path, post(receive).fallback(other_method)).with_state(shared)
}

/// The router, counting requests to other paths, which are answered 404: a callback URL with a
/// mistake in it ends there.
pub fn count_other_paths(router: Router, stats: ReceiverStats) -> Router {
    router.fallback(move |uri: Uri| {
        let stats = stats.clone();
        async move {
            stats.count_other_path(uri.path());
            (StatusCode::NOT_FOUND, "not the callback path")
        }
    })
}

/// A request that is no POST. The platform's console may look with a GET whether the URL answers.
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
                    // What says that it is no page is none that is missing; what says nothing may be.
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

/// Whether what is said of a body's coding is that it has none.
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
    let reading = shared.room.enter(peer);
    let body = read(body, length, shared, &reading).await?;
    let opened = if body.len() > LARGE {
        let (shared, body) = (Arc::clone(shared), body.clone());
        let opening = tokio::task::spawn_blocking(move || open_now(&shared, &body));
        // The task ends early only when the runtime does.
        opening.await.map_err(|_| (RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE))?
    } else {
        open_now(shared, &body)
    };
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

enum Verified {
    Opened(OpenedCallback),
    Undecrypted { content: String, error: OpenError, signed_at: Option<u64> },
}

fn open_now(shared: &Shared, body: &[u8]) -> Result<Verified, OpenError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ring = shared.ring.get();
    let verified = ring.verify(body)?;
    match verified.open(now.as_secs(), shared.config.timestamps) {
        Ok(opened) => Ok(Verified::Opened(opened)),
        Err(error) if error.reason() == RejectReason::Undecryptable => {
            let content = verified.encoding_content().to_owned();
            Ok(Verified::Undecrypted { content, error, signed_at: verified.signed_at() })
        }
        Err(error) => Err(error),
    }
}

/// The whole body, unless it grows past the limit, is too slow, or there is no room for it.
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
    // By when how much must have come.
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
        // However small the pieces are, they take the room of the whole.
        tokio::select! {
            grown = reading.grow(held + chunk.len()) => grown.map_err(|NoRoom| NO_ROOM)?,
            () = reading.gives_way() => return Err(TOO_SLOW),
        }
        if held + chunk.len() >= window.1 {
            window = (Instant::now() + WINDOW, held + chunk.len() + LEAST);
        }
        match held {
            // A body that comes in one piece is never copied.
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
