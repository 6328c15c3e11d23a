//! The console: pages for people on the control listener.
//!
//! # Adding a page
//! 1. Write a module with `pub(super) fn routes() -> Router<Arc<Console>>` and merge it in [`router`]. A handler
//!    takes `State<Arc<Console>>` and [`Visit`](visit::Visit), and returns `Result<Page, Problem>` for GET, or
//!    `Result<Response, Problem>` with [`Visit::back`](visit::Visit::back) for POST.
//! 2. Add the page to [`nav::PAGES`] if it belongs to the navigation.
//! 3. Put every text into a file under `texts/` with the `texts!` macro, in both languages, and add the file to
//!    `texts::all`. Use `visit.say(TEXT)` and `visit.fill(TEXT, &[&value])`.
//! 4. A form is `form method="post" action=(…) { (visit.csrf_field()) … }`. [`enter::enter`] checks the token of
//!    every POST before its handler, and removes the field, so a handler reads `axum::Form<T>` without it. Names
//!    of robots and marks go into the query or the form and never into the path: no path holds `.` and `..`.
//! 5. Times are `(visit.time(at))`, numbers `(visit.number(n))`. No `style` and no script inside a page: the
//!    policy of [`headers`] blocks both. `console.js` has behaviour, and each page works without it.
//! 6. Customers' data needs [`Console::shows_data`] and a POST by the reader.
//!
//! # Invariants
//! - Every GET leaves everything as it is. Links may be followed by a browser on its own.
//! - The cookie of a session is accepted here only. The API takes the bearer token alone, so no page of another
//!   site can use a session for it.

mod assets;
mod attempts;
mod callbacks;
mod changes;
mod coded;
mod cookies;
mod document;
mod enter;
mod flash;
mod headers;
mod held;
mod lang;
mod layout;
mod links;
mod listing;
mod login;
mod nav;
mod page;
mod plot;
mod pull;
mod pulls;
mod quarantine;
mod robot;
mod robots;
mod session;
mod state;
mod status;
mod texts;
mod times;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use super::service::Service;
pub(in crate::serve) use headers::{Framed, is_console, refused};
use links::ROOT;
use page::Problem;
pub(super) use state::{Console, ConsoleOptions};

/// Returns every page. Pages need a session if a token is set.
pub(super) fn router(console: Arc<Console>) -> Router<Arc<Service>> {
    let enter = middleware::from_fn_with_state(Arc::clone(&console), enter::enter);
    Router::new()
        .route(ROOT, get(start))
        .route("/console/", get(start))
        .merge(login::routes())
        .merge(pull::routes())
        .merge(callbacks::routes())
        .merge(quarantine::routes())
        .merge(held::routes())
        .merge(robots::routes())
        .merge(robot::routes())
        .merge(pulls::routes())
        .route("/console/{*rest}", get(missing))
        .layer(enter)
        .merge(assets::routes())
        .layer(middleware::from_fn(headers::frame))
        .with_state(console)
}

/// The first page.
async fn start() -> Response {
    Redirect::to(nav::FIRST).into_response()
}

async fn missing() -> Problem {
    Problem::of(StatusCode::NOT_FOUND, &texts::frame::NO_SUCH_PAGE)
}
