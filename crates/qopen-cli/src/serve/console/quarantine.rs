//! Items in quarantine: listed, read again, released.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use qopen::journal::PullId;
use serde::Deserialize;

use super::Console;
use super::coded::coded;
use super::links;
use super::listing::{Part, ROWS};
use super::nav::Nav;
use super::page::{Page, Problem};
use super::texts::{pull as pull_texts, quarantine as texts};
use super::visit::Visit;
use crate::exit::Failure;
use crate::kept::item::{self, Item};
use crate::kept::pull::PullName;

const PATH: &str = "/console/quarantine";
const REVIEW: &str = "/console/quarantine/item";
const RETRY: &str = "/console/quarantine/retry";
const RELEASE: &str = "/console/quarantine/release";
const CONTENT: &str = "/console/quarantine/content";

/// Pulls that a message names.
const NAMED: usize = 5;

/// The longest content that a page shows, in bytes.
const SHOWN: usize = 64 * 1024;

/// Characters of an item's name in a table.
const SHORT: usize = 12;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(list))
        .route(REVIEW, get(review))
        .route(RETRY, post(retry))
        .route(RELEASE, post(release))
        .route(CONTENT, get(async || Redirect::to(PATH)).post(content))
}

/// The item that a query or a form names.
#[derive(Deserialize)]
struct OfItem {
    item: String,
}

#[derive(Deserialize)]
struct Listing {
    /// The page, from 1.
    page: Option<usize>,
}

fn path(item: &str) -> String {
    links::with(REVIEW, &[("item", item)])
}

fn failed(visit: &Visit, failure: &Failure) -> String {
    visit.fill(&pull_texts::JOURNAL_FAILED, &[failure])
}

fn unavailable(visit: &Visit, failure: &Failure) -> Problem {
    Problem::filled(StatusCode::SERVICE_UNAVAILABLE, failed(visit, failure))
}

fn no_such_item(visit: &Visit, item: &str) -> String {
    visit.fill(&texts::NO_SUCH_ITEM, &[&item])
}

/// Links the pull of an item.
fn pull_of(visit: &Visit, item: &Item) -> Markup {
    let id = item.robot_id.as_deref().zip(item.mark_id.as_deref()).and_then(|(robot, mark)| {
        Some(PullId { robot_id: robot.parse().ok()?, mark_id: mark.parse().ok()? })
    });
    html! {
        @match id {
            Some(id) => {
                a href=(links::pull(&id)) { bdi { (id.robot_id) } " · " bdi { (id.mark_id) } }
            }
            None => span.soft { (visit.say(&texts::UNKNOWN_PULL)) }
        }
    }
}

fn layer<'a>(visit: &Visit, layer: &'a str) -> &'a str {
    let text = match layer {
        "content" => &texts::CONTENT,
        "text" => &texts::TEXT,
        "json" => &texts::JSON,
        "shape" => &texts::SHAPE,
        "pull" => &texts::NOT_STARTED_HERE,
        "lost" => &texts::LOST,
        other => return other,
    };
    visit.say(text)
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(Listing { page }): Query<Listing>,
) -> Result<Page, Problem> {
    let items = item::page_items(&*console.service.journal).await;
    let items = items.map_err(|failure| unavailable(&visit, &failure))?;
    let say = |text| visit.say(text);
    let part = Part::of(&items, page.unwrap_or(1));
    let body = html! {
        p { (say(&texts::INTRO)) }
        @if items.is_empty() {
            p { (say(&texts::NONE)) }
        } @else {
            form.act method="post" action=(RETRY) {
                (visit.csrf_field())
                p.soft { (say(&texts::RETRY_WHAT)) }
                button id="act-retry" { (say(&texts::RETRY)) }
            }
            div.scroll {
                table.stack {
                    caption { (say(&texts::CAPTION)) }
                    thead {
                        tr {
                            th scope="col" { (say(&texts::ITEM)) }
                            th scope="col" { (say(&texts::PULL)) }
                            th scope="col" { (say(&texts::LAYER)) }
                            th scope="col" { (say(&texts::REASON)) }
                            th.number scope="col" { (say(&texts::BYTES)) }
                            th scope="col" { (say(&pull_texts::ACTIONS)) }
                        }
                    }
                    tbody { @for item in part.rows { (row(&visit, item)) } }
                }
            }
            (part.pager(&visit, PATH, &[]))
        }
        p.soft { (coded(say(&texts::ACCOUNTS))) }
    };
    Ok(Page::new(Nav::Quarantine, say(&texts::NAV), body))
}

