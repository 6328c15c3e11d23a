//! The page of a robot: its lists over time.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use qopen::journal::{PullId, PullOutline, PullState};
use qopen::types::RobotId;
use serde::Deserialize;

use super::changes::{gained, lost, signed};
use super::nav::Nav;
use super::page::{Page, Problem};
use super::plot::{Point, plot};
use super::pull::named::journal_failed;
use super::texts::robot as texts;
use super::visit::Visit;
use super::{Console, links, robots};
use crate::kept::listed::Listed;

/// Lists that are shown, the last ones.
const LISTS: usize = 100;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console/robot", get(show))
}

#[derive(Deserialize)]
struct Asked {
    robot_id: String,
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(Asked { robot_id }): Query<Asked>,
) -> Result<Page, Problem> {
    let unknown = || {
        Problem::filled(
            StatusCode::NOT_FOUND,
            visit.fill(&texts::NO_SUCH_ROBOT, &[&isolated(&robot_id)]),
        )
    };
    let robot = RobotId::new(&*robot_id).map_err(|_| unknown())?;
    let pulls = console.service.journal.pulls_of(&robot).await;
    let mut pulls = pulls.map_err(|error| journal_failed(&visit, &error))?;
    if pulls.is_empty() {
        return Err(unknown());
    }
    pulls.sort_by_key(|it| it.order);
    let schedules = console.service.planned.as_ref();
    let next = schedules.and_then(|it| it.next_of(&robot, Timestamp::now()));
    let body = html! {
        (facts(&visit, &pulls, next))
        (lists(&visit, &pulls))
    };
    Ok(Page::new(Nav::Robots, visit.fill(&texts::TITLE, &[&isolated(robot.as_str())]), body))
}

/// Keeps the direction of an id from the text around it.
fn isolated(id: &str) -> String {
    format!("\u{2068}{id}\u{2069}")
}

fn facts(visit: &Visit, pulls: &[PullState], next: Option<Timestamp>) -> Markup {
    let say = |text| visit.say(text);
    let last = pulls.iter().rev().find(|it| it.published().is_some());
    let last = last.filter(|it| !it.is_superseded()).map(PullOutline::of);
    let last = last.as_ref().and_then(|it| it.published.as_ref());
    let of = |is: fn(&PullState) -> bool| -> Vec<&PullId> {
        pulls.iter().rev().filter(|it| is(it)).map(|it| &it.pull).collect()
    };
    let open = of(|it| it.ended().is_none());
    let held = of(|it| it.held().is_some());
    html! {
        dl.facts.card {
            dt { (say(&texts::LAST)) }
            dd { @if last.is_some() { (robots::age(visit, last)) } @else { (say(&texts::NO_LIST)) } }
            dt { (say(&texts::CUSTOMERS)) }
            dd { @match last { Some(last) => (visit.number(last.accounts)), None => "–" } }
            dt { (say(&texts::DUE)) }
            dd { @match next { Some(next) => (visit.time(next.into())), None => (say(&texts::NOT_DUE)) } }
            @if !open.is_empty() {
                dt { (say(&texts::OPEN)) }
                dd { (marks(visit, &open)) }
            }
            @if !held.is_empty() {
                dt { (say(&texts::HELD)) }
                dd { (marks(visit, &held)) }
            }
        }
    }
}

/// Links to pulls, the last ones first.
fn marks(visit: &Visit, pulls: &[&PullId]) -> Markup {
    const SHOWN: usize = 10;
    html! {
        @for pull in pulls.iter().take(SHOWN) {
            a href=(links::pull(pull)) { code { bdi { (pull.mark_id) } } } " "
        }
        @if pulls.len() > SHOWN { (visit.fill(&texts::MORE, &[&(pulls.len() - SHOWN)])) }
    }
}

fn lists(visit: &Visit, pulls: &[PullState]) -> Markup {
    let say = |text| visit.say(text);
    let all = pulls.iter().filter_map(|it| Some((it, Listed::of(it)?)));
    let mut all: Vec<(&PullState, Listed<'_>)> = all.collect();
    all.drain(..all.len().saturating_sub(LISTS));
    let point = |(_, list): &(&PullState, Listed<'_>)| Point { at: list.at, size: list.accounts };
    let points: Vec<Point> = all.iter().map(point).collect();
    let time = |at: Option<&Point>| at.map_or(SystemTime::UNIX_EPOCH, |it| it.at);
    html! {
        h2 { (say(&texts::OVER_TIME)) }
        @if all.is_empty() {
            p.card { (say(&texts::NO_LISTS)) }
        } @else {
            @if points.len() > 1 {
                figure.card {
                    (plot(visit, &points))
                    figcaption {
                        (visit.time(time(points.first()))) " – " (visit.time(time(points.last())))
                    }
                }
            }
            div.scroll {
                table.stack {
                    caption { (visit.fill(&texts::CAPTION, &[&all.len()])) }
                    thead { tr {
                        th scope="col" { (say(&texts::PUBLISHED)) }
                        th.number scope="col" { (say(&texts::CUSTOMERS)) }
                        th.number scope="col" { (say(&texts::GAINED)) }
                        th.number scope="col" { (say(&texts::LOST)) }
                        th.number scope="col" { (say(&texts::CHANGED)) }
                        th.number scope="col" { (say(&texts::REVISION)) }
                        th scope="col" { (say(&texts::PULL)) }
                    } }
                    tbody { @for (state, list) in all.iter().rev() { (line(visit, state, list)) } }
                }
            }
        }
    }
}

fn line(visit: &Visit, state: &PullState, list: &Listed<'_>) -> Markup {
    let say = |text| visit.say(text);
    let compared = list.changes.filter(|it| !it.baseline).map(|it| &it.counts);
    let is_first = list.changes.is_some_and(|it| it.baseline);
    html! {
        tr {
            th scope="row" { (visit.time(list.at)) }
            td.number data-label=(say(&texts::CUSTOMERS)) { (visit.number(list.accounts)) }
            td.number data-label=(say(&texts::GAINED)) {
                @if is_first { span.soft { (say(&texts::BASELINE)) } }
                @else { (signed(visit, '+', compared.map(gained))) }
            }
            td.number data-label=(say(&texts::LOST)) { (signed(visit, '−', compared.map(lost))) }
            td.number data-label=(say(&texts::CHANGED)) {
                @match compared { Some(it) => (visit.number(it.changed)), None => span.soft { "–" } }
            }
            td.number data-label=(say(&texts::REVISION)) { (list.revision) }
            td data-label=(say(&texts::PULL)) {
                a href=(links::pull(&state.pull)) { code { bdi { (state.pull.mark_id) } } }
            }
        }
    }
}
