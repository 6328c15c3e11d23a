//! Requests that are not answered `success`, and their explanations.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use qopen::callback::receiver::is_echo_check;
use qopen::callback::{Keyring, RejectReason};
use tokio::sync::mpsc;

use crate::explain::Steps;
use crate::lang::phrase;
use crate::report::Came;
use crate::say::one_line;
use crate::topics::{self, callbacks};

/// A request that was refused.
pub(super) struct Refused {
    method: Method,
    path: String,
    status: StatusCode,
    /// The text of the answer.
    reason: String,
    /// Whether a console checked the URL.
    is_echo: bool,
    /// Unless it is too large to wait for its explanation.
    body: Option<Vec<Bytes>>,
}

/// Bytes of a body that is explained step by step, at most.
const BODY: usize = 1 << 20;

/// Copies a body while the receiver reads it, by its rules, and tells of the request if it is refused.
pub(super) async fn look(
    State(tell): State<mpsc::Sender<Refused>>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or_default();
    let is_echo = is_echo_check(method.as_str(), query);
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let copies = Arc::clone(&pieces);
    let request = request.map(|body| {
        Body::from_stream(body.into_data_stream().inspect_ok(move |piece: &Bytes| {
            copies.lock().unwrap_or_else(PoisonError::into_inner).push(piece.clone());
        }))
    });
    let response = next.run(request).await;
    let status = response.status();
    if status == StatusCode::OK {
        return response;
    }
    let (parts, body) = response.into_parts();
    // The receiver's own answers are a few words.
    let text = to_bytes(body, 1024).await.unwrap_or_default();
    let reason = String::from_utf8_lossy(&text).into_owned();
    let body = std::mem::take(&mut *pieces.lock().unwrap_or_else(PoisonError::into_inner));
    let is_small = body.iter().map(Bytes::len).sum::<usize>() <= BODY;
    let body = is_small.then_some(body);
    // A flood is counted, not explained.
    let _ = tell.try_send(Refused { method, path, status, reason, is_echo, body });
    Response::from_parts(parts, text.into())
}

/// Requests that fail at one of the steps of opening.
const IN_STEPS: [RejectReason; 3] =
    [RejectReason::Malformed, RejectReason::AppKey, RejectReason::Signature];

/// The topics of the requests that were explained. Further ones are only counted.
#[derive(Default)]
pub(super) struct Explained(BTreeSet<&'static str>);

impl Explained {
    /// Returns the lines that explain a request, if it is the first of its topic.
    pub(super) fn of(
        &mut self,
        refused: &Refused,
        ring: &Keyring,
        came: impl FnOnce() -> Came,
    ) -> Vec<String> {
        let Refused { method, path, status, reason, is_echo, body } = refused;
        let topic = match *status {
            StatusCode::NOT_FOUND => Some(&callbacks::OTHER_PATHS),
            StatusCode::METHOD_NOT_ALLOWED if *is_echo => Some(&callbacks::ECHO_CHECKS),
            StatusCode::METHOD_NOT_ALLOWED => Some(&callbacks::OTHER_METHODS),
            _ => topics::named(&format!("rejected-{reason}")),
        };
        let Some(name) = topic.map(|it| it.name).filter(|it| self.0.insert(it)) else {
            return Vec::new();
        };
        let is_in_steps = IN_STEPS.iter().any(|it| it.as_str() == reason);
        let lines: Vec<String> = match body.as_ref().filter(|_| is_in_steps) {
            Some(body) => Steps::of(&body.concat(), ring).into_lines(),
            None => {
                let findings = came().findings();
                let of_topic = findings.iter().filter(|it| it.topic.name == name);
                of_topic.map(|it| format!("      {}", it.sentence().shown())).collect()
            }
        };
        let (path, code) = (one_line(path), status.as_u16());
        let title = phrase!(
            "refused request, {method} {path}, answered {code}:",
            "被拒绝的请求，{method} {path}，应答 {code}：",
            method = method,
            path = path,
            code = code,
        );
        std::iter::once(title.shown().to_owned()).chain(lines).collect()
    }
}
