//! Places of lists that are SQLite files.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::time;
use crate::database;
use crate::lang::{Phrase, Text, phrase};

/// The scheme for files of any name.
const SCHEME: &str = "sqlite:";

/// Endings of files that are databases.
const ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];

/// An SQLite file as a user names it: a path with the ending of a database, or `sqlite:PATH?busy_timeout=TIME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqliteFile {
    pub(crate) path: PathBuf,
    /// How long another process may write the file.
    pub(crate) wait: Option<Duration>,
    /// The part behind the path, with its question mark.
    query: String,
    pub(crate) has_scheme: bool,
}

impl SqliteFile {
    /// Reads a place of lists. Returns `None` if it is not an SQLite file.
    ///
    /// # Errors
    /// It begins with `sqlite:` and is not written as documented.
    pub(crate) fn of(out: &Path) -> Result<Option<Self>, Phrase> {
        match after_scheme(out) {
            Some(rest) => Self::of_scheme(rest).map(Some),
            // A database on a server may have any name.
            None if database::of(out).is_none() && is_named_so(out) => Ok(Some(Self {
                path: out.to_owned(),
                wait: None,
                query: String::new(),
                has_scheme: false,
            })),
            None => Ok(None),
        }
    }

    fn of_scheme(rest: &OsStr) -> Result<Self, Phrase> {
        const EXAMPLE: Text = Text::new(
            "such as sqlite:lists.db or sqlite:/srv/qopen/lists",
            "例如 sqlite:lists.db 或 sqlite:/srv/qopen/lists",
        );
        // A path that is not UTF-8 has no query.
        let (path, query) = match rest.to_str().and_then(|it| it.split_once('?')) {
            Some((path, query)) => (path.into(), format!("?{query}")),
            None => (rest.to_owned(), String::new()),
        };
        let path = super::home::path(path).unwrap_or_default();
        match path.to_str() {
            Some("") => {
                return Err(phrase!(
                    "sqlite: needs the path of a file, {example}",
                    "sqlite: 需要文件的路径，{example}",
                    example = EXAMPLE,
                ));
            }
            Some(":memory:") => {
                return Err(phrase!(
                    "sqlite::memory: keeps no list after the process; give the path of a file, {example}",
                    "sqlite::memory: 在进程结束后不保留列表；请给出文件的路径，{example}",
                    example = EXAMPLE,
                ));
            }
            Some(path) if path.starts_with("//") => {
                return Err(phrase!(
                    "sqlite:// is not a known URL; write sqlite:PATH, {example}",
                    "sqlite:// 不是已知的 URL；请写 sqlite:PATH，{example}",
                    example = EXAMPLE,
                ));
            }
            _ => {}
        }
        let mut wait = None;
        for parameter in query.trim_start_matches('?').split('&').filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name != "busy_timeout" {
                return Err(phrase!(
                    "sqlite: has no parameter {name}; the only one is busy_timeout, such as sqlite:lists.db?busy_timeout=60s",
                    "sqlite: 没有参数 {name}；唯一的参数是 busy_timeout，例如 sqlite:lists.db?busy_timeout=60s",
                    name = format!("{name:?}"),
                ));
            }
            let time = time(value).map_err(|why| Phrase::about(BUSY_TIMEOUT, why))?;
            // SQLite counts milliseconds in 32 bits.
            if time > LONGEST {
                let why = phrase!("it must be 1 day or less", "不得超过 1 天");
                return Err(Phrase::about(BUSY_TIMEOUT, why));
            }
            wait = Some(time);
        }
        Ok(Self { path, wait, query, has_scheme: true })
    }

    /// Whether a place of lists is an SQLite file.
    pub(crate) fn is(out: &Path) -> bool {
        Self::of(out).is_ok_and(|it| it.is_some())
    }

    /// The same place with an absolute path.
    pub(crate) fn absolute(&self) -> PathBuf {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        if !self.has_scheme {
            return path;
        }
        let mut place = OsString::from(SCHEME);
        place.push(path);
        place.push(&self.query);
        place.into()
    }
}

