//! URLs of databases.

use std::path::Path;

use percent_encoding::percent_decode_str;
use qopen::postgres::PostgresSink;

use crate::exit::Failure;

/// Returns the URL if a path is the URL of a database.
pub(crate) fn of(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    (text.starts_with("postgres://") || text.starts_with("postgresql://")).then_some(text)
}

pub(crate) fn refuse_password(what: &str, url: &str) -> Result<(), Failure> {
    // Another URL is refused as such: this advice is not for it.
    if of(Path::new(url)).is_none() || without_password(url) == url {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{what}: a password does not belong on a command line, because every user of the machine can read it, nor in the note of a pull; put it into PGPASSWORD"
    )))
}

/// Refuses the URL of a flag that is invalid or has a password.
///
/// # Errors
/// Never quotes the URL.
pub(crate) fn check_flag(flag: &str, out: &Path) -> Result<(), Failure> {
    let Some(url) = of(out) else { return Ok(()) };
    refuse_password(flag, url)?;
    PostgresSink::new(url).map(drop).map_err(|error| Failure::usage_of(flag, &error))
}

pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // As the client reads it: everything up to the first @ is user and password.
    let (user, rest) = match rest.split_once('@') {
        Some((user, rest)) => (user.split(':').next().map(|it| format!("{it}@")), rest),
        None => (None, rest),
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    // The client decodes the names of parameters.
    let is_password = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case("password")
    };
    let kept = query.map(|query| {
        let kept = query.split('&').filter(|it| !is_password(it));
        format!("?{}", kept.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{}{place}{}", user.unwrap_or_default(), kept.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_url_without_its_password_is_the_same_otherwise() {
        for (url, without) in [
            ("postgres://me:pass:w/rd@host:1/x?a=b", "postgres://me@host:1/x?a=b"),
            ("postgres://host/x?user=me&password=p", "postgres://host/x?user=me"),
            ("postgres://me@host/x?password=p&a=b", "postgres://me@host/x?a=b"),
            ("postgres://me@host,other:2/x?a=b&c=d", "postgres://me@host,other:2/x?a=b&c=d"),
            ("postgres://host", "postgres://host"),
            ("postgres://host/x?pass%77ord=p&a=b", "postgres://host/x?a=b"),
            ("postgres://host/x?PASSWORD=p", "postgres://host/x?"),
            ("postgres://me:pa?ss@host/x", "postgres://me@host/x"),
            ("postgres://me:p@ss@host/x", "postgres://me@ss@host/x"),
        ] {
            assert_eq!(without_password(url), without);
        }
    }
}
