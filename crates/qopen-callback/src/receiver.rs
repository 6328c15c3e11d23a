//! The receiver: one route that takes callbacks, opens them, hands them on and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use qopen_types::EventType;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Freshness, OpenError, OpenedCallback, RejectReason, SharedKeyring, Staleness};

/// Bodies above this are verified and decrypted away from the threads that serve connections.
const LARGE: usize = 256 * 1024;

/// The unit in which room for bodies is given out, in bytes.
const UNIT: usize = 1024;

/// The largest body that memory is set aside for on the sender's word alone.
const TRUSTED_LENGTH: usize = 1024 * 1024;

/// A callback that was verified and opened, and the body it came in.
#[derive(Debug)]
pub struct Received {
    callback: OpenedCallback,
    body: Bytes,
    room: Room,
}

/// The room that a body takes of [`Config::memory_limit`], given back when this is dropped: whoever
/// goes on working when the platform has hung up holds it until that is done.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Received {
    /// The opened callback.
    #[must_use]
    pub fn callback(&self) -> &OpenedCallback {
        &self.callback
    }

    /// The opened callback, without copying it.
    #[must_use]
    pub fn into_callback(self) -> OpenedCallback {
        self.callback
    }

    /// The opened callback, without copying it, and the room that it takes.
    pub fn into_parts(self) -> (OpenedCallback, Room) {
        (self.callback, self.room)
    }

    /// The request's body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Why a handler did not take a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// The payload is not what it should be: answered 400. The platform will send it again.
    #[error("the payload could not be read")]
    Malformed,
    /// It could not be made durable, or handed on: answered 503. The platform will send it again.
    #[error("it could not be kept at this time")]
    Unavailable,
}

/// What takes the callbacks that a receiver has opened.
///
/// `Ok` is the promise that makes the receiver answer `success`: give it only once the callback
/// is as safe as it is meant to be (invariant I1). Dropping the future, as happens when the
/// platform hangs up, must lose nothing that was promised.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// A page of a customer list, or the report that there will be none (event 42016).
    ///
    /// # Errors
    /// [`NotTaken`], when it is not to be answered `success`.
    async fn account_list(&self, received: Received) -> Result<(), NotTaken>;

    /// Any other event: authentic, and not ours. Ignored unless you do something with it.
    ///
    /// # Errors
    /// [`NotTaken`], when it is not to be answered `success`.
    async fn other(&self, event_type: EventType, received: Received) -> Result<(), NotTaken> {
        let _ = (event_type, received);
        Ok(())
    }
}

/// Settings of a receiver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The path that takes callbacks. Default `/callback`.
    pub path: String,
    /// The largest body, in bytes. Default 16 MiB.
    pub body_limit: usize,
    /// Bytes of bodies that are held at once, over all requests, until each is answered; a body
    /// that finds no room is answered 503. Default 256 MiB.
    pub memory_limit: usize,
    /// How long a body may take to arrive. Default 30 s.
    pub read_timeout: Duration,
    /// What is done about old timestamps.
    pub freshness: Freshness,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/callback".into(),
            body_limit: 16 * 1024 * 1024,
            memory_limit: 256 * 1024 * 1024,
            read_timeout: Duration::from_secs(30),
            freshness: Freshness::default(),
        }
    }
}

/// What a receiver counted. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Stats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    opened: AtomicU64,
    accepted: AtomicU64,
    other_events: AtomicU64,
    stale: AtomicU64,
    later_keys: AtomicU64,
    rejected: [AtomicU64; RejectReason::ALL.len()],
}

