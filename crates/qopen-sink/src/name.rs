//! File names that are made of identifiers from outside.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use percent_encoding::percent_decode_str;

/// The name of the file for an identifier, without an ending.
///
/// ASCII letters, digits, `_` and `-` are kept. Every other byte of the UTF-8 becomes `%` and two
/// hexadecimal digits in capitals: `shop/1` becomes `shop%2F1`. So different identifiers have
/// different names. No name leaves its folder, is hidden, or has an ending, and a suffix such as
/// `.jsonl` is never part of another name.
#[must_use]
pub fn file_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            // Writing to a string does not fail.
            other => drop(write!(name, "%{other:02X}")),
        }
    }
    name
}

/// Whether a path looks like the URL or the connection words of a database, which may hold a password.
///
/// Looks like one: `//` or `:` with an `@` behind it, and `password=`, `passwd=` or `pwd=`.
#[must_use]
pub fn may_hold_password(path: impl AsRef<Path>) -> bool {
    let text = path.as_ref().to_string_lossy();
    // As a client reads the names of parameters.
    let text = percent_decode_str(&text).decode_utf8_lossy().to_lowercase();
    let words: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    ["password=", "passwd=", "pwd="].iter().any(|it| words.contains(it))
        || ["//", ":"].iter().any(|it| words.split_once(it).is_some_and(|it| it.1.contains('@')))
}

/// A path for a message; one that may hold a password is not quoted.
#[must_use]
pub fn shown_path(path: &Path) -> Cow<'_, str> {
    match may_hold_password(path) {
        true => Cow::Borrowed("(a path that may hold a password)"),
        false => path.to_string_lossy(),
    }
}
