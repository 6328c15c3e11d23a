//! Login and logout.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Form, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use maud::{Markup, html};
use qopen::callback::listener::PeerAddress;
use qopen::types::Secret;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::nav;
use super::page::{Page, Problem};
use super::session::LONGEST;
use super::texts::frame;
use super::visit::Visit;
use super::{Console, cookies, headers};
use crate::values::trim;

pub(super) const PATH: &str = "/console/login";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show).post(log_in)).route("/console/logout", post(log_out))
}

/// Where the reader wanted to go.
#[derive(Deserialize)]
struct To {
    to: Option<String>,
}

impl To {
    /// Returns a path of the console, whatever was given.
    fn path(&self) -> &str {
        let is_plain = |it: &&str| it.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
        let is_ours = |it: &&str| headers::is_console(it.split(['?', '#']).next().unwrap_or(it));
        let to = self.to.as_deref().filter(is_plain).filter(is_ours);
        to.filter(|it| !it.starts_with(PATH)).unwrap_or(nav::FIRST)
    }
}

async fn show(visit: Visit, Query(to): Query<To>) -> Response {
    match visit.is_in() {
        true => Redirect::to(to.path()).into_response(),
        false => page(&visit, &to, None).into_response(),
    }
}

fn page(visit: &Visit, to: &To, problem: Option<String>) -> Page {
    let body: Markup = html! {
        form.card method="post" action=(PATH) {
            (visit.csrf_field())
            input type="hidden" name="to" value=(to.path());
            @if let Some(problem) = &problem {
                p.flash.bad role="alert" id="problem" { (problem) }
            }
            p {
                label for="token" { (visit.say(&frame::TOKEN)) }
                input.wide id="token" name="token" type="password" required autofocus
                    autocomplete="current-password" aria-describedby="hint";
            }
            p.soft id="hint" { (visit.say(&frame::TOKEN_HINT)) }
            button { (visit.say(&frame::LOG_IN)) }
        }
    };
    Page::new(None, visit.say(&frame::LOG_IN), body)
}

#[derive(Deserialize)]
struct Login {
    /// Wiped when dropped.
    token: Secret,
    to: Option<String>,
}

async fn log_in(
    State(console): State<Arc<Console>>,
    visit: Visit,
    peer: Option<Extension<PeerAddress>>,
    parts: Parts,
    Form(Login { token: given, to }): Form<Login>,
) -> Result<Response, Problem> {
    let to = To { to };
    let Some(token) = &console.token else { return Ok(Redirect::to(to.path()).into_response()) };
    let (peer, now) = (peer.map(|it| it.0.0), Instant::now());
    if let Err(wait) = console.attempts.begin(peer, now) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let why = visit.fill(&frame::TOO_MANY_ATTEMPTS, &[&seconds]);
        let page = page(&visit, &to, Some(why)).status(StatusCode::TOO_MANY_REQUESTS);
        return Ok(([(header::RETRY_AFTER, seconds.to_string())], page).into_response());
    }
    if !bool::from(trim(given.expose()).as_bytes().ct_eq(token.expose().as_bytes())) {
        tracing::warn!(?peer, "a wrong token was given to the console");
        let why = visit.say(&frame::WRONG_TOKEN).to_owned();
        let page = page(&visit, &to, Some(why)).status(StatusCode::FORBIDDEN);
        return Ok(page.into_response());
    }
    console.attempts.succeeded(peer);
    let unexpected = |_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR, &frame::UNEXPECTED);
    let cookie = console.sessions.begin(now).map_err(unexpected)?;
    let age = LONGEST.as_secs();
    let cookie = set_cookie(&parts, &format!("{}; Max-Age={age}", cookie.as_str()));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(to.path())).into_response())
}

async fn log_out(State(console): State<Arc<Console>>, visit: Visit, parts: Parts) -> Response {
    if let Some(session) = visit.session {
        console.sessions.end(session);
    }
    let cookie = set_cookie(&parts, "; Max-Age=0");
    let left = Visit { session: None, ..visit };
    let answer = left.back(PATH, left.say(&frame::LOGGED_OUT));
    ([(header::SET_COOKIE, cookie)], answer).into_response()
}

fn set_cookie(parts: &Parts, value: &str) -> String {
    // The listener has no TLS of its own. A browser that speaks TLS to a proxy says so in `Origin`.
    let secure = if is_tls(&parts.headers) { "; Secure" } else { "" };
    let name = cookies::session_cookie(parts);
    format!("{name}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}")
}

fn is_tls(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|it| it.to_str().ok());
    origin.is_some_and(|it| it.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_the_console_and_nowhere_else() {
        let path = |to: &str| To { to: Some(to.to_owned()) }.path().to_owned();
        for to in ["/console", "/console/pulls?robot_id=a%20b", "/console?x=//evil.test"] {
            assert_eq!(path(to), to);
        }
        for to in [
            "",
            "//evil.test/console",
            "https://evil.test/console",
            "/console.evil",
            "/\\evil.test",
            "/console/\\evil",
            "/console\r\nx: y",
            "javascript:alert(1)",
            "/v1/pulls",
            "/console/login?to=/console/login",
            "/console/é",
        ] {
            assert_eq!(path(to), nav::FIRST, "{to}");
        }
    }
}
