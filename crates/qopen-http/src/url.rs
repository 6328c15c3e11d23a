//! URLs in messages.

/// A URL for a message: what comes before `@` and after `?` may be secret.
pub(crate) fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (shown, rest) = url.split_at(end);
    let mut out = match shown.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => shown.to_owned(),
    };
    if !rest.is_empty() {
        out.push_str("?…");
    }
    out
}
