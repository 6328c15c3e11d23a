//! The control API: pulls are started, watched, read and ended over HTTP.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use qopen::callback::listener::Listener;
use qopen::journal::{Note, PullId, PullState};
use qopen::sink::{Format, StreamSink, file_name};
use qopen::types::{MarkId, RobotId, Secret};
use qopen::{PullError, PullRequest};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::sync::{mpsc, watch};

use super::metrics;
use super::service::{Live, Service};
use crate::exit::chain;
use crate::pulls::Line;
use crate::report;

/// What describes the API; a test holds it against the routes.
const OPENAPI: &str = include_str!("openapi.json");

/// Pieces of a list that wait for a slow reader.
const PIECES: usize = 16;

/// How often it is looked what became of a pull that another process has.
const ELSEWHERE: Duration = Duration::from_millis(500);

type Shared = State<Arc<Service>>;

/// Every route. With a token, all but the probes ask for it.
pub(super) fn router(service: Arc<Service>, token: Option<Secret>, callbacks: Listener) -> Router {
    let figures = async move |State(service): Shared| {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
        (kind, metrics::text(&service, &callbacks).await)
    };
    let guarded = Router::new()
        .route("/v1/pulls", get(list).post(start))
        .route("/v1/pulls/{mark_id}", get(show).delete(end))
        .route("/v1/pulls/{mark_id}/accounts", get(accounts))
        .route("/v1/pulls/{mark_id}/resume", post(resume))
        .route("/v1/pulls/{mark_id}/events", get(events))
        .route("/metrics", get(figures))
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
        .with_state(service)
}

/// Why a request is not answered as was hoped, as JSON with an `error`.
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

    fn internal(what: impl std::fmt::Display) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, what.to_string())
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
    expect_accounts: Option<u64>,
}

async fn start(State(service): Shared, body: Bytes) -> Result<Response, Refusal> {
    let wrong = |what: &str, error: &dyn std::error::Error| {
        Refusal::of(StatusCode::BAD_REQUEST, what, error)
    };
    let asked: StartRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("the body is not a request", &error))?;
    let robot = RobotId::new(&asked.robot_id).map_err(|error| wrong("robot_id", &error))?;
    if let Some(error) = service.cannot_name(&robot) {
        return Err(wrong("robot_id", &error));
    }
    let mut request = PullRequest::new(robot).need_tag_info(asked.need_tag_info);
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
    let answer = json!({ "robot_id": id.robot_id.as_str(), "mark_id": id.mark_id.as_str() });
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(answer)).into_response())
}

async fn list(State(service): Shared) -> Result<Json<Value>, Refusal> {
    let all = crate::journal::all(&*service.journal).await.map_err(Refusal::internal)?;
    let all: Vec<Value> = all.iter().map(|state| view(&service, state)).collect();
    Ok(Json(json!({ "pulls": all })))
}

async fn show(State(service): Shared, mark: Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(view(&service, &known(&service, &mark).await?)))
}

