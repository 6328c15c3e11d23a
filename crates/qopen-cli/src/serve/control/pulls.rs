//! Pulls over the control API: started, listed, shown, resumed and ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use qopen::engine::PullFigures;
use qopen::journal::PullState;
use qopen::types::MarkId;
use qopen::{PullError, PullRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::guards::Guards;
use crate::kept::note::NoteLine;
use crate::kept::pull::{Line, PullName};
use crate::lang::phrase;
use crate::report;
use crate::robots;
use crate::serve::service::{ActError, Service};

/// The service behind the API.
pub(super) type Shared = State<Arc<Service>>;

/// The body of a request for a pull.
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
    whole.map(Some).ok_or_else(|| serde::de::Error::custom("expected a whole number, 0 or more"))
}

/// Up to here, a floating-point number represents every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The query of a route that has no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

pub(super) async fn start(
    State(service): Shared,
    _: Query<NoQuery>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let wrong = |what: &str, error: &(dyn std::error::Error + 'static)| {
        Refusal::of(StatusCode::BAD_REQUEST, what, error)
    };
    if body.is_empty() {
        let message = "the request has no body; send JSON such as {\"robot_id\":\"ROBOT_ID\"}, with `content-type: application/json`";
        return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
    }
    // A struct is also read from an array, whose values have no names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        let message = "the body is not a JSON object; send one such as {\"robot_id\":\"ROBOT_ID\"}";
        return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
    }
    let asked: StartRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("the body is not a request", &error))?;
    let unusable =
        |name: &str, why: &str| Refusal(StatusCode::BAD_REQUEST, format!("{name}: {why}").into());
    let robot = robots::one(&asked.robot_id).map_err(|why| unusable("robot_id", why.english()))?;
    if let Some(why) = service.cannot_name(&robot) {
        return Err(unusable("robot_id", why.english()));
    }
    let too_long = service.too_long(&robot, None).await;
    if let Some(why) = too_long.map_err(|error| Refusal::journal(&error))? {
        return Err(unusable("robot_id", why.english()));
    }
    let mut request = PullRequest::new(robot).need_tag_info(asked.need_tag_info);
    if let Some(mark @ ("." | "..")) = asked.mark_id.as_deref() {
        return Err(unusable(
            "mark_id",
            &format!("{mark:?} cannot be in a path; choose another name"),
        ));
    }
    if let Some(mark) = &asked.mark_id {
        robots::visible(mark).map_err(|why| unusable("mark_id", why.english()))?;
        request = request.mark_id(MarkId::new(mark).map_err(|error| wrong("mark_id", &error))?);
    }
    request.expect_accounts = asked.expect_accounts;
    if service.is_stopping() {
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "stopping".into()));
    }
    let id = service.start(request, None, &Guards::default()).await?;
    let answer = PullName::from(&id);
    // Another robot's pull may have the mark.
    let location = answer.path("");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(answer)).into_response())
}

/// The query that identifies a pull, besides the mark in the path.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// The robot, required if pulls of several robots have the mark.
    pub(super) robot_id: Option<String>,
    /// The mark in place of the path's: no path holds `.` and `..`.
    pub(super) mark_id: Option<String>,
}

pub(super) async fn show(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(view(&service, &known(&service, &mark, &of).await?)))
}

