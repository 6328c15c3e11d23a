//! The platform's endpoints for robots and for customers by their ids.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use qopen_types::{
    AccountId, Endpoint, GetHostAccountList, GetPlatformRobotList, GetRobotAccountByIds,
    GetRobotAccountByIdsV2, GetRobotStatusSync, HostAccountListRequest, PlatformRobotListRequest,
    RobotAccountByIdsRequest, RobotAccountByIdsV2Request, RobotId, RobotStatusRequest,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::{NO_ROBOT, refuse, use_token};
use crate::dataset::Dataset;
use crate::robot::{Known, SimulatedRobot, SimulatedRobotKind};
use crate::schedule::Refusal;
use crate::state::Shared;

/// Elements of a request or of a page.
const LIMIT: usize = 100;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(GetHostAccountList::PATH, post(hosts))
        .route(GetPlatformRobotList::PATH, post(platform_robots))
        .route(GetRobotStatusSync::PATH, post(states))
        .route(GetRobotAccountByIds::PATH, post(by_ids))
        .route(GetRobotAccountByIdsV2::PATH, post(by_ids_v2))
}

async fn hosts(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let page = robots_request::<HostAccountListRequest>(&shared, &headers, &body).and_then(|it| {
        let robot = |it: &SimulatedRobot| {
            json!({"robot_id": it.robot_id, "name": it.name, "is_online": it.is_online, "open_robot_range": 2})
        };
        page(&shared, SimulatedRobotKind::Host, "host_account_list", (it.offset, it.limit), robot)
    });
    answered(page)
}

async fn platform_robots(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let page =
        robots_request::<PlatformRobotListRequest>(&shared, &headers, &body).and_then(|it| {
            let robot = |it: &SimulatedRobot| json!({"robot_id": it.robot_id, "name": it.name});
            page(&shared, SimulatedRobotKind::Platform, "robot_list", (it.offset, it.limit), robot)
        });
    answered(page)
}

