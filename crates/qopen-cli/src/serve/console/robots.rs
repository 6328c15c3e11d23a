//! The page of all robots.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use qopen::journal::{PublishedOutline, PullOutline};
use qopen::types::RobotId;
use serde::Deserialize;

use super::changes::{gained, lost, signed};
use super::listing::Part;
use super::nav::Nav;
use super::page::{Page, Problem};
use super::pull::named::journal_failed;
use super::texts::{Text, frame, listing, robots as texts};
use super::visit::Visit;
use super::{Console, links};
use crate::serve::service::Service;

const PATH: &str = "/console/robots";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

/// The query of the page.
#[derive(Default, Deserialize)]
struct Asked {
    /// A part of the ids.
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: Sort,
    #[serde(default)]
    desc: bool,
    #[serde(default)]
    page: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Robot,
    Size,
    Age,
    Gained,
    Lost,
    Next,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Self::Robot => "robot",
            Self::Size => "size",
            Self::Age => "age",
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Next => "next",
        }
    }
}

/// The columns by which rows are sorted.
const COLUMNS: [(Sort, &Text, bool); 6] = [
    (Sort::Robot, &texts::ROBOT, false),
    (Sort::Size, &texts::CUSTOMERS, true),
    (Sort::Age, &texts::AGE, false),
    (Sort::Gained, &texts::GAINED, true),
    (Sort::Lost, &texts::LOST, true),
    (Sort::Next, &texts::DUE, false),
];

/// A robot of the journal.
pub(super) struct Row {
    pub(super) robot: RobotId,
    /// Its last complete list.
    pub(super) last: Option<PublishedOutline>,
    open: u64,
    held: u64,
    next: Option<Timestamp>,
}

impl Row {
    /// Returns a row for each robot, in the order of the ids. Outlines are in the order of robots.
    fn all(outlines: &[PullOutline]) -> Vec<Self> {
        let robots = outlines.chunk_by(|a, b| a.pull.robot_id == b.pull.robot_id);
        robots.map(Self::of).collect()
    }

    fn of(pulls: &[PullOutline]) -> Self {
        let last = pulls.iter().filter(|it| it.published.is_some()).max_by_key(|it| it.order);
        let count = |of: fn(&PullOutline) -> bool| pulls.iter().filter(|it| of(it)).count() as u64;
        Self {
            robot: pulls[0].pull.robot_id.clone(),
            // A deleted pull replaced the list of a superseded one.
            last: last.filter(|it| !it.superseded).and_then(|it| it.published),
            open: count(|it| it.end_state.is_none()),
            held: count(|it| it.held),
            next: None,
        }
    }
}

/// Finds the next time of each row.
fn plan(service: &Service, rows: &mut [Row]) {
    let now = Timestamp::now();
    let Some(schedules) = &service.planned else { return };
    for row in rows {
        row.next = schedules.next_of(&row.robot, now);
    }
}

