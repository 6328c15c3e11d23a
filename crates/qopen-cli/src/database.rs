//! URLs of databases.

use std::path::Path;

use percent_encoding::percent_decode_str;
use qopen::postgres::PostgresSink;

use crate::exit::Failure;
use crate::lang::phrase;
#[cfg(not(feature = "mysql"))]
use crate::lang::{Phrase, Text};

/// The schemes of databases on a server.
const SCHEMES: [&str; 4] = ["postgres://", "postgresql://", "mysql://", "mariadb://"];

/// Returns the URL if a path is the URL of a database on a server.
pub(crate) fn of(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    SCHEMES.iter().any(|it| text.starts_with(it)).then_some(text)
}

/// Whether the URL of a database is MySQL's or MariaDB's.
pub(crate) fn is_mysql(url: &str) -> bool {
    url.starts_with("mysql://") || url.starts_with("mariadb://")
}

/// The environment variable with the password of a database.
pub(crate) fn password_variable(url: &str) -> &'static str {
    match is_mysql(url) {
        true => "MYSQL_PWD",
        false => "PGPASSWORD",
    }
}

/// The refusal of MySQL by a build without it.
#[cfg(not(feature = "mysql"))]
pub(crate) const NO_MYSQL: Text = Text::new(
    "this qopen was built without MySQL; build one with it (cargo install --path crates/qopen-cli --features mysql), or write to an SQLite file such as lists.db, or to postgres://USER@HOST/DATABASE",
    "此 qopen 构建时未包含 MySQL；请构建包含它的版本（cargo install --path crates/qopen-cli --features mysql），或写入 SQLite 文件，例如 lists.db，或 postgres://USER@HOST/DATABASE",
);

/// Checks the URL of lists in MySQL or MariaDB.
#[cfg(feature = "mysql")]
fn check_mysql(what: &str, url: &str) -> Result<(), Failure> {
    let sink = qopen::mysql::MysqlSink::new(url);
    sink.map(drop).map_err(|error| Failure::usage_of(what, &error))
}

/// Refuses the URL of lists in MySQL or MariaDB.
#[cfg(not(feature = "mysql"))]
fn check_mysql(what: &str, _: &str) -> Result<(), Failure> {
    Err(Failure::usage(Phrase::about(what, NO_MYSQL)))
}

pub(crate) fn refuse_password(what: &str, url: &str) -> Result<(), Failure> {
    // Another URL is refused as such: this advice is not for it.
    if of(Path::new(url)).is_none() || without_password(url) == url {
        return Ok(());
    }
    Err(Failure::usage(phrase!(
        "{what}: a password does not belong on a command line, because every user of the machine can read it, nor in the note of a pull; put it into {name}",
        "{what}：命令行和拉取的记录中不应有密码，因为本机所有用户都能看到；请写入 {name}",
        what = what,
        name = password_variable(url),
    )))
}

/// Refuses the URL of a flag that is invalid or has a password.
///
/// # Errors
/// Never quotes the URL.
pub(crate) fn check_flag(flag: &str, out: &Path) -> Result<(), Failure> {
    let Some(url) = of(out) else { return Ok(()) };
    refuse_password(flag, url)?;
    if is_mysql(url) {
        return check_mysql(flag, url);
    }
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
            ("mysql://me:pass@host:1/x?ssl-ca=b", "mysql://me@host:1/x?ssl-ca=b"),
            ("postgres://host/x?pass%77ord=p&a=b", "postgres://host/x?a=b"),
            ("postgres://host/x?PASSWORD=p", "postgres://host/x?"),
            ("postgres://me:pa?ss@host/x", "postgres://me@host/x"),
            ("postgres://me:p@ss@host/x", "postgres://me@ss@host/x"),
        ] {
            assert_eq!(without_password(url), without);
        }
    }
}
