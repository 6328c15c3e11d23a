//! The control API: pulls are started, watched, read and ended over HTTP.

mod accounts;
mod doors;
mod events;
mod host;
mod quarantine;

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use qopen::callback::listener::Listener;
use qopen::journal::{JournalError, PullState};
use qopen::sink::file_name;
use qopen::types::{MarkId, RobotId, Secret};
use qopen::{PullError, PullRequest};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::metrics;
use super::service::{Live, Service};
use crate::exit::{Failure, chain};
use crate::pulls::{Line, NoteLine, PullName};
use crate::report;
pub(super) use doors::Doors;
pub(crate) use host::Host;

/// What describes the API; a test holds it against the routes.
const OPENAPI: &str = include_str!("openapi.json");

type Shared = State<Arc<Service>>;

/// Every route. With a token, all but the probes and the description ask for it. All but the probes refuse
/// what a page of another site may have sent.
pub(super) fn router(
    service: Arc<Service>,
    token: Option<Secret>,
    doors: Doors,
    callbacks: Listener,
) -> Router {
    let figures = async move |State(service): Shared| {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
        (kind, metrics::text(&service, &callbacks).await)
    };
    let guarded = Router::new()
        .route("/v1/pulls", get(list).post(start))
        .route("/v1/pulls/{mark_id}", get(show).delete(end))
        .route("/v1/pulls/{mark_id}/notes", get(notes))
        .route("/v1/pulls/{mark_id}/accounts", get(accounts::accounts))
        .route("/v1/pulls/{mark_id}/resume", post(resume))
        .route("/v1/pulls/{mark_id}/events", get(events::events))
        .route("/v1/quarantine", get(quarantine::list))
        .route("/v1/quarantine/retry", post(quarantine::retry))
        .route("/v1/quarantine/{item}", get(quarantine::show))
        .route("/v1/quarantine/{item}/release", post(quarantine::release))
        .route("/v1/journal/check", post(check))
        .route("/metrics", get(figures))
        .layer(middleware::from_fn(doors::only_json))
        .layer(middleware::from_fn_with_state(token.map(Arc::new), authorise));
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route(
            "/openapi.json",
            get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)),
        )
        .merge(guarded)
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "there is no such path".into()))
        .layer(middleware::from_fn_with_state(Arc::new(doors), doors::guard))
        .with_state(service)
}

/// Why a request is not answered as was hoped, as JSON with an `error`.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl Refusal {
    fn of(status: StatusCode, what: &str, error: &dyn std::error::Error) -> Self {
        Self(status, chain(what, error))
    }

    fn journal(error: &JournalError) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, "the journal", error)
    }

    fn unknown() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no pull of this mark".into())
    }
}

/// What fails for everything that a journal is asked is the journal.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, failure.to_string())
    }
}

impl From<PullError> for Refusal {
    fn from(error: PullError) -> Self {
        let status = match &error {
            PullError::Start(_) | PullError::InJournal | PullError::UnderWay => {
                StatusCode::CONFLICT
            }
            PullError::NotInJournal => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::of(status, "", &error)
    }
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
    let refusal = "a bearer token is asked for, and this is not it; see QOPEN_CONTROL_TOKEN";
    let refusal = Refusal(StatusCode::UNAUTHORIZED, refusal.into());
    ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response()
}

async fn ready(State(service): Shared) -> Response {
    let unavailable =
        |why: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, why.into()).into_response();
    if service.is_stopping() {
        return unavailable("stopping");
    }
    if let Some((name, _)) = service.tasks.all().into_iter().find(|(_, it)| it.down) {
        return unavailable(&format!("the task {name} has ended, and is begun again"));
    }
    match service.journal.stats().healthy {
        true => "ready".into_response(),
        false => unavailable("the journal cannot be written"),
    }
}

/// What to pull.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartRequest {
    robot_id: String,
    mark_id: Option<String>,
    #[serde(default)]
    need_tag_info: bool,
    #[serde(default, deserialize_with = "whole")]
    expect_accounts: Option<u64>,
}

/// A whole number, which JSON may also spell as `10.0` or `1e1`.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let exact = number.as_f64().filter(|it| (0.0..EXACT).contains(it) && it.fract() == 0.0);
    let whole = number.as_u64().or(exact.map(|it| it as u64));
    whole.map(Some).ok_or_else(|| serde::de::Error::custom("it is a whole number, 0 or more"))
}

/// Up to this, a floating-point number is every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