/// What a mistake in the time to wait begins with.
const BUSY_TIMEOUT: &str = "sqlite: busy_timeout";

/// The longest time to wait for another process.
const LONGEST: Duration = Duration::from_secs(86_400);

fn after_scheme(out: &Path) -> Option<&OsStr> {
    let rest = out.as_os_str().as_encoded_bytes().strip_prefix(SCHEME.as_bytes())?;
    Some(from_bytes(out, rest))
}

#[cfg(unix)]
fn from_bytes<'a>(_: &'a Path, rest: &'a [u8]) -> &'a OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(rest)
}

#[cfg(not(unix))]
fn from_bytes<'a>(out: &'a Path, _: &'a [u8]) -> &'a OsStr {
    let text = out.to_str().and_then(|it| it.strip_prefix(SCHEME));
    OsStr::new(text.unwrap_or_default())
}

/// Whether a file has the ending of a database, or a link without an ending leads to one that has.
fn is_named_so(out: &Path) -> bool {
    let has_ending = |path: &Path| {
        let ending = path.extension().and_then(OsStr::to_str).map(str::to_lowercase);
        ending.is_some_and(|it| ENDINGS.contains(&&*it))
    };
    if out.is_dir() {
        return false;
    }
    has_ending(out)
        || out.extension().is_none()
            && std::fs::read_link(out)
                .is_ok_and(|next| has_ending(&std::fs::canonicalize(out).unwrap_or(next)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(out: &str) -> Option<SqliteFile> {
        SqliteFile::of(Path::new(out)).unwrap()
    }

    #[test]
    fn an_ending_or_the_scheme_makes_a_file_a_database() {
        for (out, path) in [
            ("lists.db", "lists.db"),
            ("a/b.SQLite", "a/b.SQLite"),
            ("x.sqlite3", "x.sqlite3"),
            ("sqlite:lists", "lists"),
            ("sqlite:./x.jsonl", "./x.jsonl"),
            ("sqlite:/a b/100%.db?busy_timeout=2m", "/a b/100%.db"),
            ("sqlite:a?", "a"),
        ] {
            assert_eq!(of(out).unwrap().path, Path::new(path), "{out}");
        }
        for out in [
            "lists.jsonl",
            "x.db.csv",
            ".db",
            "db",
            "-",
            "x.dbf",
            "postgres://h/x.db",
            "postgres://h/x.db?a=b",
        ] {
            assert_eq!(of(out), None, "{out}");
        }
        assert_eq!(of("sqlite:a?busy_timeout=2m").unwrap().wait, Some(Duration::from_secs(120)));
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("folder.db");
        std::fs::create_dir(&out).unwrap();
        assert!(!SqliteFile::is(&out));
    }

    #[test]
    fn a_place_is_noted_with_its_absolute_path() {
        let here = std::env::current_dir().unwrap();
        let noted = |out: &str| of(out).unwrap().absolute();
        assert_eq!(noted("lists.db"), here.join("lists.db"));
        let expected = format!("sqlite:{}?busy_timeout=1s", here.join("lists").display());
        assert_eq!(noted("sqlite:lists?busy_timeout=1s"), Path::new(&expected));
        assert_eq!(
            SqliteFile::of(Path::new(&expected)).unwrap().unwrap().absolute(),
            Path::new(&expected)
        );
    }

    #[test]
    fn a_url_that_is_not_documented_is_refused_with_an_example() {
        for out in [
            "sqlite:",
            "sqlite::memory:",
            "sqlite://lists.db",
            "sqlite:///lists.db",
            "sqlite:a?mode=ro",
            "sqlite:a?busy_timeout=5",
            "sqlite:a?busy_timeout=9999d",
        ] {
            let why = SqliteFile::of(Path::new(out)).unwrap_err();
            why.assert_chinese();
            let why = why.english();
            assert!(why.starts_with("sqlite:") && why.len() < 160, "{why}");
        }
    }
}