fn row(visit: &Visit, item: &Item) -> Markup {
    let say = |text| visit.say(text);
    let short: String = item.name().chars().take(SHORT).collect();
    html! {
        tr {
            th scope="row" { code.short { (short) "…" } }
            td data-label=(say(&texts::PULL)) { (pull_of(visit, item)) }
            td data-label=(say(&texts::LAYER)) { (layer(visit, &item.layer)) }
            td.words data-label=(say(&texts::REASON)) { span lang="en" { (item.reason) } }
            td.number data-label=(say(&texts::BYTES)) { (visit.number(item.bytes as u64)) }
            td {
                a.button href=(path(item.name())) aria-label={ (say(&texts::REVIEW)) " " (short) } {
                    (say(&texts::REVIEW))
                }
            }
        }
    }
}

/// Reads every item again with the current keys.
async fn retry(State(console): State<Arc<Console>>, visit: Visit) -> Response {
    let service = &console.service;
    let ring = service.client.keyring();
    let retried = match item::retry(&*service.journal, Some(&ring)).await {
        Ok(retried) => retried,
        Err(failure) => return visit.back_with_problem(PATH, failed(&visit, &failure)),
    };
    let (read, pages) = (visit.number(retried.read as u64), visit.number(retried.pages as u64));
    let mut message = visit.fill(&texts::RETRIED, &[&read, &pages]);
    if !retried.pulls.is_empty() {
        message.push(' ');
        message.push_str(&visit.fill(&texts::RETRIED_PULLS, &[&marks(&retried.pulls)]));
    }
    let to = page_of(&retried.pulls);
    match retried.read < retried.pages {
        true => visit.back_with_problem(&to, message),
        false => visit.back(&to, message),
    }
}

/// Returns the page of the only pull, else of the quarantine.
fn page_of(pulls: &[PullName]) -> String {
    let only = match pulls {
        [PullName { robot_id, mark_id }] => robot_id.parse().ok().zip(mark_id.parse().ok()),
        _ => None,
    };
    let only = only.map(|(robot_id, mark_id)| links::pull(&PullId { robot_id, mark_id }));
    only.unwrap_or_else(|| PATH.to_owned())
}

fn marks(pulls: &[PullName]) -> String {
    let mut marks: Vec<&str> = pulls.iter().take(NAMED).map(|it| it.mark_id.as_str()).collect();
    if pulls.len() > NAMED {
        marks.push("…");
    }
    marks.join(", ")
}

async fn found(console: &Console, visit: &Visit, name: &str) -> Result<Vec<Item>, Problem> {
    let items = item::page_items(&*console.service.journal).await;
    let mut items = items.map_err(|failure| unavailable(visit, &failure))?;
    items.retain(|it| it.name() == name);
    match items.is_empty() {
        true => Err(Problem::filled(StatusCode::NOT_FOUND, no_such_item(visit, name))),
        false => Ok(items),
    }
}

