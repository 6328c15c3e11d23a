//! What happens to a request before and after its page.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::lang::{self, Lang};
use super::links::ROOT;
use super::page::{Page, Problem};
use super::texts::frame;
use super::visit::{CSRF, Visit};
use super::{Console, cookies, layout, login};
use crate::serve::control::{Refusal, whole};

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
    let name = cookies::session_cookie(&parts);
    let session = match &console.token {
        None => None,
        Some(_) => cookies::named(&parts.headers, &name)
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
        true => Ok(body),
        false if parts.method == Method::POST => checked(&visit, &parts.headers, body).await,
        false => Err(Problem::of(StatusCode::METHOD_NOT_ALLOWED, &frame::WRONG_METHOD)),
    };
    let body = match body {
        Ok(body) => body,
        Err(problem) => return layout::framed(&problem.page(lang), &visit),
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
    let mut framed = layout::framed(&page, visit);
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
    let is_start = !reads || visit.target == ROOT;
    let to = match is_start {
        true => String::new(),
        false => format!("?to={}", utf8_percent_encode(&visit.target, NON_ALPHANUMERIC)),
    };
    Redirect::to(&format!("{}{to}", login::PATH)).into_response()
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
    without_text(uri.path_and_query().map_or(ROOT, |it| it.as_str()), name)
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
