//! The page of a pull: its progress, why its list is complete or not, and what a person can do about it.

mod live;
pub(super) mod named;
mod view;
pub(super) mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use maud::html;
use qopen::PullError;
use qopen::engine::FollowedPull;
use qopen::journal::PullState;

use super::Console;
use super::links;
use super::nav::Nav;
use super::page::{Page, Problem};
use super::texts::{held as held_texts, pull as texts};
use super::visit::Visit;
use crate::exit::chain;
use crate::serve::service::ActError;
use named::{OfPull, known};
use view::{END, PARTS, PullView, RESUME};

const PATH: &str = "/console/pull";
const EVENTS: &str = "/console/pull/events";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(show))
        .route(EVENTS, get(live::events))
        .route(END, post(end))
        .route(RESUME, post(resume))
}

/// Explains why a decision had no effect.
fn failed(visit: &Visit, error: &ActError) -> String {
    match error {
        ActError::NotHeld => visit.say(&held_texts::NOT_HELD).to_owned(),
        ActError::Superseded => visit.say(&held_texts::SUPERSEDED).to_owned(),
        ActError::Held => visit.say(&texts::NOT_RESUMED_HELD).to_owned(),
        ActError::Pull(error) => pull_failed(visit, error),
    }
}

fn pull_failed(visit: &Visit, error: &PullError) -> String {
    visit.fill(&texts::JOURNAL_FAILED, &[&chain("", error)])
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(of): Query<OfPull>,
) -> Result<Page, Problem> {
    let state = known(&console, &visit, &of).await?;
    let live = console.service.pulls.find(&state.pull);
    let figures = live.as_ref().and_then(FollowedPull::figures);
    let view = PullView { visit: &visit, state: &state, figures: figures.as_ref() };
    let [figures, why, actions] = view.parts();
    let body = html! {
        div.card data-live=(links::of_pull(EVENTS, &state.pull)) {
            div id=(PARTS[0]) { (figures) }
            div id=(PARTS[1]) { (why) }
            p.soft {
                a href=(links::pull(&state.pull)) { (visit.say(&texts::RELOAD)) }
                span.live hidden { " · " (visit.say(&texts::LIVE)) }
            }
            p.flash.bad.live-lost role="alert" hidden { (visit.say(&texts::LIVE_LOST)) }
        }
        div.card id=(PARTS[2]) { (actions) }
    };
    Ok(Page::new(Nav::Pulls, visit.fill(&texts::TITLE, &[&state.pull.robot_id]), body))
}

/// Ends an open pull with what has arrived.
async fn end(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(of): Form<OfPull>,
) -> Result<Response, Problem> {
    let state = known(&console, &visit, &of).await?;
    let to = links::pull(&state.pull);
    if state.ended().is_some() {
        return Ok(visit.back_with_problem(&to, visit.say(&texts::NOT_OPEN)));
    }
    Ok(match console.service.pulls.cancel(&state.pull).await {
        Ok(()) => visit.back(&to, visit.say(&texts::ENDED)),
        Err(error) => visit.back_with_problem(&to, pull_failed(&visit, &error)),
    })
}

async fn resume(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(of): Form<OfPull>,
) -> Result<Response, Problem> {
    let state = known(&console, &visit, &of).await?;
    let to = links::pull(&state.pull);
    Ok(match console.service.resume(&state).await {
        Ok(()) => visit.back(&to, visit.say(&texts::RESUMED)),
        Err(error) => visit.back_with_problem(&to, failed(&visit, &error)),
    })
}

/// Accepts the held list of a pull.
pub(super) async fn accept(console: &Console, visit: &Visit, state: &PullState) -> Response {
    let to = links::pull(&state.pull);
    match console.service.accept(state).await {
        Ok(()) => visit.back(&to, visit.say(&held_texts::ACCEPTED)),
        Err(error) => visit.back_with_problem(&to, failed(visit, &error)),
    }
}
