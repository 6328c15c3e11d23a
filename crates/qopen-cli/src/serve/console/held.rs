//! Held lists, and the decision to publish one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use maud::html;
use qopen::journal::PullState;
use serde::Deserialize;

use super::Console;
use super::links;
use super::listing::Part;
use super::nav::Nav;
use super::page::{Page, Problem};
use super::pull;
use super::pull::named::{OfPull, fields, journal_failed, known};
use super::texts::{held as texts, pull as pull_texts};
use super::visit::Visit;
use crate::kept::held::{HeldBecause, HeldList};

const PATH: &str = "/console/held";
const REVIEW: &str = "/console/held/list";
const ACCEPT: &str = "/console/held/accept";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(list)).route(REVIEW, get(review)).route(ACCEPT, post(accept))
}

/// A page of the list.
#[derive(Deserialize)]
struct Listing {
    page: Option<usize>,
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(Listing { page }): Query<Listing>,
) -> Result<Page, Problem> {
    let journal = &console.service.journal;
    let outlines = journal.outlines().await;
    let mut outlines = outlines.map_err(|error| journal_failed(&visit, &error))?;
    outlines.retain(|it| it.held);
    outlines.sort_by_key(|it| std::cmp::Reverse(it.order));
    let part = Part::of(&outlines, page.unwrap_or(1));
    let mut states = Vec::new();
    for outline in part.rows {
        let state = journal.pull(&outline.pull).await;
        states.extend(state.map_err(|error| journal_failed(&visit, &error))?);
    }
    let held = states.iter().filter_map(|it| Some((it, HeldList::of(it)?)));
    let held: Vec<(&PullState, HeldList<'_>)> = held.collect();
    let say = |text| visit.say(text);
    let body = html! {
        p { (say(&texts::INTRO)) }
        @if held.is_empty() {
            p { (say(&texts::NONE)) }
        } @else {
            div.scroll {
                table.stack {
                    caption { (say(&texts::CAPTION)) }
                    thead {
                        tr {
                            th scope="col" { (say(&pull_texts::ROBOT)) }
                            th scope="col" { (say(&pull_texts::MARK)) }
                            th scope="col" { (say(&texts::SINCE)) }
                            th scope="col" { (say(&texts::WHY)) }
                            th.number scope="col" { (say(&texts::CUSTOMERS)) }
                            th.number scope="col" { (say(&texts::GONE)) }
                            th scope="col" { (say(&pull_texts::ACTIONS)) }
                        }
                    }
                    tbody {
                        @for (state, held) in &held {
                            tr {
                                th scope="row" { a href=(links::robot(state.pull.robot_id.as_str())) { bdi { (state.pull.robot_id) } } }
                                td data-label=(say(&pull_texts::MARK)) {
                                    a href=(links::pull(&state.pull)) { bdi { (state.pull.mark_id) } }
                                }
                                td data-label=(say(&texts::SINCE)) { (visit.time(held.at)) }
                                td.words data-label=(say(&texts::WHY)) { (pull::why::held(&visit, held)) }
                                td.number data-label=(say(&texts::CUSTOMERS)) {
                                    (held.accounts.map_or("–".to_owned(), |it| visit.number(it)))
                                }
                                td.number data-label=(say(&texts::GONE)) { (visit.number(held.gone)) }
                                td {
                                    a.button href=(links::held(&state.pull))
                                        aria-label={ (say(&texts::REVIEW)) " " (state.pull.mark_id) } {
                                        (say(&texts::REVIEW))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            (part.pager(&visit, PATH, &[]))
        }
    };
    Ok(Page::new(Nav::Held, say(&texts::NAV), body))
}

/// Shows what a person decides about, before the decision.
async fn review(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(of): Query<OfPull>,
) -> Result<Response, Problem> {
    let state = known(&console, &visit, &of).await?;
    let Some(held) = HeldList::of(&state) else {
        // It was decided meanwhile, which the page of the pull shows.
        return Ok(Redirect::to(&links::pull(&state.pull)).into_response());
    };
    let say = |text| visit.say(text);
    let number = |count: u64| visit.number(count);
    let robot = &state.pull.robot_id;
    let body = html! {
        div.card {
            dl.facts {
                dt { (say(&pull_texts::MARK)) }
                dd { code { bdi { (state.pull.mark_id) } } }
                dt { (say(&texts::SINCE)) }
                dd { (visit.time(held.at)) }
                dt { (say(&pull_texts::REVISION)) }
                dd { (held.revision) }
                dt { (say(&texts::WHY)) }
                dd { (pull::why::held(&visit, &held)) }
                dt { (say(&texts::CUSTOMERS)) }
                dd { (held.accounts.map_or("–".to_owned(), number)) }
                dt { (say(&texts::BEFORE)) }
                dd { (number(held.before)) }
                dt { (say(&texts::GONE)) }
                dd { (number(held.gone)) }
                @if let Some(location) = held.location {
                    dt { (say(&texts::KEPT)) }
                    dd { code { (location) } }
                }
            }
        }
        div.card {
            p { strong { (say(&texts::CONSEQUENCE)) } }
            form.line method="post" action=(ACCEPT) {
                (visit.csrf_field())
                (fields(&state.pull))
                input type="hidden" name="seen" value=(seen(&held));
                button.danger id="act-accept" { (say(&texts::ACCEPT)) }
                a href=(PATH) { (say(&texts::KEEP)) }
            }
        }
    };
    let title = visit.fill(&texts::CONFIRM_TITLE, &[robot]);
    Ok(Page::new(Nav::Held, title, body).into_response())
}

/// Identifies the counts that a person saw.
fn seen(held: &HeldList<'_>) -> String {
    let HeldList { revision, accounts, before, gone, why, .. } = held;
    let why = match why {
        HeldBecause::Present(present) => format!("present-{present}"),
        HeldBecause::Unconfirmed => "unconfirmed".to_owned(),
        HeldBecause::LeftOut(robots) => format!("robots-{}", robots.len()),
        HeldBecause::Gone => "gone".to_owned(),
    };
    format!("{revision}.{}.{before}.{gone}.{why}", accounts.unwrap_or_default())
}

/// The decision about the list that a person saw.
#[derive(Deserialize)]
struct Accept {
    robot_id: String,
    mark_id: String,
    seen: String,
}

async fn accept(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(Accept { robot_id, mark_id, seen: shown }): Form<Accept>,
) -> Result<Response, Problem> {
    let state = known(&console, &visit, &OfPull { robot_id, mark_id }).await?;
    if HeldList::of(&state).is_some_and(|it| seen(&it) != shown) {
        return Ok(visit.back_with_problem(&links::held(&state.pull), visit.say(&texts::CHANGED)));
    }
    Ok(pull::accept(&console, &visit, &state).await)
}