/// The pull of that mark, as the journal knows it.
async fn known(service: &Service, mark: &str) -> Result<PullState, Refusal> {
    let unknown = || Refusal(StatusCode::NOT_FOUND, "there is no pull of this mark".into());
    let mark = MarkId::new(mark).map_err(|_| unknown())?;
    service.of_mark(&mark).await.map_err(Refusal::internal)?.ok_or_else(unknown)
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
async fn end(State(service): Shared, mark: Path<String>) -> Result<StatusCode, Refusal> {
    let state = known(&service, &mark).await?;
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
async fn resume(State(service): Shared, mark: Path<String>) -> Result<Response, Refusal> {
    let state = known(&service, &mark).await?;
    service.resume(&state).await?;
    let PullId { robot_id, mark_id } = &state.pull;
    let answer = json!({ "robot_id": robot_id.as_str(), "mark_id": mark_id.as_str() });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

#[derive(Deserialize)]
struct AccountsQuery {
    #[serde(default)]
    partial: bool,
}

/// The list, one JSON object a line. It begins to flow when all of it is there; one that breaks off
/// is not the list.
async fn accounts(
    State(service): Shared,
    mark: Path<String>,
    query: Query<AccountsQuery>,
) -> Result<Response, Refusal> {
    let state = known(&service, &mark).await?;
    let Some(list) = service.client.list(&state.pull).await? else {
        let message = "the pull is under way; its list is not complete yet";
        return Err(Refusal(StatusCode::CONFLICT, message.into()));
    };
    let (revision, complete) = (list.revision(), list.revision() > 0);
    if !complete && !query.partial {
        let why = state.ended().map(|noted| match &noted.note {
            Note::Ended { why, .. } => why.as_str(),
            _ => "the list is not complete",
        });
        let message = format!("{}; ?partial=true gives what there is", why.unwrap_or_default());
        return Err(Refusal(StatusCode::CONFLICT, message));
    }
    let (pieces, flow) = mpsc::channel(PIECES);
    let sink = StreamSink::new(Pieces(pieces.clone()), Format::Jsonl);
    let sink = Arc::new(sink.in_folder(service.scratch.as_deref()));
    let lists = vec![list];
    tokio::spawn(async move {
        // What is sent here is what is there; whether that is all of it is said by the header.
        if let Err(error) = qopen::read_out(lists, sink).await {
            let error = io::Error::other(chain("the list", &error));
            // The connection breaks, so that nobody takes this for the end.
            let _ = pieces.send(Err(error)).await;
        }
    });
    let flow = stream::unfold(flow, |mut flow| async { Some((flow.recv().await?, flow)) });
    let headers = [
        ("content-type", "application/x-ndjson".to_owned()),
        ("qopen-complete", complete.to_string()),
        ("qopen-revision", revision.to_string()),
    ];
    Ok((headers, Body::from_stream(flow)).into_response())
}

/// A writer whose pieces somebody else sends on.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pull's progress as it changes, and its end, as server-sent events.
async fn events(
    State(service): Shared,
    mark: Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let state = known(&service, &mark).await?;
    let (live, stopping) = (None, service.stopping.clone());
    let follow = Follow { service, id: state.pull, live, stopping, last: None };
    let flow = stream::unfold(Some(follow), |follow| async {
        let mut follow = follow?;
        let (view, ended) = follow.next().await?;
        let event = Event::default().event(if ended { "end" } else { "progress" });
        let event = event.data(view.to_string());
        Some((Ok(event), (!ended).then_some(follow)))
    });
    Ok(Sse::new(flow).keep_alive(KeepAlive::default()))
}

struct Follow {
    service: Arc<Service>,
    id: PullId,
    live: Option<watch::Receiver<Option<Live>>>,
    stopping: watch::Receiver<bool>,
    /// What was said last.
    last: Option<Value>,
}

impl Follow {
    /// What is to be said next, and whether it is the last.
    async fn next(&mut self) -> Option<(Value, bool)> {
        loop {
            if self.last.is_some() {
                let changed = async {
                    match &mut self.live {
                        Some(live) => live.changed().await.is_ok(),
                        // Nobody has it yet, or another process.
                        None => {
                            tokio::time::sleep(ELSEWHERE).await;
                            true
                        }
                    }
                };
                tokio::select! {
                    // Where it is followed no more, the journal says what became of it.
                    still = changed => if !still { self.live = None },
                    _ = self.stopping.wait_for(|it| *it) => return None,
                }
            }
            if self.live.is_none() {
                self.live = self.service.find(&self.id).map(|it| it.live);
            }
            let ended = |live: &Live| live.ended.is_some();
            let followed = match &mut self.live {
                Some(live) => live.borrow_and_update().as_ref().is_some_and(ended),
                None => false,
            };
            let Ok(state) = self.service.journal.pull(&self.id).await else {
                // The journal is away; what becomes of the pull is said when it is back.
                tokio::time::sleep(ELSEWHERE).await;
                continue;
            };
            let state = state?;
            let over = followed || self.live.is_none() && crate::journal::status(&state) != "open";
            let view = view(&self.service, &state);
            if over || self.last.as_ref() != Some(&view) {
                self.last = Some(view.clone());
                return Some((view, over));
            }
        }
    }
}
