//! The page of all pulls.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use qopen::journal::PullOutline;
use serde::Deserialize;

use super::changes::{gained, lost, signed};
use super::listing::Part;
use super::nav::Nav;
use super::page::{Page, Problem};
use super::pull::named::journal_failed;
use super::status::Status;
use super::texts::{Text, frame, listing, pulls as texts};
use super::visit::Visit;
use super::{Console, links};
use crate::report::states;
use crate::serve::service::Service;

const PATH: &str = "/console/pulls";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

/// The query of the page.
#[derive(Default, Deserialize)]
struct Asked {
    /// A part of the robots' ids or of the marks.
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    page: usize,
}

/// Every status with its name in queries and its text.
const STATUSES: [(Status, &str, &Text); 6] = [
    (Status::Open, "open", &states::OPEN),
    (Status::Complete, "complete", &states::COMPLETE),
    (Status::Held, "held", &states::HELD),
    (Status::Superseded, "superseded", &states::SUPERSEDED),
    (Status::Incomplete, "incomplete", &states::INCOMPLETE),
    (Status::Failed, "failed", &states::FAILED),
];

fn tag(status: Status, visit: &Visit) -> Markup {
    let known = STATUSES.iter().find(|it| it.0 == status);
    status.tag(known.map_or("", |it| visit.say(it.2)))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Page, Problem> {
    let outlines = console.service.journal.outlines().await;
    let outlines = outlines.map_err(|error| journal_failed(&visit, &error))?;
    let body = tokio::task::block_in_place(|| {
        let status = STATUSES.iter().find(|it| it.1 == asked.status).map(|it| it.0);
        let wanted = asked.q.trim().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let is_found = |it: &&PullOutline| {
            status.is_none_or(|status| Status::of_outline(it) == status)
                && (wanted.is_empty()
                    || has(it.pull.robot_id.as_str())
                    || has(it.pull.mark_id.as_str()))
        };
        // Rows are made for one page only.
        let mut found: Vec<&PullOutline> = outlines.iter().filter(is_found).collect();
        found.sort_unstable_by_key(|it| Reverse(it.order));
        table(&visit, &console.service, &asked, &Part::of(&found, asked.page))
    });
    Ok(Page::new(Nav::Pulls, visit.say(&frame::PULLS), body))
}

fn table(visit: &Visit, service: &Service, asked: &Asked, part: &Part<'_, &PullOutline>) -> Markup {
    let say = |text| visit.say(text);
    let is_all = asked.q.is_empty() && asked.status.is_empty();
    html! {
        form.line role="search" method="get" action=(PATH) {
            div {
                label for="q" { (say(&texts::SEARCH)) }
                input id="q" name="q" type="search" value=(asked.q);
            }
            div {
                label for="status" { (say(&texts::STATUS)) }
                select id="status" name="status" {
                    option value="" { (say(&texts::ANY)) }
                    @for (_, name, text) in STATUSES {
                        option value=(name) selected[name == asked.status] { (say(text)) }
                    }
                }
            }
            button { (say(&listing::SEARCH)) }
        }
        @if part.rows.is_empty() {
            p.card { @if is_all { (say(&texts::NONE)) } @else { (say(&texts::NONE_FOUND)) } }
        } @else {
            div.scroll {
                table.stack {
                    caption.hidden { (say(&texts::CAPTION)) }
                    thead { tr {
                        th scope="col" { (say(&texts::MARK)) }
                        th scope="col" { (say(&texts::ROBOT)) }
                        th scope="col" { (say(&texts::STATUS)) }
                        th scope="col" { (say(&texts::STARTED)) }
                        th.number scope="col" { (say(&texts::PAGES)) }
                        th.number scope="col" { (say(&texts::CUSTOMERS)) }
                        th.number scope="col" { (say(&texts::GAINED)) }
                        th.number scope="col" { (say(&texts::LOST)) }
                    } }
                    tbody { @for row in part.rows { (line(visit, service, row)) } }
                }
            }
        }
        (part.pager(visit, PATH, &[("q", &asked.q), ("status", &asked.status)]))
    }
}

fn line(visit: &Visit, service: &Service, row: &PullOutline) -> Markup {
    let say = |text| visit.say(text);
    // An open pull of this process has newer figures than the journal.
    let live = service.pulls.find(&row.pull).filter(|it| it.is_open()).and_then(|it| it.figures());
    let live = live.map(|it| it.progress.figures);
    let (pages, accounts) = match &live {
        Some(figures) if row.published.is_none() => {
            (figures.pages as u64, Some(figures.accounts as u64))
        }
        _ => (row.pages, row.accounts),
    };
    let changes = row.published.and_then(|it| it.changes);
    html! {
        tr {
            th scope="row" { a href=(links::pull(&row.pull)) { code { bdi { (row.pull.mark_id) } } } }
            td data-label=(say(&texts::ROBOT)) {
                a href=(links::robot(row.pull.robot_id.as_str())) { bdi { (row.pull.robot_id) } }
            }
            td data-label=(say(&texts::STATUS)) { (tag(Status::of_outline(row), visit)) }
            td data-label=(say(&texts::STARTED)) {
                @if let Some(began) = row.began { (visit.time(began)) }
            }
            td.number data-label=(say(&texts::PAGES)) { (visit.number(pages)) }
            td.number data-label=(say(&texts::CUSTOMERS)) {
                @match accounts {
                    Some(accounts) => (visit.number(accounts)),
                    None => span.soft { "–" },
                }
            }
            td.number data-label=(say(&texts::GAINED)) { (signed(visit, '+', changes.as_ref().map(gained))) }
            td.number data-label=(say(&texts::LOST)) { (signed(visit, '−', changes.as_ref().map(lost))) }
        }
    }
}