fn robots_request<T: DeserializeOwned>(
    shared: &Shared,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Fault> {
    let schedule = &shared.config.schedule;
    let faults = (schedule.robots_not_offered, &schedule.robots_refused);
    shared.counts.robot_lists.fetch_add(1, Ordering::Relaxed);
    request(shared, faults, headers, body)
}

fn page(
    shared: &Shared,
    kind: SimulatedRobotKind,
    field: &str,
    (offset, limit): (i64, i64),
    robot: impl Fn(&SimulatedRobot) -> Value,
) -> Result<Value, Fault> {
    let robots = &shared.config.schedule.robots;
    let of_kind: Vec<_> = robots.iter().filter(|it| it.kind == kind).collect();
    let limit = usize::try_from(limit).ok().filter(|it| (1..=LIMIT).contains(it));
    let (Ok(offset), Some(limit)) = (usize::try_from(offset), limit) else {
        return Err(Fault::refused(40001, "offset is 0 or more, and limit 1 to 100"));
    };
    let rest = of_kind.get(offset..).unwrap_or_default();
    let mut list: Vec<Value> = rest.iter().take(limit).map(|it| robot(it)).collect();
    if kind == SimulatedRobotKind::Host && rest.len() <= limit {
        let damaged = 0..shared.config.schedule.robots_damaged;
        list.extend(damaged.map(|n| json!({"robot_id": {}, "name": n})));
    }
    // The gateway's encoder writes an empty list as null.
    let list = if list.is_empty() { Value::Null } else { json!(list) };
    Ok(json!({"has_more": rest.len() > limit, field: list}))
}

async fn states(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let schedule = &shared.config.schedule;
    let faults = (schedule.states_not_offered, &schedule.robots_refused);
    shared.counts.robot_states.fetch_add(1, Ordering::Relaxed);
    let data = request(&shared, faults, &headers, &body).and_then(|request: RobotStatusRequest| {
        let asked = request.robot_id_list;
        if asked.is_empty() || asked.len() > LIMIT {
            return Err(Fault::refused(40001, "robot_id_list has 1 to 100 robots"));
        }
        let (mut failed, mut states) = (Vec::new(), Vec::new());
        for robot in asked {
            match schedule.entry_of(&robot) {
                None if schedule.robots.is_empty() => {
                    states.push(json!({"robot_id": robot, "is_online": true, "enable": true}));
                }
                None => failed.push(robot),
                Some(it) if it.kind == SimulatedRobotKind::Platform => {
                    states.push(json!({"robot_id": robot, "enable": it.enabled}));
                }
                Some(it) => states.push(
                    json!({"robot_id": robot, "is_online": it.is_online, "enable": it.enabled}),
                ),
            }
        }
        Ok(json!({"failed_list": failed, "robot_status_list": states}))
    });
    answered(data)
}

async fn by_ids(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let is_absent = shared.config.schedule.by_ids_not_offered;
    let asked =
        by_ids_request(&shared, is_absent, &headers, &body).map(|it: RobotAccountByIdsRequest| {
            Asked {
                robot: it.robot_id,
                accounts: it.account_id_list,
                external: it.external_user_id_list,
                need_tag_info: it.need_tag_info,
            }
        });
    accounts(&shared, asked)
}

async fn by_ids_v2(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let schedule = &shared.config.schedule;
    let is_absent = schedule.by_ids_not_offered || schedule.by_ids_v2_not_offered;
    let asked = by_ids_request(&shared, is_absent, &headers, &body).map(
        |it: RobotAccountByIdsV2Request| Asked {
            robot: it.robot_id,
            accounts: it.account_id_list,
            external: it.external_user_id_list,
            need_tag_info: it.need_tag_info,
        },
    );
    accounts(&shared, asked)
}

/// A request by id of either version.
struct Asked {
    robot: RobotId,
    accounts: Vec<AccountId>,
    external: Vec<String>,
    need_tag_info: bool,
}

fn by_ids_request<T: DeserializeOwned>(
    shared: &Shared,
    is_absent: bool,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Fault> {
    let schedule = &shared.config.schedule;
    // The first ones are unavailable, whatever follows.
    let number = shared.counts.by_ids.fetch_add(1, Ordering::Relaxed);
    if number < schedule.by_ids_unavailable as u64 {
        return Err(Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let faults = (is_absent, &schedule.by_ids_refused);
    request(shared, faults, headers, body)
}

fn accounts(shared: &Shared, asked: Result<Asked, Fault>) -> Response {
    let Asked { robot, accounts, external, need_tag_info } = match asked {
        Ok(asked) => asked,
        Err(fault) => return fault.into_response(),
    };
    let schedule = &shared.config.schedule;
    let is_empty = accounts.is_empty() && external.is_empty();
    if is_empty || accounts.len() > LIMIT || external.len() > LIMIT {
        return refuse(40001, "a request has 1 to 100 ids");
    }
    if schedule.known(&robot) == Known::Unknown {
        return refuse(NO_ROBOT, "no such robot");
    }
    let generation = shared.last_request(&robot);
    let dataset = Dataset::of_generation(schedule, &robot, need_tag_info, generation);
    let accounts: BTreeSet<AccountId> = accounts.into_iter().collect();
    let found = dataset.customers().filter(|(account, _)| {
        let id = account.account_id.as_str();
        let external_id = &account.profile.external_user_id;
        let is_asked = accounts.contains(&account.account_id)
            || !external_id.is_empty() && external.contains(external_id);
        is_asked && !schedule.by_ids_missing.iter().any(|it| it == id)
    });
    // The text of an account is kept to the byte.
    let mut raws: Vec<&str> = found.map(|(_, raw)| raw).collect();
    let page = schedule.by_ids_page.unwrap_or(usize::MAX);
    let more = if raws.len() > page { r#""has_more":true,"# } else { "" };
    raws.truncate(page);
    let list = if raws.is_empty() { "null".to_owned() } else { format!("[{}]", raws.join(",")) };
    let data = match &schedule.by_ids_data {
        Some(data) => data.clone(),
        None => format!(r#"{{{more}"account_list":{list}}}"#),
    };
    format!(r#"{{"data":{data},"errcode":0,"errmsg":"","hint":"log-simulated"}}"#).into_response()
}

/// An answer without data.
enum Fault {
    Status(StatusCode),
    Refused(Refusal),
}

impl Fault {
    fn refused(code: i64, message: &str) -> Self {
        Self::Refused(Refusal { code, message: message.to_owned() })
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::Status(status) => status.into_response(),
            Self::Refused(Refusal { code, message }) => refuse(code, &message),
        }
    }
}

/// Reads a request, unless a fault answers it.
fn request<T: DeserializeOwned>(
    shared: &Shared,
    (is_absent, refusal): (bool, &Option<Refusal>),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Fault> {
    if is_absent {
        return Err(Fault::Status(StatusCode::NOT_FOUND));
    }
    if !use_token(shared, headers) {
        return Err(Fault::refused(42001, "token expired"));
    }
    if let Some(refusal) = refusal {
        return Err(Fault::Refused(refusal.clone()));
    }
    let wrong = |_| Fault::refused(40001, "the body is not what it should be");
    serde_json::from_slice(body).map_err(wrong)
}

fn answered(data: Result<Value, Fault>) -> Response {
    let answer = |data| json!({"data": data, "errcode": 0, "errmsg": "", "hint": "log-simulated"});
    data.map_or_else(IntoResponse::into_response, |data| answer(data).to_string().into_response())
}
