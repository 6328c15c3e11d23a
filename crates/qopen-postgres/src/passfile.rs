//! Files of passwords in libpq's format: lines of `host:port:database:user:password`.

use std::fs;
use std::path::Path;

/// The connection that needs a password.
pub(crate) struct Wanted<'a> {
    /// A name, an address, or a socket's folder.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// The password of the first line that fits. As with libpq, a missing file and one that others may read
/// have none.
pub(crate) fn find(file: &Path, wanted: &Wanted<'_>) -> Option<String> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || is_open_to_others(&metadata) {
        tracing_warn(file, metadata.is_file());
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| password_of(line, wanted))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

fn tracing_warn(file: &Path, is_file: bool) {
    let why = match is_file {
        true => "others may read it; its mode must be 0600",
        false => "it is no regular file",
    };
    tracing::warn!(file = %file.display(), why, "the file of passwords is not used");
}

fn password_of(line: &str, wanted: &Wanted<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, database, user, password] = &fields[..] else { return None };
    let fits = |field: &Field, value: &str| field.is_any || field.text == value;
    // A socket is the local host.
    let host_fits =
        fits(host, wanted.host) || wanted.host.starts_with('/') && host.text == "localhost";
    let others = fits(port, &wanted.port.to_string())
        && fits(database, wanted.database)
        && fits(user, wanted.user);
    (host_fits && others).then(|| password.text.clone())
}

#[derive(Default)]
struct Field {
    text: String,
    /// The field is a star without a backslash.
    is_any: bool,
}

/// The fields of a line. A backslash escapes the next character. The fifth field has the rest.
fn fields(line: &str) -> Vec<Field> {
    let mut fields = vec![Field::default()];
    let mut escaped = false;
    for c in line.chars() {
        let count = fields.len();
        let Some(field) = fields.last_mut() else { break };
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ':' if !escaped && count < 5 => fields.push(Field::default()),
            c => {
                field.is_any = c == '*' && !escaped && field.text.is_empty();
                field.text.push(c);
            }
        }
        escaped = false;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let wanted = Wanted { host: "db.example", port: 5432, database: "lists", user: "me" };
        for (line, password) in [
            ("db.example:5432:lists:me:secret", Some("secret")),
            ("*:*:*:*:any", Some("any")),
            ("db.example:5433:lists:me:other", None),
            ("db.example:5432:lists:you:other", None),
            ("# db.example:5432:lists:me:comment", None),
            ("db.example:5432:lists:me:a:b", Some("a:b")),
            (r"db.example:5432:lists:me:a\:b\\c", Some(r"a:b\c")),
            (r"\*:5432:lists:me:a star by name", None),
            ("db.example:5432:lists:me", None),
            ("", None),
        ] {
            assert_eq!(password_of(line, &wanted).as_deref(), password, "{line}");
        }
        let socket = Wanted { host: "/var/run/postgresql", ..wanted };
        assert!(password_of("localhost:5432:lists:me:x", &socket).is_some());
        assert!(password_of("/var/run/postgresql:5432:lists:me:x", &socket).is_some());
        assert!(password_of("db.example:5432:lists:me:x", &socket).is_none());
    }
}
