//! Places of lists: a path, or the URL of a database.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use qopen::sink::may_hold_password;

use super::sqlite::SqliteFile;
use super::{home, trim};
use crate::database;
use crate::lang::{Phrase, phrase};
use crate::say::caution;
use crate::topics::warnings;

/// Parses a place of the command line: a path, in which `~` is the home folder, or a URL.
pub(crate) fn out_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|raw| read(raw).map_err(Phrase::into_english))
}

/// Reads a place. Trims spaces, line breaks, a byte order mark and one pair of quotes at its ends.
///
/// # Errors
/// The path cannot be used. Callers may quote the place beside the reason, so a place that may have a
/// password is refused later ([`refuse_scheme`]).
pub(crate) fn read(raw: OsString) -> Result<PathBuf, Phrase> {
    let Some(text) = raw.to_str() else { return home::path(raw) };
    let mut bare = trim(text);
    let quoted = ['"', '\''].iter().find_map(|it| bare.strip_prefix(*it)?.strip_suffix(*it));
    if let Some(inner) = quoted {
        caution!(
            warnings::PATH_QUOTES,
            "the quotes around the path were removed; write ./ before them to keep them",
            "路径两端的引号已去除；若要保留，请在其前写 ./",
        );
        bare = trim(inner);
    }
    match may_hold_password(bare) {
        true => Ok(bare.into()),
        false => home::path(bare.into()),
    }
}

/// Whether a place of lists is a database: a URL, or an SQLite file.
pub(crate) fn is_database(out: &Path) -> bool {
    database::of(out).is_some() || SqliteFile::is(out)
}

/// Schemes that are used without `//`.
const OPAQUE: [&str; 15] = [
    "duckdb",
    "file",
    "jdbc",
    "mariadb",
    "mongodb",
    "mssql",
    "mysql",
    "odbc",
    "oracle",
    "postgres",
    "postgresql",
    "redis",
    "s3",
    "sqlite",
    "sqlite3",
];

/// Refuses a URL of anything but a database of lists, and a text that resembles a database. Names only the
/// scheme, because the rest may have a password.
pub(crate) fn refuse_scheme(out: &Path) -> Result<(), Phrase> {
    #[cfg(not(feature = "mysql"))]
    if database::of(out).is_some_and(database::is_mysql) {
        return Err(database::NO_MYSQL.into());
    }
    let is_sqlite = SqliteFile::of(out)?.is_some_and(|it| it.has_scheme);
    if database::of(out).is_some() || is_sqlite || out.exists() {
        return Ok(());
    }
    match scheme(out) {
        Some(reason) => Err(reason),
        None => refuse_connection(out),
    }
}

/// Describes the mistake in a path that begins like a URL.
fn scheme(out: &Path) -> Option<Phrase> {
    let text = out.to_string_lossy();
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let lower = scheme.to_lowercase();
    let is_url = rest.contains("://") || rest.starts_with("//") || OPAQUE.contains(&&*lower);
    if !is_scheme || !is_url {
        return None;
    }
    let scheme = format!("{scheme}:{}", if rest.starts_with("//") { "//" } else { "" });
    Some(match &*lower {
        "postgres" | "postgresql" => phrase!(
            "{scheme} is not a known URL; write postgres://USER@HOST/DATABASE",
            "{scheme} 不是已知的 URL；请写 postgres://USER@HOST/DATABASE",
            scheme = scheme,
        ),
        "mysql" | "mariadb" => phrase!(
            "{scheme} is not a known URL; write mysql://USER@HOST/DATABASE, or postgres://USER@HOST/DATABASE",
            "{scheme} 不是已知的 URL；请写 mysql://USER@HOST/DATABASE 或 postgres://USER@HOST/DATABASE",
            scheme = scheme,
        ),
        "sqlite" | "sqlite3" => phrase!(
            "{scheme} is not a known URL; write sqlite:PATH, such as sqlite:lists.db",
            "{scheme} 不是已知的 URL；请写 sqlite:PATH，例如 sqlite:lists.db",
            scheme = scheme,
        ),
        "file" => phrase!(
            "{scheme} is not supported; give the path alone",
            "不支持 {scheme}；请只写路径",
            scheme = scheme,
        ),
        _ => phrase!(
            "{scheme} is not supported; supported are a file, a folder, -, sqlite:PATH and postgres://USER@HOST/DATABASE",
            "不支持 {scheme}；支持文件、文件夹、-、sqlite:PATH 和 postgres://USER@HOST/DATABASE",
            scheme = scheme,
        ),
    })
}