async fn start(State(service): Shared, body: Bytes) -> Result<Response, Refusal> {
    let wrong = |what: &str, error: &dyn std::error::Error| {
        Refusal::of(StatusCode::BAD_REQUEST, what, error)
    };
    if body.is_empty() {
        let message = "the request has no body; send JSON such as {\"robot_id\":\"ROBOT_ID\"}, with `content-type: application/json`";
        return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
    }
    let asked: StartRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("the body is not a request", &error))?;
    let robot = RobotId::new(&asked.robot_id).map_err(|error| wrong("robot_id", &error))?;
    if let Some(error) = service.cannot_name(&robot) {
        return Err(wrong("robot_id", &error));
    }
    let mut request = PullRequest::new(robot).need_tag_info(asked.need_tag_info);
    if let Some(mark @ ("." | "..")) = asked.mark_id.as_deref() {
        let message = format!("mark_id: {mark:?} cannot be in a path; choose another name");
        return Err(Refusal(StatusCode::BAD_REQUEST, message));
    }
    if let Some(mark) = &asked.mark_id {
        request = request.mark_id(MarkId::new(mark).map_err(|error| wrong("mark_id", &error))?);
    }
    request.expect_accounts = asked.expect_accounts;
    if service.is_stopping() {
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "stopping".into()));
    }
    let id = service.start(request, None).await?;
    // A name in a path is spelled as one in a folder.
    let location = format!("/v1/pulls/{}", file_name(id.mark_id.as_str()));
    let answer = PullName::from(&id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(answer)).into_response())
}

/// Which view of pulls is wanted.
#[derive(Deserialize)]
struct ListQuery {
    /// Whether what this process knows of pulls under way is added to what the journal has.
    #[serde(default = "yes")]
    progress: bool,
}

fn yes() -> bool {
    true
}

async fn list(
    State(service): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    let all = crate::journal::all(&*service.journal).await?;
    if !query.progress {
        let all: Vec<Line> = all.iter().map(Line::of).collect();
        return Ok(Json(json!({ "pulls": all })));
    }
    let all: Vec<Value> = all.iter().map(|state| view(&service, state)).collect();
    Ok(Json(json!({ "pulls": all })))
}

/// Whose pull is meant, where several robots' pulls have the mark.
#[derive(Deserialize)]
struct Of {
    robot_id: Option<String>,
}

impl Of {
    fn robot(&self) -> Option<&str> {
        self.robot_id.as_deref()
    }
}

async fn show(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(view(&service, &known(&service, &mark, of.robot()).await?)))
}

/// Everything that happened to a pull.
async fn notes(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Json<Value>, Refusal> {
    let state = known(&service, &mark, of.robot()).await?;
    let notes: Vec<NoteLine> = state.notes.iter().map(NoteLine::of).collect();
    Ok(Json(json!({ "notes": notes })))
}

/// Reads everything in the journal.
async fn check(State(service): Shared) -> Result<Response, Refusal> {
    // One at a time: each reads all of the disk.
    let Ok(_checking) = service.checking.try_lock() else {
        let message = "the journal is being checked already; try again";
        return Err(Refusal(StatusCode::CONFLICT, message.into()));
    };
    Ok(Json(crate::pulls::check(&*service.journal).await?).into_response())
}

/// The pull of that mark, of that robot or any, as the journal knows it.
async fn known(service: &Service, mark: &str, robot: Option<&str>) -> Result<PullState, Refusal> {
    let mark = MarkId::new(mark).map_err(|_| Refusal::unknown())?;
    let found = service.of_mark(&mark, robot).await;
    found.map_err(|error| Refusal::journal(&error))?.ok_or_else(Refusal::unknown)
}

/// What is kept of a pull, and what is known of it now.
fn view(service: &Service, state: &PullState) -> Value {
    // Plain data always encodes.
    let mut view = serde_json::to_value(Line::of(state)).unwrap_or_default();
    let live = service.find(&state.pull).and_then(|it| it.live.borrow().clone());
    let Some(live) = live else { return view };
    add_progress(&mut view, &live);
    view
}

fn add_progress(view: &mut Value, live: &Live) {
    let progress = &live.progress;
    // What was published may be a later revision than the one that the pull ended with.
    if !view["output"].is_string() {
        view["accounts"] = progress.accounts.into();
        view["pages"] = progress.pages.into();
        view["revision"] = progress.revision.into();
    }
    view["duplicate_pages"] = progress.duplicate_pages.into();
    view["conflicts"] = progress.conflicts.into();
    view["last_page_seen"] = progress.last_page_seen.into();
    match &live.ended {
        None => {
            view["status"] = "open".into();
            view["waiting_for"] = report::waiting_for(progress.waiting_for).into();
        }
        Some(ended) => {
            view["status"] = ended.status.into();
            view["why"] = ended.why.as_str().into();
        }
    }
}

/// Ends a pull that is open; deletes one that has ended, and everything that is kept of it.
async fn end(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<StatusCode, Refusal> {
    let state = known(&service, &mark, of.robot()).await?;
    let under_way = service.find(&state.pull).is_some_and(|it| it.is_under_way());
    if under_way || crate::journal::status(&state) == "open" {
        service.cancel(&state.pull).await?;
        return Ok(StatusCode::ACCEPTED);
    }
    if !service.purge(&state.pull).await? {
        let message = "a publication to the same place is running; try again";
        return Err(Refusal(StatusCode::CONFLICT, message.into()));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Resumes a pull that has ended. An open pull continues.
async fn resume(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Response, Refusal> {
    let state = known(&service, &mark, of.robot()).await?;
    service.resume(&state).await?;
    Ok((StatusCode::ACCEPTED, Json(PullName::from(&state.pull))).into_response())
}
