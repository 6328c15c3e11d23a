//! File names that are made of identifiers from outside.

use std::fmt::Write as _;

/// The name of a file that is about something with that identifier, without an ending.
///
/// ASCII letters, digits, `_` and `-` stand for themselves. Every other byte of the UTF-8 is `%` and two
/// hexadecimal digits in capitals: `shop/1` is `shop%2F1`. So different identifiers have different names;
/// no name leaves its folder, is hidden, or has an ending; and what is put behind a name, such as
/// `.jsonl`, is never part of another one.
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
