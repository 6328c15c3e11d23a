//! The request of a page: language, session, CSRF token and message.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use qopen::callback::listener::LocalAddress;

use super::lang::Lang;
use super::page::{Page, Problem};
use super::session::{Random, SessionKey};
use super::texts::{Text, frame};
use super::{Console, headers, lang, login, times};
use crate::serve::control::{Refusal, whole};

/// The field of a form with the CSRF token.
const CSRF: &str = "csrf";

/// Who sees a page, and how.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) console: Arc<Console>,
    pub(super) lang: Lang,
    /// The session; `None` without a login, or if no token is set.
    pub(super) session: Option<SessionKey>,
    pub(super) csrf: Random,
    /// The path and query of the page.
    pub(super) target: String,
    pub(super) flash: Option<Flash>,
}

impl Visit {
    /// Returns a text in the page's language.
    pub(super) fn say(&self, text: &Text) -> &'static str {
        text.of(self.lang)
    }

    /// Returns a text in the page's language, with values in its places.
    pub(super) fn fill(&self, text: &Text, values: &[&dyn Display]) -> String {
        text.fill(self.lang, values)
    }

    /// Formats a time in the zone of pages.
    pub(super) fn time(&self, at: SystemTime) -> Markup {
        times::time(&self.console.zone, at)
    }

    /// Formats a number with its digits in groups.
    pub(super) fn number(&self, number: u64) -> String {
        times::number(number)
    }

    /// Formats a duration by its largest unit.
    pub(super) fn age(&self, age: Duration) -> String {
        times::age(self.lang, age)
    }

    /// The hidden field that every form has.
    pub(super) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name=(CSRF) value=(self.csrf.as_str()); }
    }

    /// Returns the answer to a form that was obeyed: the page at `target` shows the message once.
    pub(super) fn back(&self, target: &str, message: impl Into<String>) -> Response {
        let flash = Flash { message: message.into(), is_problem: false };
        self.redirect(target, flash)
    }

    /// Returns the answer to a form that was not obeyed.
    pub(super) fn back_with_problem(&self, target: &str, message: impl Into<String>) -> Response {
        let flash = Flash { message: message.into(), is_problem: true };
        self.redirect(target, flash)
    }

    fn redirect(&self, target: &str, flash: Flash) -> Response {
        match self.console.flashes.keep(flash, self.session) {
            Ok(id) => {
                let link = if target.contains('?') { '&' } else { '?' };
                Redirect::to(&format!("{target}{link}flash={}", id.as_str())).into_response()
            }
            // The message is lost, and the work is done.
            Err(_) => Redirect::to(target).into_response(),
        }
    }

    /// Returns the address of this page in another language.
    pub(super) fn in_language(&self, lang: Lang) -> String {
        let link = if self.target.contains('?') { '&' } else { '?' };
        format!("{}{link}lang={}", self.target, lang.name())
    }

    /// Whether the reader may see pages.
    pub(super) fn is_in(&self) -> bool {
        self.console.token.is_none() || self.session.is_some()
    }

    /// Whether the reader may still see what a stream sends.
    pub(super) fn is_still_in(&self) -> bool {
        match self.session {
            Some(key) => self.console.sessions.is_live(key, Instant::now()),
            None => self.is_in(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Every page is behind `enter`.
        let missing = || Problem::of(StatusCode::INTERNAL_SERVER_ERROR, &frame::UNEXPECTED);
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Finds the language and the session of a request, sends visitors without a session to the login, checks the
/// CSRF token of every form, and puts the frame around the answer.
pub(super) async fn enter(
    State(console): State<Arc<Console>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let (target, chosen) = without(&parts.uri, "lang");
    let (target, flash) = without_text(&target, "flash");
    if let Some(lang) = chosen.as_deref().and_then(Lang::named).filter(|_| reads) {
        let cookie = format!(
            "{}={}; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Strict",
            lang::COOKIE,
            lang.name()
        );
        return ([(header::SET_COOKIE, cookie)], Redirect::to(&target)).into_response();
    }
    if let Ok(uri) = target.parse() {
        parts.uri = uri;
    }
    let now = Instant::now();
    let name = session_cookie(&parts);
    let session = match &console.token {
        None => None,
        Some(_) => headers::cookies(&parts.headers, &name)
            .find_map(|cookie| console.sessions.find(cookie, now)),
    };
    let (session, csrf) = session.unzip();
    let csrf = csrf.unwrap_or_else(|| console.csrf.clone());
    let flash = flash.and_then(|it| console.flashes.take(&it, session));
    let lang = Lang::of(&parts.headers);
    let visit = Visit { console: Arc::clone(&console), lang, session, csrf, target, flash };
    if !visit.is_in() && parts.uri.path() != login::PATH {
        return to_login(&visit, &parts.headers, reads);
    }
    let body = match reads {
        true => body,
        false => match checked(&visit, &parts.headers, body).await {
            Ok(body) => body,
            Err(problem) => return problem.page(lang).framed(&visit),
        },
    };
    parts.extensions.insert(visit.clone());
    let answer = next.run(Request::from_parts(parts, body)).await;
    shown(answer, &visit)
}

/// Puts the frame around a page or a problem. Errors of the framework become problems.
fn shown(mut answer: Response, visit: &Visit) -> Response {
    let found = answer.extensions_mut().remove::<Page>();
    let problem = |it: Problem| it.page(visit.lang);
    let found = found.or_else(|| answer.extensions_mut().remove::<Problem>().map(problem));
    let found = found.or_else(|| {
        let status = answer.status();
        let text = match status {
            StatusCode::NOT_FOUND => &frame::NO_SUCH_PAGE,
            StatusCode::METHOD_NOT_ALLOWED => &frame::WRONG_METHOD,
            _ if status.is_client_error() => &frame::BAD_QUERY,
            _ if status.is_server_error() => &frame::UNEXPECTED,
            _ => return None,
        };
        Some(problem(Problem::of(status, text)))
    });
    let Some(page) = found else { return answer };
    let mut framed = page.framed(visit);
    // Such as `Retry-After` or `Set-Cookie`, which the handler added.
    for (name, value) in answer.headers() {
        if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
            framed.headers_mut().append(name, value.clone());
        }
    }
    framed
}

/// Sends a visitor to the login, and back afterwards. A program gets a status.
fn to_login(visit: &Visit, headers: &HeaderMap, reads: bool) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    if accepts.is_some_and(|it| it.contains("text/event-stream")) {
        return (StatusCode::UNAUTHORIZED, "log in").into_response();
    }
    let is_start = !reads || visit.target == super::ROOT;
    let to = match is_start {
        true => String::new(),
        false => format!("?to={}", utf8_percent_encode(&visit.target, NON_ALPHANUMERIC)),
    };
    Redirect::to(&format!("{}{to}", login::PATH)).into_response()
}

/// The name of the cookie of a session. Cookies do not tell ports apart, and a machine may have several
/// consoles.
pub(super) fn session_cookie(parts: &Parts) -> String {
    let port = parts.extensions.get::<LocalAddress>().map_or(0, |it| it.0.port());
    format!("qopen-console-{port}")
}

/// Reads a form, checks its CSRF token, and returns the form without the token.
async fn checked(visit: &Visit, headers: &HeaderMap, body: Body) -> Result<Body, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, &frame::NOT_A_FORM));
    }
    let bytes = whole(body).await.map_err(|Refusal(status, _)| {
        let text = match status {
            StatusCode::REQUEST_TIMEOUT => &frame::SLOW_BODY,
            _ => &frame::NOT_A_FORM,
        };
        Problem::of(status, text)
    })?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Problem::of(StatusCode::BAD_REQUEST, &frame::NOT_A_FORM))?;
    let (rest, given) = without_pairs(&text, CSRF);
    // The token has no character that forms encode.
    if !given.is_some_and(|given| visit.csrf.is(&given)) {
        return Err(Problem::of(StatusCode::FORBIDDEN, &frame::STALE_FORM));
    }
    Ok(Body::from(rest))
}

