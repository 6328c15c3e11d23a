//! Checks of the control API that every request passes before its route.
//!
//! A page in a browser can send requests to this machine, under any name of its author's choice. Three headers
//! that a page cannot choose identify such requests: `Host`, `Origin` and `Sec-Fetch-Site`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use qopen::callback::listener::LocalAddress;
use serde_json::json;

use super::body::whole;
use super::host::{Host, authority};
use super::refusal::Refusal;
use crate::lang::{Text, phrase};
use crate::serve::console;

/// Maximum length of the framework's error texts, in bytes.
const WORDS: usize = 4096;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers of every response: a browser neither stores it, guesses its kind, runs it nor shows it in a page of
/// another site.
const ON_EVERY_ANSWER: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Additional hosts of the control API, besides loopback and the address of the connection.
#[derive(Debug, Default)]
pub(in crate::serve) struct Doors {
    hosts: BTreeSet<Host>,
}

impl Doors {
    pub(in crate::serve) fn new(hosts: BTreeSet<Host>) -> Self {
        Self { hosts }
    }

    /// Fails for a request that a page of another site may have sent.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let host = self.host_of(request)?;
        same_origin(request.headers(), &host)?;
        same_site(request.headers())
    }

    /// Returns the host and port that a request names, if the API answers to it.
    fn host_of(&self, request: &Request) -> Result<(Host, Option<u16>), Refusal> {
        let bad = |en, zh| {
            let why = Text::new(en, zh);
            let why = phrase!("the request {why}", "请求{why}", why = why);
            Refusal(StatusCode::BAD_REQUEST, why)
        };
        let host = match one(request.headers(), &header::HOST) {
            Ok(Some(host)) => host,
            Ok(None) => return Err(bad("has no Host header", "没有 Host 头")),
            Err(()) => {
                return Err(bad(
                    "has more than one Host header, or an unreadable one",
                    "有多个 Host 头，或 Host 头无法读取",
                ));
            }
        };
        let no_host = || bad("has a Host header that is not a host", "的 Host 头无效");
        let host = authority(host).ok_or_else(no_host)?;
        let local = request.extensions().get::<LocalAddress>();
        let local = local.map(|it| Host::of(it.0.ip()));
        let check = |host: &Host| match host {
            host if host.is_loopback() || self.hosts.contains(host) => Ok(()),
            host if local.as_ref() == Some(host) => Ok(()),
            host => Err(Refusal(
                StatusCode::MISDIRECTED_REQUEST,
                phrase!(
                    "the host {host} is not one that the control API answers to; `qopen serve --control-host {host}` allows it (QOPEN_CONTROL_HOST, `control_host`)",
                    "控制接口不应答主机 {host}；`qopen serve --control-host {host}` 可允许它（QOPEN_CONTROL_HOST、`control_host`）",
                    host = host,
                ),
            )),
        };
        check(&host.0)?;
        // A target in absolute form names a host, too.
        if let Some(target) = request.uri().authority() {
            let target = authority(target.as_str());
            let no_host = || bad("has a target whose host is not one", "目标中的主机无效");
            check(&target.ok_or_else(no_host)?.0)?;
        }
        Ok(host)
    }
}

/// Returns the only value of a header, or `Err` if it has several or one that is not text.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

fn other_site(en: &'static str, zh: &'static str) -> Refusal {
    let message = phrase!(
        "{what}: a page of another site sent the request; programs send neither Origin nor Sec-Fetch-Site",
        "{what}：请求来自其他网站的页面；程序既不发送 Origin，也不发送 Sec-Fetch-Site",
        what = Text::new(en, zh),
    );
    Refusal(StatusCode::FORBIDDEN, message)
}

/// Fails if `Origin` differs from the host and port that the request names.
fn same_origin(headers: &HeaderMap, host: &(Host, Option<u16>)) -> Result<(), Refusal> {
    let Some(origin) = one(headers, &header::ORIGIN)
        .map_err(|()| other_site("the Origin is garbled", "Origin 已损坏"))?
    else {
        return Ok(());
    };
    let parts = origin.split_once("://").and_then(|(scheme, rest)| {
        let usual = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some((usual, authority(rest)?))
    });
    // Behind a proxy with TLS, the usual port is the one of the scheme that the browser speaks.
    let is_same = parts.is_some_and(|(usual, (name, port))| {
        name == host.0 && port.unwrap_or(usual) == host.1.unwrap_or(usual)
    });
    if is_same {
        Ok(())
    } else {
        Err(other_site("the Origin is not this API's", "Origin 不是本接口的"))
    }
}

/// Fails if another site caused the request, as the browser says.
fn same_site(headers: &HeaderMap) -> Result<(), Refusal> {
    match one(headers, &SEC_FETCH_SITE) {
        Ok(None | Some("same-origin" | "none")) => Ok(()),
        _ => Err(other_site(
            "Sec-Fetch-Site is neither same-origin nor none",
            "Sec-Fetch-Site 既不是 same-origin，也不是 none",
        )),
    }
}

/// Whether the path is for probes. They use any host, and learn nothing about customers.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Refuses requests of pages of other sites, and adds headers to every response.
pub(super) async fn guard(
    State(doors): State<Arc<Doors>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let (is_console, admitted) = match is_probe(path) {
        true => (false, Ok(())),
        false => (console::is_console(path), doors.admit(&request)),
    };
    let answer = match admitted {
        Ok(()) => next.run(request).await,
        Err(Refusal(status, why)) if is_console => {
            let request = (request.method(), request.uri(), request.headers());
            console::refused(request, (status, &why))
        }
        Err(refusal) => refusal.into_response(),
    };
    // Pages have their own headers, and errors that people read.
    if answer.extensions().get::<console::Framed>().is_some() {
        return answer;
    }
    let mut answer = as_json(answer).await;
    for (name, value) in ON_EVERY_ANSWER {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Converts the framework's errors to JSON, like all others.
async fn as_json(answer: Response) -> Response {
    let status = answer.status();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || kind.is_some_and(|it| it.as_bytes() == b"application/json") {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let words = to_bytes(body, WORDS).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let words = match (status, words.trim()) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => {
            "this path does not take that method; Allow lists those that it takes".to_owned()
        }
        (_, "") => status.canonical_reason().unwrap_or("the request failed").to_owned(),
        (_, words) => words.to_owned(),
    };
    let json = Json(json!({ "error": words })).into_response();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(json.headers().clone());
    Response::from_parts(parts, json.into_body())
}

/// Accepts only small JSON bodies. A page can send other kinds without a preflight.
pub(super) async fn only_json(request: Request, next: Next) -> Response {
    match read_json(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn read_json(request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    let is_empty = body.is_end_stream();
    // A page's form has a kind even if it is empty.
    let has_kind = parts.headers.contains_key(header::CONTENT_TYPE);
    if !is_empty || has_kind && !reads {
        let kind = one(&parts.headers, &header::CONTENT_TYPE).ok().flatten();
        let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "a body is JSON, and says so: send `content-type: application/json` with it (curl --json, or -H 'content-type: application/json')";
            return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message.into()));
        }
    }
    if is_empty {
        return Ok(Request::from_parts(parts, body));
    }
    let bytes = whole(body).await?;
    parts.headers.remove(header::TRANSFER_ENCODING);
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

#[cfg(test)]
mod tests;
