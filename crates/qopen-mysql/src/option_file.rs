//! Passwords in option files, as MySQL's own programs read them: `password` in the group `[client]`.

use std::fs;
use std::path::Path;

use crate::error::MysqlError;

/// Returns the password of a file that the URL names.
pub(crate) fn named(file: &Path) -> Result<String, MysqlError> {
    let fails = |why: &str| {
        MysqlError::Url(format!("its defaults-file {} cannot be used: {why}", file.display()))
    };
    match read(file) {
        Ok(Some(password)) => Ok(password),
        Ok(None) => Err(fails("it has no password in the group [client]")),
        Err(why) => Err(fails(&why)),
    }
}

/// Returns the password of the user's own file, if there is one.
pub(crate) fn of_home(file: &Path) -> Option<String> {
    if !file.exists() {
        return None;
    }
    read(file).unwrap_or_else(|why| {
        tracing::warn!(file = %file.display(), why, "the option file is not used");
        None
    })
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let metadata = fs::metadata(file).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if is_open_to_others(&metadata) {
        return Err("others may read it; its mode must be 0600".to_owned());
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    Ok(password_of(&text))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

/// The groups that MySQL's and MariaDB's client programs read.
const GROUPS: [&str; 3] = ["client", "client-server", "client-mariadb"];

/// Returns the last password of the client's groups: a later line counts.
fn password_of(text: &str) -> Option<String> {
    let (mut is_client, mut found) = (false, None);
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[').and_then(|it| it.split(']').next()) {
            is_client = GROUPS.contains(&group.trim());
        } else if is_client
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == "password"
        {
            found = Some(value_of(value.trim()));
        }
    }
    found.filter(|it| !it.is_empty())
}

/// A value without its quotes and escapes. A number sign begins a comment, unless it is quoted.
fn value_of(text: &str) -> String {
    let quote = text.chars().next().filter(|it| matches!(it, '"' | '\''));
    let inner = match quote {
        Some(quote) => text[1..].rsplit_once(quote).map_or(&text[1..], |it| it.0),
        None => text.split('#').next().unwrap_or_default().trim_end(),
    };
    let (mut value, mut characters) = (String::new(), inner.chars());
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        match characters.next() {
            Some('b') => value.push('\u{8}'),
            Some('t') => value.push('\t'),
            Some('n') => value.push('\n'),
            Some('r') => value.push('\r'),
            Some('s') => value.push(' '),
            Some(other @ ('\\' | '"' | '\'')) => value.push(other),
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_as_the_programs_of_mysql_do() {
        for (text, password) in [
            ("[client]\nuser=me\npassword=plain\n", Some("plain")),
            (
                "[mysqld]\npassword=a\n[client]\npassword = \"two words # no comment\" # comment",
                Some("two words # no comment"),
            ),
            ("[client]\npassword=a#b", Some("a")),
            ("[client]\n#password=a\n;password=b\n", None),
            ("[client]\npassword='it\\'s'\n", Some("it's")),
            ("[client]\npassword=a\\\\b\\sc\\q\n", Some("a\\b c\\q")),
            ("[ client ]\npassword=a\n[client-mariadb]\npassword=b", Some("b")),
            ("[client]\npassword=\n", None),
            ("password=a", None),
            ("[client]\npassword", None),
            ("[client]\npassword='", None),
        ] {
            assert_eq!(password_of(text).as_deref(), password, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("options");
        fs::write(&file, "[client]\npassword=canary\n").unwrap();
        let mode = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&file, mode).unwrap();
        };
        mode(0o640);
        assert_eq!(of_home(&file), None);
        let error = named(&file).unwrap_err().to_string();
        assert!(error.contains("0600") && !error.contains("canary"), "{error}");
        mode(0o600);
        assert_eq!(of_home(&file).as_deref(), Some("canary"));
        assert_eq!(of_home(folder.path()), None);
    }
}
