//! URLs of databases.

use std::path::Path;

use crate::exit::Failure;

/// The URL, where a path is one of a database.
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
        "{what}: a password does not belong on a command line, which everybody on the machine can read, nor is it noted with a pull; put it into PGPASSWORD"
    )))
}

pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    // As the client reads it: everything up to the first @ is user and password.
    let place = match place.split_once('@') {
        Some((user, place)) => format!("{}@{place}", user.split(':').next().unwrap_or_default()),
        None => place.to_owned(),
    };
    let kept = query.map(|query| {
        let kept = query.split('&').filter(|it| !it.starts_with("password="));
        format!("?{}", kept.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{place}{}", kept.unwrap_or_default())
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
        ] {
            assert_eq!(without_password(url), without);
        }
    }
}
