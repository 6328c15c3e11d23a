//! `~` in paths that no shell expanded.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::lang::{Phrase, phrase};

/// The variable that names the home folder.
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// Replaces a leading `~` by the home folder.
///
/// # Errors
/// There is no such folder. `./~` names a file called `~`.
pub(crate) fn expand(path: OsString) -> Result<PathBuf, Phrase> {
    expand_in(path, std::env::var_os(HOME).as_deref())
}

fn expand_in(path: OsString, home: Option<&OsStr>) -> Result<PathBuf, Phrase> {
    if path.as_encoded_bytes().first() != Some(&b'~') {
        return Ok(path.into());
    }
    let Ok(rest) = Path::new(&path).strip_prefix("~") else {
        return Err(phrase!(
            "only ~ and ~/… are expanded, to your own home folder; write the folder in full, or ./~… for a file of that name",
            "只有 ~ 和 ~/… 会展开为您自己的主目录；请写完整的目录，或以 ./~… 表示该名称的文件",
        ));
    };
    match home.map(Path::new).filter(|home| home.is_absolute()) {
        Some(home) if rest.as_os_str().is_empty() => Ok(home.to_owned()),
        Some(home) => Ok(home.join(rest)),
        None => Err(phrase!(
            "~ needs the home folder, and {home} is not an absolute path; write the folder in full",
            "~ 需要主目录，而 {home} 不是绝对路径；请写完整的目录",
            home = HOME,
        )),
    }
}

/// Parses a path of the command line, in which `~` is the home folder.
pub(crate) fn home_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|raw| path(raw).map_err(Phrase::into_english))
}

/// Reads a path of the command line.
pub(crate) fn path(path: OsString) -> Result<PathBuf, Phrase> {
    match path.is_empty() {
        true => Err(phrase!("a path has at least one character", "路径至少有一个字符")),
        false => expand(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_home_folder_is_expanded() {
        let expand = |path: &str, home: &str| expand_in(path.into(), Some(OsStr::new(home)));
        for (path, expected) in [
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("~/a b/c", "/home/me/a b/c"),
            ("./~", "./~"),
            ("a/~/b", "a/~/b"),
            ("/~", "/~"),
            ("", ""),
        ] {
            assert_eq!(expand(path, "/home/me"), Ok(expected.into()), "{path}");
        }
        assert!(expand("~you/x", "/home/me").is_err_and(|it| it.english().contains("./~")));
        assert!(expand("~~", "/home/me").is_err());
        for home in ["", "relative"] {
            assert!(expand("~/x", home).is_err_and(|it| it.english().contains(HOME)));
        }
        assert!(expand_in("~".into(), None).is_err());
    }
}
