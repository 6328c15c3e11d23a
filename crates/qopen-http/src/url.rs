//! URLs in messages.

/// A URL for a message, without the parts before `@` and after `?`, which may be secret.
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

/// Longest scheme that a message shows, in bytes. A longer one may be a secret.
const LONGEST_SCHEME: usize = 7;

/// Scheme and host of a URL for a message: the path of a webhook is its secret.
pub(crate) fn without_path(url: &str) -> String {
    let Some((scheme, rest)) = url.trim().split_once("://") else {
        let host = url.split('/').next().unwrap_or_default();
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        return match host.split_once(':') {
            Some((name, port)) if digits(port) && !name.contains('@') => format!("{host}/…"),
            _ => "…".to_owned(),
        };
    };
    if scheme.len() > LONGEST_SCHEME || !scheme.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return "…".to_owned();
    }
    // A password may contain any of these.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    match host.len() == rest.len() {
        true => format!("{scheme}://{host}"),
        false => format!("{scheme}://{host}/…"),
    }
}

#[cfg(test)]
mod tests {
    use super::without_path;

    #[test]
    fn a_forward_url_shows_scheme_and_host_and_no_secret() {
        for (url, shown) in [
            ("htp://a/hook/canary", "htp://a/…"),
            ("ftp://me:canary@h/x", "ftp://h/…"),
            ("http://me:pa/canary@h", "http://h"),
            ("http://a?canary", "http://a/…"),
            ("http://?canary", "http:///…"),
            ("canary-token://x", "…"),
            ("https//a/hook/canary", "…"),
            ("canary", "…"),
            ("localhost:1/canary", "localhost:1/…"),
            ("me:canary@h", "…"),
        ] {
            assert_eq!(without_path(url), shown, "{url}");
        }
    }
}