/// Beginnings of connection strings.
const WORDS: [&str; 10] = [
    "host=",
    "hostaddr=",
    "server=",
    "user=",
    "userid=",
    "uid=",
    "username=",
    "dbname=",
    "datasource=",
    "driver=",
];

/// Refuses a text that resembles a database and is no existing file. Never quotes it, because it may have a
/// password.
///
/// # Errors
/// The reason says how to write a database and a file.
pub(crate) fn refuse_connection(path: &Path) -> Result<(), Phrase> {
    let text = path.to_string_lossy().to_lowercase();
    // A file of such a name.
    if text.starts_with("./") || text.starts_with("../") || path.exists() {
        return Ok(());
    }
    let words: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    let has_words = WORDS.iter().any(|it| words.starts_with(it));
    let is_in_folder = path.parent().is_some_and(|it| !it.as_os_str().is_empty() && it.is_dir());
    if !has_words && (!may_hold_password(path) || is_in_folder) {
        return Ok(());
    }
    Err(phrase!(
        "it looks like a database and is not shown, because it may have a password; write postgres://USER@HOST/DATABASE, or ./NAME for a file of that name",
        "它看似数据库，因可能含有密码而不予显示；请写 postgres://USER@HOST/DATABASE，若为该名称的文件则写 ./NAME",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    #[test]
    fn what_looks_like_a_database_is_no_file() {
        for out in [
            "postgres//u:canary@h/d",
            "postgres：//u:canary@h/d",
            "postgres:u:canary@h/d",
            "u:canary@h/d",
            "u:canary@tcp(h)/d",
            "u:canary@h",
            "host=h password=canary",
            "Host = h; Pwd = canary",
            "Server=h;Password=canary",
            "Data Source=canary",
            "h/d?user=u&pass%77ord=canary",
            "pgsql//u%3Acanary@h/d",
            "mysql:canary",
            "mysql:canary.db",
            "u:canary@h/d.db",
        ] {
            let error = refuse_scheme(Path::new(out)).expect_err(out);
            error.assert_chinese();
            for text in [Lang::En, Lang::Zh].map(|it| error.of(it)) {
                assert!(
                    text.contains("postgres://USER@HOST") && !text.contains("canary"),
                    "{text}"
                );
            }
        }
        for out in [
            "list.csv",
            "-",
            "./u:p@h",
            "12:30",
            "a@b.csv",
            "a//b.csv",
            "C:list",
            "lists/host=1",
            "postgres://u@h/d",
            "postgres://u@h/d.db",
            "list.db",
            "sqlite:u:p@h",
        ] {
            assert_eq!(refuse_scheme(Path::new(out)), Ok(()), "{out}");
        }
        // A folder that exists makes it a file.
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(refuse_scheme(&folder.path().join("12:30@office.csv")), Ok(()));
    }

    #[test]
    fn what_cannot_be_meant_at_the_ends_is_removed() {
        for (raw, path) in [
            (" postgres://u:p@h/d\n", "postgres://u:p@h/d"),
            ("'postgres://u@h/d'", "postgres://u@h/d"),
            ("\u{feff}x.csv\r\n", "x.csv"),
            ("\" x.csv \"", "x.csv"),
            ("./'x'", "./'x'"),
            (" - ", "-"),
            ("~u//:p@h", "~u//:p@h"),
        ] {
            assert_eq!(read(raw.into()), Ok(path.into()), "{raw:?}");
        }
        for blank in ["", " ", "''", "\"\n\""] {
            assert!(read(blank.into()).is_err(), "{blank:?}");
        }
    }
}