impl Stats {
    /// Requests that reached the path.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Callbacks that were verified and opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::Relaxed)
    }

    /// Requests answered `success`.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Opened callbacks that were other events than pages.
    #[must_use]
    pub fn other_events(&self) -> u64 {
        self.0.other_events.load(Ordering::Relaxed)
    }

    /// Opened callbacks whose timestamp was stale or unreadable.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.0.stale.load(Ordering::Relaxed)
    }

    /// Opened callbacks that another pair of keys than the ring's first opened.
    #[must_use]
    pub fn later_keys(&self) -> u64 {
        self.0.later_keys.load(Ordering::Relaxed)
    }

    /// Requests that were not answered `success`, for one reason.
    #[must_use]
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.0.rejected[reason as usize].load(Ordering::Relaxed)
    }

    /// Requests that were not answered `success`, by reason; only reasons that occurred.
    #[must_use]
    pub fn rejections(&self) -> Vec<(RejectReason, u64)> {
        let counts = RejectReason::ALL.map(|reason| (reason, self.rejected(reason)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn reject(&self, reason: RejectReason, status: StatusCode) -> Response {
        self.0.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
        tracing::warn!(reason = reason.as_str(), status = status.as_u16(), "callback rejected");
        (status, reason.as_str()).into_response()
    }
}

struct Shared {
    ring: SharedKeyring,
    handler: Arc<dyn Handler>,
    config: Config,
    stats: Stats,
    /// Room for bodies, in units of [`UNIT`].
    room: Arc<Semaphore>,
}

/// A router with the one route, ready to serve or to merge into another router.
///
/// It answers 200 `success` for what the handler took; 401 for a wrong signature, another app's
/// key or a refused timestamp; 400 for what is not an envelope, does not decrypt, or has a payload
/// that is not JSON; 408 and 413 for a body that is too slow or too large; 415 for a compressed
/// one; 503 for what the handler could not keep.
pub fn router(
    ring: impl Into<SharedKeyring>,
    handler: Arc<dyn Handler>,
    config: Config,
    stats: Stats,
) -> Router {
    let path = config.path.clone();
    let units = (config.memory_limit / UNIT).min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(units));
    let ring = ring.into();
    let shared = Arc::new(Shared { ring, handler, config, stats, room });
    Router::new().route(&path, post(receive)).with_state(shared)
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let stats = &shared.stats;
    stats.0.received.fetch_add(1, Ordering::Relaxed);
    let received = match open(&shared, &headers, body).await {
        Ok(opened) => opened,
        Err((reason, status)) => return stats.reject(reason, status),
    };
    stats.0.opened.fetch_add(1, Ordering::Relaxed);
    if received.callback.staleness() != Staleness::Fresh {
        stats.0.stale.fetch_add(1, Ordering::Relaxed);
    }
    if received.callback.matched_key() > 0 {
        stats.0.later_keys.fetch_add(1, Ordering::Relaxed);
    }
    let event_type = received.callback.event_type();
    // Nothing says what it is: a payload of another kind, or the remains of one of ours.
    if event_type == EventType::Absent && !is_object(received.callback.payload()) {
        return stats.reject(RejectReason::Payload, StatusCode::BAD_REQUEST);
    }
    let taken = if event_type == EventType::ROBOT_ACCOUNT_LIST {
        shared.handler.account_list(received).await
    } else {
        stats.0.other_events.fetch_add(1, Ordering::Relaxed);
        shared.handler.other(event_type, received).await
    };
    match taken {
        Ok(()) => {
            stats.0.accepted.fetch_add(1, Ordering::Relaxed);
            (StatusCode::OK, "success").into_response()
        }
        Err(NotTaken::Malformed) => stats.reject(RejectReason::Payload, StatusCode::BAD_REQUEST),
        Err(NotTaken::Unavailable) => {
            stats.reject(RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn is_object(payload: &str) -> bool {
    payload.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(payload).is_ok()
}

type Rejection = (RejectReason, StatusCode);

async fn open(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Rejection> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err((RejectReason::Body, StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let reading = read(body, length, shared);
    let (body, room) = match tokio::time::timeout(shared.config.read_timeout, reading).await {
        Ok(body) => body?,
        Err(_) => return Err((RejectReason::Body, StatusCode::REQUEST_TIMEOUT)),
    };
    let opened = if body.len() > LARGE {
        let (shared, body) = (Arc::clone(shared), body.clone());
        let opening = tokio::task::spawn_blocking(move || open_now(&shared, &body));
        // The task ends early only when the runtime does.
        opening.await.map_err(|_| (RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE))?
    } else {
        open_now(shared, &body)
    };
    match opened {
        Ok(callback) => Ok(Received { callback, body, room: Room { _permit: room } }),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "envelope not opened");
            let reason = error.reason();
            let status = match reason {
                RejectReason::AppKey | RejectReason::Signature | RejectReason::Stale => {
                    StatusCode::UNAUTHORIZED
                }
                _ => StatusCode::BAD_REQUEST,
            };
            Err((reason, status))
        }
    }
}

fn open_now(shared: &Shared, body: &[u8]) -> Result<OpenedCallback, OpenError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    shared.ring.get().open(body, now.as_secs(), shared.config.freshness)
}

/// The whole body and the room it takes, unless it grows past the limit or there is no room.
async fn read(
    body: Body,
    length: Option<usize>,
    shared: &Shared,
) -> Result<(Bytes, OwnedSemaphorePermit), Rejection> {
    const TOO_LARGE: Rejection = (RejectReason::Body, StatusCode::PAYLOAD_TOO_LARGE);
    let limit = shared.config.body_limit;
    if length.is_some_and(|length| length > limit) {
        return Err(TOO_LARGE);
    }
    let broken = |_| (RejectReason::Body, StatusCode::BAD_REQUEST);
    let mut chunks = body.into_data_stream();
    let mut room = take_room(shared, 0)?;
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(broken)?;
        let held = first.len() + whole.len();
        if held + chunk.len() > limit {
            return Err(TOO_LARGE);
        }
        // However small the pieces are, they take the room of the whole.
        let units = (held + chunk.len()).div_ceil(UNIT) - room.num_permits();
        room.merge(take_room(shared, units)?);
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
    let body = if whole.is_empty() { first } else { whole.freeze() };
    Ok((body, room))
}

/// So much more room, in units, or the answer that there is none.
fn take_room(shared: &Shared, units: usize) -> Result<OwnedSemaphorePermit, Rejection> {
    const NO_ROOM: Rejection = (RejectReason::Unavailable, StatusCode::SERVICE_UNAVAILABLE);
    // Never more than the body limit, which is far below what fits.
    let units = u32::try_from(units).map_err(|_| NO_ROOM)?;
    Arc::clone(&shared.room).try_acquire_many_owned(units).map_err(|_| NO_ROOM)
}
