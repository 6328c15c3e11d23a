//! Headers of every answer of the console, cookies, and refusals before any page.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use maud::html;

use super::document::document;
use super::lang::Lang;
use super::links::ROOT;
use super::texts::frame;
use crate::lang::Phrase;

/// The policy of pages: everything comes from this listener, and no script or style is inside a page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// Headers of every answer.
const ON_EVERY_ANSWER: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // With `no-referrer` browsers send forms with `Origin: null`, which the API's doors refuse.
    (header::REFERRER_POLICY, SAME_ORIGIN),
    (HeaderName::from_static("cross-origin-resource-policy"), SAME_ORIGIN),
    (HeaderName::from_static("cross-origin-opener-policy"), SAME_ORIGIN),
];

/// Marks an answer that has the console's headers, and keeps them.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Framed;

/// Adds the headers. An answer is not stored, unless it says otherwise.
pub(super) async fn frame(request: Request, next: Next) -> Response {
    framed(next.run(request).await)
}

fn framed(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in ON_EVERY_ANSWER {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer.extensions_mut().insert(Framed);
    answer
}

/// Whether a path is the console's.
pub(in crate::serve) fn is_console(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the page of a request that the API's doors refused. It has nothing of the service.
///
/// A link from another site leads here too. A browser sends the cookie of a session only from a page of the
/// console, so the page has a link to the same address.
pub(in crate::serve) fn refused(
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    (status, why): (StatusCode, &Phrase),
) -> Response {
    let lang = Lang::of(headers);
    let is_link = status == StatusCode::FORBIDDEN && *method == Method::GET;
    let target = uri.path_and_query().map_or(ROOT, |it| it.as_str());
    let title = if is_link { &frame::OTHER_SITE } else { &frame::PROBLEM };
    let body = html! {
        main.narrow id="main" {
            h1 { (title.of(lang)) }
            @if is_link {
                p { (frame::OTHER_SITE_WHY.of(lang)) }
                p { a.button href=(target) { (frame::CONTINUE.of(lang)) } }
            } @else {
                p { (why.of(lang)) }
            }
        }
    };
    let page = document(lang, title.of(lang), &body);
    framed((status, Html(page.into_string())).into_response())
}
