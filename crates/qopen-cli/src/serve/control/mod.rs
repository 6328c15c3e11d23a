//! The control API: pulls are started, watched, read and ended over HTTP.

mod accounts;
mod after;
mod body;
mod changes;
mod changes_in_database;
mod doors;
mod events;
mod host;
mod listing;
mod pulls;
mod quarantine;
mod refusal;
mod robots;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use qopen::callback::listener::Listener;
use qopen::types::Secret;
use subtle::ConstantTimeEq as _;

use super::console::{self, Console};
use super::metrics;
use super::service::Service;
use crate::format::OutputFormat;
use crate::lang::phrase;
pub(super) use body::whole;
pub(super) use doors::Doors;
pub(crate) use host::Host;
use pulls::Shared;
pub(super) use refusal::Refusal;

/// The description of the API. A test compares it with the routes.
const OPENAPI: &str = include_str!("openapi.json");

/// The description of this build.
fn described() -> std::borrow::Cow<'static, str> {
    if OutputFormat::named("parquet").is_err() {
        return OPENAPI.into();
    }
    let formats = OPENAPI.replace(r#""csv", "xlsx"]"#, r#""csv", "xlsx", "parquet"]"#);
    let types = r#""text/csv": { "schema": { "type": "string" } },"#;
    let more = r#""application/vnd.apache.parquet": { "schema": { "type": "string", "format": "binary" } },"#;
    formats.replace(types, &[types, more].concat()).into()
}

/// Returns every route. A token is required by all but the probes and the description. All but the probes
/// refuse requests that a page of another site may have sent.
pub(super) fn router(
    service: Arc<Service>,
    token: Option<Secret>,
    doors: Doors,
    callbacks: Listener,
    console: Arc<Console>,
) -> Router {
    let figures = async move |State(service): Shared| {
        let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
        (kind, metrics::text(&service, &callbacks).await)
    };
    let guarded = Router::new()
        .route("/v1/pulls", get(listing::list).post(pulls::start))
        .route("/v1/pulls/{mark_id}", get(pulls::show).delete(pulls::end))
        .route("/v1/pulls/{mark_id}/notes", get(pulls::notes))
        .route("/v1/pulls/{mark_id}/accounts", get(accounts::accounts))
        .route("/v1/pulls/{mark_id}/resume", post(pulls::resume))
        .route("/v1/pulls/{mark_id}/accept", post(pulls::accept))
        .route("/v1/pulls/{mark_id}/events", get(events::events))
        .route("/v1/robots", get(robots::list))
        .route("/v1/robots/{robot_id}/accounts", get(robots::accounts))
        .route("/v1/robots/{robot_id}/changes", get(changes::changes))
        .route("/v1/quarantine", get(quarantine::list))
        .route("/v1/quarantine/retry", post(quarantine::retry))
        .route("/v1/quarantine/{item}", get(quarantine::show))
        .route("/v1/quarantine/{item}/release", post(quarantine::release))
        .route("/v1/journal/check", post(pulls::check))
        .route("/metrics", get(figures))
        .layer(middleware::from_fn(doors::only_json))
        .layer(middleware::from_fn_with_state(token.map(Arc::new), authorise));
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route(
            "/openapi.json",
            get(async || ([(header::CONTENT_TYPE, "application/json")], described())),
        )
        .merge(guarded)
        .merge(console::router(console))
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "there is no such path".into()))
        .layer(middleware::from_fn_with_state(Arc::new(doors), doors::guard))
        .with_state(service)
}

async fn authorise(
    State(token): State<Option<Arc<Secret>>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|it| it.as_bytes().strip_prefix(b"Bearer "));
    let right = |token: &Secret| {
        given.is_some_and(|given| bool::from(given.ct_eq(token.expose().as_bytes())))
    };
    if token.as_deref().is_none_or(right) {
        return next.run(request).await;
    }
    let refusal = phrase!(
        "this request needs the right bearer token; see QOPEN_CONTROL_TOKEN",
        "此请求需要正确的 bearer 令牌；参见 QOPEN_CONTROL_TOKEN",
    );
    let refusal = Refusal(StatusCode::UNAUTHORIZED, refusal);
    ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response()
}

async fn ready(State(service): Shared) -> Response {
    let unavailable =
        |why: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, why.into()).into_response();
    if service.is_stopping() {
        return unavailable("stopping");
    }
    if let Some((name, _)) = service.tasks.all().into_iter().find(|(_, it)| it.down) {
        return unavailable(&format!("the task {name} has ended, and is restarted"));
    }
    match service.journal.stats().healthy {
        true => "ready".into_response(),
        false => unavailable("the journal cannot be written"),
    }
}
