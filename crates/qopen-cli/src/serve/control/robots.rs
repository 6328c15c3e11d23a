//! Robots over the control API: their last lists, for readers that start no pull.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use qopen::journal::{Comparison, Journal, PullState};
use qopen::sink::file_name;
use qopen::types::{AccountId, RobotId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::accounts::{NO_RANGES, content_type, flow, layout};
use super::pulls::{NoQuery, Shared};
use super::refusal::Refusal;
use crate::format::{CsvArgs, Language, Layout, OutputFormat};
use crate::journal::time;
use crate::kept::listed::Listed;
use crate::serve::service::Service;

/// Lists of a robot that are shown, the last one included.
const TREND: usize = 10;

/// A robot of the journal.
#[derive(Serialize)]
struct RobotLine {
    robot_id: String,
    /// The last list that was published.
    last: Option<ListLine>,
    /// The last lists that were published, oldest first.
    lists: Vec<ListLine>,
    /// The pulls that have not ended.
    open: Vec<String>,
    /// The next time of a schedule.
    next: Option<String>,
}

/// A published list.
#[derive(Serialize)]
struct ListLine {
    mark_id: String,
    revision: u32,
    accounts: u64,
    published: String,
    /// Seconds since the publication, by the clock of this machine.
    age_s: u64,
    output: String,
    changes: Option<Comparison>,
}

impl ListLine {
    fn of(state: &PullState, now: SystemTime) -> Option<Self> {
        let Listed { at, revision, accounts, location, changes, .. } = Listed::of(state)?;
        Some(Self {
            mark_id: state.pull.mark_id.to_string(),
            revision,
            accounts,
            published: time(at),
            age_s: now.duration_since(at).unwrap_or_default().as_secs(),
            output: location.to_owned(),
            changes: changes.cloned(),
        })
    }
}

/// Lists the robots that the journal has pulls of, by their ids.
pub(super) async fn list(
    State(service): Shared,
    _: Query<NoQuery>,
) -> Result<Json<Value>, Refusal> {
    let mut robots: BTreeMap<RobotId, Vec<PullState>> = BTreeMap::new();
    for state in crate::journal::all(&*service.journal).await? {
        robots.entry(state.pull.robot_id.clone()).or_default().push(state);
    }
    let (now, at) = (SystemTime::now(), Timestamp::now());
    let lines = robots.into_iter().map(|(robot, mut pulls)| {
        pulls.sort_by_key(|it| it.order);
        let open = pulls.iter().filter(|it| it.ended().is_none());
        let open = open.map(|it| it.pull.mark_id.to_string()).collect();
        let last = last_of(&pulls).filter(|it| !it.is_superseded());
        let last = last.and_then(|it| ListLine::of(it, now));
        let mut lists: Vec<_> = pulls.iter().filter_map(|it| ListLine::of(it, now)).collect();
        lists.drain(..lists.len().saturating_sub(TREND));
        let next = service.planned.as_ref().and_then(|it| it.next_of(&robot, at));
        let next = next.map(|it| time(it.into()));
        RobotLine { robot_id: robot.to_string(), last, lists, open, next }
    });
    Ok(Json(json!({ "robots": lines.collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LastQuery {
    #[serde(default)]
    format: OutputFormat,
    #[serde(default)]
    bom: bool,
    #[serde(default)]
    csv_safe: bool,
    labels: Option<Language>,
    /// The last customer that the client has.
    after: Option<String>,
    /// The robot in place of the path's: no path holds `.` and `..`.
    robot_id: Option<String>,
}

/// Streams the last list of a robot that was published, so far as the client does not have it.
pub(super) async fn accounts(
    State(service): Shared,
    Path(robot): Path<String>,
    method: Method,
    Query(query): Query<LastQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let LastQuery { format, bom, csv_safe, labels, after, robot_id } = query;
    let layout = layout(format, CsvArgs { bom, csv_safe, labels })?;
    let after = match after.as_deref().map(AccountId::new).transpose() {
        Ok(after) => after,
        Err(error) => return Err(Refusal::of(StatusCode::BAD_REQUEST, "after", &error)),
    };
    let unknown = || Refusal(StatusCode::NOT_FOUND, "no list of this robot is published".into());
    let robot = RobotId::new(robot_id.unwrap_or(robot)).map_err(|_| unknown())?;
    let gone = || {
        let message = "pages of the list are not in the journal any more; read it where it was published, or pull it again";
        Refusal(StatusCode::GONE, message.into())
    };
    let state = last_published(&service, &robot).await?.ok_or_else(unknown)?;
    // A pull that was deleted since had replaced the list of a superseded one.
    let listed = Listed::of(&state).filter(|_| !state.is_superseded());
    let Listed { at, revision, .. } = listed.ok_or_else(gone)?;
    // The position distinguishes the list from one of a deleted pull that had the same mark.
    let mut tag = format!("{}-{}.{revision}", file_name(state.pull.mark_id.as_str()), state.order);
    if layout != Layout::default() {
        tag.push_str(&format!(".{}", layout.query()));
    }
    // A reload may change the zone.
    if let Some(zone) = layout.zone() {
        tag.push_str(&format!(".zone={}", file_name(&zone)));
    }
    if let Some(after) = &after {
        tag.push_str(&format!(".after={}", file_name(after.as_str())));
    }
    let tag = format!("\"{tag}\"");
    let mut response = match is_known(&headers, &tag) {
        // The pages need not be read.
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let journal: Arc<dyn Journal> = Arc::clone(&service.journal) as _;
            let list = qopen::engine::published_list(&journal, &state).await;
            let list = list.map_err(|error| Refusal::journal(&error))?.ok_or_else(gone)?;
            let kind = [(header::CONTENT_TYPE, content_type(layout))];
            let body = match method {
                Method::HEAD => Body::empty(),
                _ => flow(&service, list, layout, after),
            };
            (kind, [NO_RANGES], body).into_response()
        }
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    // For people. A condition needs the tag: two lists may have the same second, and a clock may go back.
    if let Ok(at) = HeaderValue::try_from(httpdate::fmt_http_date(at)) {
        headers.insert(header::LAST_MODIFIED, at);
    }
    if let Ok(mark) = HeaderValue::try_from(file_name(state.pull.mark_id.as_str())) {
        headers.insert("qopen-mark", mark);
    }
    headers.insert("qopen-revision", revision.into());
    Ok(response)
}

/// Returns the pull of a robot's last published list. A list that is held or being written is none.
async fn last_published(service: &Service, robot: &RobotId) -> Result<Option<PullState>, Refusal> {
    let pulls = service.journal.pulls_of(robot).await;
    let pulls = pulls.map_err(|error| Refusal::journal(&error))?;
    Ok(last_of(&pulls).cloned())
}

fn last_of(pulls: &[PullState]) -> Option<&PullState> {
    pulls.iter().filter(|it| it.published().is_some()).max_by_key(|it| it.order)
}

/// Whether the client has the list of this tag.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    values.filter_map(|it| it.to_str().ok()).any(|value| {
        value.trim() == "*" || value.split(',').any(|it| it.trim().trim_start_matches("W/") == tag)
    })
}