/// Returns the notes of a pull.
pub(super) async fn notes(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Json<Value>, Refusal> {
    let state = known(&service, &mark, &of).await?;
    let notes: Vec<NoteLine> = state.notes.iter().map(NoteLine::of).collect();
    Ok(Json(json!({ "notes": notes })))
}

/// Reads the whole journal.
pub(super) async fn check(State(service): Shared, _: Query<NoQuery>) -> Result<Response, Refusal> {
    // One check at a time, because each reads the whole disk.
    let Ok(_checking) = service.checking.try_lock() else {
        return Err(Refusal(
            StatusCode::CONFLICT,
            phrase!(
                "the journal is being checked already; try again",
                "持久化存储正在检查中；请重试",
            ),
        ));
    };
    Ok(Json(crate::kept::pull::check(&*service.journal).await?).into_response())
}

/// Returns the state of the pull that a request names. If pulls of several robots have the mark, the request
/// must name the robot.
pub(super) async fn known(service: &Service, mark: &str, of: &Of) -> Result<PullState, Refusal> {
    let mark = MarkId::new(of.mark_id.as_deref().unwrap_or(mark));
    let mark = mark.map_err(|_| Refusal::unknown())?;
    let found = service.of_mark(&mark, of.robot_id.as_deref()).await;
    let mut found = found.map_err(|error| Refusal::journal(&error))?;
    if found.len() > 1 {
        let robots: Vec<&str> = found.iter().map(|it| it.pull.robot_id.as_str()).collect();
        let message = phrase!(
            "pulls of several robots have the mark {mark}; name one in the query as robot_id: {robots}",
            "多个机器人的拉取都有标记 {mark}；请在查询中以 robot_id 指定其一：{robots}",
            mark = mark,
            robots = robots.join(", "),
        );
        return Err(Refusal(StatusCode::CONFLICT, message));
    }
    found.pop().ok_or_else(Refusal::unknown)
}

/// Describes a pull by its notes and its progress.
pub(super) fn view(service: &Service, state: &PullState) -> Value {
    // Plain data always encodes.
    let mut view = serde_json::to_value(Line::of(state)).unwrap_or_default();
    let figures = service.pulls.find(&state.pull).and_then(|it| it.figures());
    let Some(figures) = figures else { return view };
    add_progress(&mut view, &figures);
    view
}

fn add_progress(view: &mut Value, figures: &PullFigures) {
    let progress = &figures.progress;
    // The published revision may be later than the one at the end of the pull.
    if !view["output"].is_string() {
        view["accounts"] = progress.figures.accounts.into();
        view["pages"] = progress.figures.pages.into();
        view["revision"] = progress.figures.revision.into();
    }
    view["duplicate_pages"] = progress.figures.duplicate_pages.into();
    view["conflicts"] = progress.figures.conflicts.into();
    view["last_page_seen"] = progress.figures.last_page_seen.into();
    match &figures.ended {
        None => {
            view["status"] = "open".into();
            view["waiting_for"] = report::waiting_for(progress.waiting_for).en.into();
        }
        Some(status) => {
            view["status"] = status.end_state().as_str().into();
            view["why"] = status.to_string().into();
        }
    }
}

/// The query of the end of a pull.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndQuery {
    robot_id: Option<String>,
    mark_id: Option<String>,
    #[serde(default)]
    purge: bool,
}

/// Ends an open pull, or deletes an ended one with everything that is kept of it. With `purge`, ends an open
/// pull without a list and deletes it.
pub(super) async fn end(
    State(service): Shared,
    mark: Path<String>,
    Query(query): Query<EndQuery>,
) -> Result<StatusCode, Refusal> {
    let of = Of { robot_id: query.robot_id, mark_id: query.mark_id };
    let state = known(&service, &mark, &of).await?;
    let is_open = service.pulls.find(&state.pull).is_some_and(|it| it.is_open());
    if is_open || state.ended().is_none() {
        if !query.purge {
            service.pulls.cancel(&state.pull).await?;
            return Ok(StatusCode::ACCEPTED);
        }
        if !service.pulls.end_unpublished(&state.pull).await? {
            return Ok(StatusCode::ACCEPTED);
        }
    }
    let remains = service.remains(&state.pull).await.map_err(PullError::Journal)?;
    if !service.pulls.purge(&state.pull).await? {
        return Err(Refusal(
            StatusCode::CONFLICT,
            phrase!(
                "a publication to the same place is running; try again",
                "正在向同一位置发布；请重试",
            ),
        ));
    }
    if let Some(remains) = remains {
        // The runtime's end ends it early.
        let _ = tokio::task::spawn_blocking(|| remains.remove()).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes a held list.
pub(super) async fn accept(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Response, Refusal> {
    let state = known(&service, &mark, &of).await?;
    service.accept(&state).await.map_err(|error| refused(error, &state))?;
    Ok((StatusCode::ACCEPTED, Json(PullName::from(&state.pull))).into_response())
}

fn refused(error: ActError, state: &PullState) -> Refusal {
    let why = match error {
        ActError::NotHeld => crate::journal::NOT_HELD.into(),
        ActError::Superseded => crate::journal::SUPERSEDED.into(),
        ActError::Held => crate::journal::held(&state.pull),
        ActError::Pull(error) => return error.into(),
    };
    Refusal(StatusCode::CONFLICT, why)
}

/// Resumes an ended pull. An open pull continues.
pub(super) async fn resume(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Response, Refusal> {
    let state = known(&service, &mark, &of).await?;
    service.resume(&state).await.map_err(|error| refused(error, &state))?;
    Ok((StatusCode::ACCEPTED, Json(PullName::from(&state.pull))).into_response())
}
