//! The console: pages for people on the control listener.
//!
//! # Adding a page
//! 1. Write a module with `pub(super) fn routes() -> Router<Arc<Console>>` and merge it in [`router`]. A handler
//!    takes `State<Arc<Console>>` and [`Visit`](visit::Visit), and returns `Result<Page, Problem>` for GET, or
//!    `Result<Response, Problem>` with [`Visit::back`](visit::Visit::back) for POST. A `Refusal` of the API converts into a [`Problem`].
//! 2. Add the page to [`nav::PAGES`] if it belongs to the navigation.
//! 3. Put every text into a file under `texts/` with the `texts!` macro, in both languages, and add the file to
//!    `texts::all`. Use `visit.say(TEXT)` and `visit.fill(TEXT, &[&value])`.
//! 4. A form is `form method="post" action=(…) { (visit.csrf_field()) … }`. [`visit::enter`] checks the token of
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
mod headers;
mod held;
mod lang;
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
mod texts;
mod times;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use qopen::types::Secret;

use super::service::Service;
use crate::exit::Failure;
use crate::zone::Zone;
use attempts::Attempts;
pub(in crate::serve) use headers::{Framed, is_console, refused};
use page::Problem;
use session::{Random, Sessions};
use visit::Flashes;

/// The path of the console, and the beginning of all its paths.
pub(super) const ROOT: &str = "/console";

/// What pages need besides the service.
pub(super) struct Console {
    service: Arc<Service>,
    /// The control token, if one is set.
    token: Option<Secret>,
    sessions: Sessions,
    attempts: Attempts,
    flashes: Flashes,
    /// The CSRF token of forms outside a session.
    csrf: Random,
    /// The zone of times on pages.
    zone: Zone,
    /// Whether pages may show customers after a click.
    shows_data: bool,
}

/// Settings of the console.
pub(super) struct ConsoleOptions {
    pub(super) token: Option<Secret>,
    pub(super) zone: Zone,
    pub(super) shows_data: bool,
}

impl Console {
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn new(service: Arc<Service>, options: ConsoleOptions) -> Result<Self, Failure> {
        let ConsoleOptions { token, zone, shows_data } = options;
        let csrf = Random::new().map_err(|error| Failure::unexpected("the console", &error))?;
        Ok(Self {
            service,
            token,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            flashes: Flashes::default(),
            csrf,
            zone,
            shows_data,
        })
    }
}

/// Returns every page. Pages need a session if a token is set.
pub(super) fn router(console: Arc<Console>) -> Router<Arc<Service>> {
    let enter = middleware::from_fn_with_state(Arc::clone(&console), visit::enter);
    Router::new()
        .route(ROOT, get(start))
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
