//! Cookies of requests.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use qopen::callback::listener::LocalAddress;

/// Returns the values of the cookies of a name.
pub(super) fn named<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let pairs = values.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.filter(move |(it, _)| *it == name).map(|(_, value)| value)
}

/// The name of the cookie of a session. Cookies do not tell ports apart, and a machine may have several
/// consoles.
pub(super) fn session_cookie(parts: &Parts) -> String {
    let port = parts.extensions.get::<LocalAddress>().map_or(0, |it| it.0.port());
    format!("qopen-console-{port}")
}