fn sort(rows: &mut [Row], Asked { sort, desc, .. }: &Asked) {
    let changes = |it: &Row| it.last.and_then(|it| it.changes);
    match sort {
        // They are in this order already.
        Sort::Robot => {}
        Sort::Size => rows.sort_by_key(|it| it.last.map(|it| it.accounts)),
        Sort::Gained => rows.sort_by_key(|it| changes(it).as_ref().map(gained)),
        Sort::Lost => rows.sort_by_key(|it| changes(it).as_ref().map(lost)),
        // The oldest list is the greatest age, and no list is older than any.
        Sort::Age => rows.sort_by_key(|it| Reverse(it.last.map(|it| it.at))),
        // A robot without a time comes last.
        Sort::Next => rows.sort_by_key(|it| (it.next.is_none(), it.next)),
    }
    if *desc {
        rows.reverse();
    }
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Page, Problem> {
    let outlines = console.service.journal.outlines().await;
    let outlines = outlines.map_err(|error| journal_failed(&visit, &error))?;
    let body = tokio::task::block_in_place(|| {
        let mut rows = Row::all(&outlines);
        let wanted = asked.q.trim().to_lowercase();
        rows.retain(|it| it.robot.as_str().to_lowercase().contains(&wanted));
        if asked.sort == Sort::Next {
            plan(&console.service, &mut rows);
        }
        sort(&mut rows, &asked);
        let part = Part::of(&rows, asked.page);
        table(&visit, &console.service, &asked, &part)
    });
    Ok(Page::new(Nav::Robots, visit.say(&frame::ROBOTS), body))
}

fn table(visit: &Visit, service: &Service, asked: &Asked, part: &Part<'_, Row>) -> Markup {
    let say = |text| visit.say(text);
    let parameters = [
        ("q", &*asked.q),
        ("sort", asked.sort.name()),
        ("desc", if asked.desc { "true" } else { "" }),
    ];
    html! {
        form.line role="search" method="get" action=(PATH) {
            div {
                label for="q" { (say(&texts::SEARCH)) }
                input id="q" name="q" type="search" value=(asked.q);
            }
            @for (name, value) in parameters.iter().skip(1).filter(|it| !it.1.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
            button { (say(&listing::SEARCH)) }
        }
        @if part.rows.is_empty() {
            p.card {
                @if asked.q.is_empty() { (say(&texts::NONE)) } @else { (say(&texts::NONE_FOUND)) }
            }
        } @else {
            div.scroll {
                table.stack {
                    caption.hidden { (say(&texts::CAPTION)) }
                    thead { tr {
                        @for (column, name, is_number) in COLUMNS { (head(visit, asked, column, name, is_number)) }
                        th scope="col" { (say(&texts::STATE)) }
                    } }
                    tbody { @for row in part.rows { (line(visit, service, row)) } }
                }
            }
        }
        (part.pager(visit, PATH, &parameters))
    }
}

/// A heading that sorts by its column, and in the other direction the second time.
fn head(visit: &Visit, asked: &Asked, column: Sort, name: &Text, is_number: bool) -> Markup {
    let is_sorted = asked.sort == column;
    let direction = match (is_sorted, asked.desc) {
        (false, _) => None,
        (true, false) => Some("ascending"),
        (true, true) => Some("descending"),
    };
    let desc = if is_sorted && !asked.desc { "true" } else { "" };
    let link = links::with(PATH, &[("q", &asked.q), ("sort", column.name()), ("desc", desc)]);
    html! {
        th.number[is_number] scope="col" aria-sort=[direction] {
            a href=(link) { (visit.say(name)) }
            @match direction {
                Some("ascending") => span aria-hidden="true" { " ▲" },
                Some(_) => span aria-hidden="true" { " ▼" },
                None => {},
            }
        }
    }
}

fn line(visit: &Visit, service: &Service, row: &Row) -> Markup {
    let say = |text| visit.say(text);
    let changes = row.last.and_then(|it| it.changes);
    let next = row.next.or_else(|| {
        let schedules = service.planned.as_ref()?;
        schedules.next_of(&row.robot, Timestamp::now())
    });
    html! {
        tr {
            th scope="row" { a href=(links::robot(row.robot.as_str())) { bdi { (row.robot) } } }
            td.number data-label=(say(&texts::CUSTOMERS)) {
                @match row.last {
                    Some(last) => (visit.number(last.accounts)),
                    None => span.soft { "–" },
                }
            }
            td data-label=(say(&texts::AGE)) { (age(visit, row.last.as_ref())) }
            td.number data-label=(say(&texts::GAINED)) { (signed(visit, '+', changes.as_ref().map(gained))) }
            td.number data-label=(say(&texts::LOST)) { (signed(visit, '−', changes.as_ref().map(lost))) }
            td data-label=(say(&texts::DUE)) {
                @match next {
                    Some(next) => (visit.time(next.into())),
                    None => span.soft { (say(&texts::NOT_DUE)) },
                }
            }
            td data-label=(say(&texts::STATE)) {
                @if row.open > 0 { span.tag.wait { (say(&texts::PULLING)) } " " }
                @if row.held > 0 { span.tag.bad { (say(&texts::HELD)) } " " }
                @if row.last.is_none() { span.tag { (say(&texts::NO_LIST)) } }
                @else if row.open + row.held == 0 { span.tag.good { (say(&texts::LISTED)) } }
            }
        }
    }
}

/// Shows the age of a list, and its time.
pub(super) fn age(visit: &Visit, last: Option<&PublishedOutline>) -> Markup {
    let Some(last) = last else { return html! { span.soft { "–" } } };
    let age = SystemTime::now().duration_since(last.at).unwrap_or_default();
    html! { (visit.age(age)) " " span.soft { (visit.time(last.at)) } }
}