/// Shows what a person decides about, before the decision.
async fn review(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(OfItem { item }): Query<OfItem>,
) -> Result<Page, Problem> {
    let items = found(&console, &visit, &item).await?;
    let affected = item::affected(&*console.service.journal, &item).await;
    let affected = affected.map_err(|failure| unavailable(&visit, &failure))?;
    let say = |text| visit.say(text);
    let body = html! {
        div.card {
            dl.facts {
                dt { (say(&texts::ITEM)) }
                dd { code { (item) } }
                @for it in &items {
                    dt { (say(&texts::PULL)) }
                    dd { (pull_of(&visit, it)) }
                    dt { (say(&texts::LAYER)) }
                    dd { (layer(&visit, &it.layer)) }
                    dt { (say(&texts::REASON)) }
                    dd lang="en" { (it.reason) }
                    dt { (say(&texts::BYTES)) }
                    dd { (visit.number(it.bytes as u64)) }
                }
            }
        }
        div.card {
            h2 { (say(&texts::RELEASE_TITLE)) }
            @if affected.is_empty() {
                p { (say(&texts::AGAINST_NONE)) }
            } @else {
                p { (say(&texts::AGAINST)) }
                ul {
                    @for id in affected.iter().take(ROWS) {
                        li { a href=(links::pull(id)) { bdi { (id.robot_id) } " · " bdi { (id.mark_id) } } }
                    }
                    @if affected.len() > ROWS { li { "… +" (affected.len() - ROWS) } }
                }
            }
            p { strong { (say(&texts::CONSEQUENCE)) } }
            form.line method="post" action=(RELEASE) {
                (visit.csrf_field())
                input type="hidden" name="item" value=(item);
                button.danger id="act-release" { (say(&texts::RELEASE)) }
                a href=(PATH) { (say(&texts::KEEP)) }
            }
        }
        div.card {
            @if console.shows_data {
                form.act method="post" action=(CONTENT) {
                    (visit.csrf_field())
                    input type="hidden" name="item" value=(item);
                    p.soft { (say(&texts::SHOW_WHAT)) }
                    button id="act-show" { (say(&texts::SHOW)) }
                }
            } @else {
                p.soft { (coded(say(&texts::SHOW_OFF))) }
            }
        }
    };
    let short: String = item.chars().take(SHORT).collect();
    Ok(Page::new(Nav::Quarantine, visit.fill(&texts::ITEM_TITLE, &[&short]), body))
}

async fn release(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(OfItem { item }): Form<OfItem>,
) -> Response {
    let released = item::release(&*console.service.journal, &item).await;
    match released {
        Err(failure) => visit.back_with_problem(PATH, failed(&visit, &failure)),
        Ok(None) => visit.back_with_problem(PATH, no_such_item(&visit, &item)),
        Ok(Some(pulls)) if pulls.is_empty() => visit.back(PATH, visit.say(&texts::RELEASED)),
        Ok(Some(pulls)) => {
            let message = visit.fill(&texts::RELEASED_PULLS, &[&marks(&pulls)]);
            visit.back(&page_of(&pulls), message)
        }
    }
}

/// Shows the content of an item, which is customers' data.
async fn content(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(OfItem { item }): Form<OfItem>,
) -> Result<Page, Problem> {
    if !console.shows_data {
        return Err(Problem::of(StatusCode::FORBIDDEN, &texts::SHOW_OFF));
    }
    found(&console, &visit, &item).await?;
    let bytes = item::bytes(&*console.service.journal, &item).await;
    let bytes = bytes.map_err(|failure| unavailable(&visit, &failure))?;
    let bytes = bytes.unwrap_or_default();
    // A letter that the limit cuts is left out.
    let end = (0..=SHOWN.min(bytes.len())).rev().take(4);
    let text = std::str::from_utf8(&bytes).ok();
    let text = text.map(|text| {
        let end = end.into_iter().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        &text[..end]
    });
    let say = |text| visit.say(text);
    let body = html! {
        @if bytes.len() > SHOWN {
            p { (coded(&cut(&visit, bytes.len()))) }
        }
        @match text {
            Some(text) => pre.content tabindex="0" role="region" aria-label=(say(&texts::ITEM)) { (text) },
            None => {
                p { (say(&texts::BASE64)) }
                pre.content tabindex="0" role="region" aria-label=(say(&texts::ITEM)) { (STANDARD.encode(&bytes[..SHOWN.min(bytes.len())])) }
            }
        }
        p { a href=(path(&item)) { (say(&texts::BACK)) } }
    };
    let short: String = item.chars().take(SHORT).collect();
    Ok(Page::new(Nav::Quarantine, visit.fill(&texts::CONTENT_TITLE, &[&short]), body))
}

/// Says that only a part of a content is shown.
fn cut(visit: &Visit, bytes: usize) -> String {
    visit.fill(&texts::CUT, &[&visit.number(SHOWN as u64), &visit.number(bytes as u64)])
}