/// Returns the path and query without a parameter, and its first value.
fn without(uri: &Uri, name: &str) -> (String, Option<String>) {
    without_text(uri.path_and_query().map_or(super::ROOT, |it| it.as_str()), name)
}

fn without_text(target: &str, name: &str) -> (String, Option<String>) {
    let Some((path, query)) = target.split_once('?') else { return (target.to_owned(), None) };
    let (rest, value) = without_pairs(query, name);
    match rest.is_empty() {
        true => (path.to_owned(), value),
        false => (format!("{path}?{rest}"), value),
    }
}

/// Returns the pairs without those of a name, and the first value of that name.
fn without_pairs(pairs: &str, name: &str) -> (String, Option<String>) {
    let of_name = |it: &&str| it.split('=').next() == Some(name);
    let value = pairs.split('&').find(of_name).and_then(|it| it.split_once('='));
    let value = value.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned());
    let rest: Vec<&str> = pairs.split('&').filter(|it| !of_name(it)).collect();
    (rest.join("&"), value)
}

/// A message that a page shows once.
#[derive(Clone)]
pub(super) struct Flash {
    pub(super) message: String,
    pub(super) is_problem: bool,
}

/// Maximum number of messages that wait.
const FLASHES: usize = 64;

/// Messages that wait for their page. A message belongs to a session.
#[derive(Default)]
pub(super) struct Flashes(Mutex<VecDeque<(Random, Option<SessionKey>, Flash)>>);

impl Flashes {
    fn keep(&self, flash: Flash, of: Option<SessionKey>) -> Result<Random, getrandom::Error> {
        let id = Random::new()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= FLASHES {
            waiting.pop_front();
        }
        waiting.push_back((id.clone(), of, flash));
        Ok(id)
    }

    fn take(&self, id: &str, of: Option<SessionKey>) -> Option<Flash> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(it, session, _)| it.is(id) && *session == of)?;
        waiting.remove(at).map(|(_, _, flash)| flash)
    }
}
