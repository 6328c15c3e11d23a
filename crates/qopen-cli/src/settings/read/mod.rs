//! Reading pasted values: trims, unquotes and checks them by kind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::spec::{Kind, Spec};
use crate::values::{home, is_space, out, trim};

/// A value ready for use.
#[derive(Debug)]
pub(super) struct Read {
    /// The text. For a path that is not UTF-8, only for display.
    pub(super) text: Secret,
    /// The path, if the setting is one.
    pub(super) path: Option<PathBuf>,
    /// Changes and oddities, each a sentence without its subject. Never quotes the value.
    pub(super) notes: Vec<String>,
}

/// Pairs of quotes that people and programs put around a value.
const QUOTES: [(char, char); 10] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('”', '”'),
    ('„', '“'),
    ('‘', '’'),
    ('«', '»'),
    ('「', '」'),
    ('＂', '＂'),
];

impl Spec {
    /// Returns the value of `raw`. Trims characters that cannot belong to it, and notes that.
    ///
    /// # Errors
    /// The value cannot be used. The reason never quotes a secret.
    pub(super) fn read(&self, raw: OsString) -> Result<Read, String> {
        match self.kind {
            Kind::Path => read_path(raw),
            Kind::Journal if !is_database(&raw) => read_path(raw),
            _ => self.read_text(raw),
        }
    }

    fn read_text(&self, raw: OsString) -> Result<Read, String> {
        let raw = raw.into_string().map_err(|raw| {
            drop(Zeroizing::new(raw.into_encoded_bytes()));
            "it is not UTF-8 text; set it again, in UTF-8".to_owned()
        })?;
        let raw = Zeroizing::new(raw);
        let mut notes = Vec::new();
        let mut text = trimmed(&raw, &mut notes);
        let whole_key = self.kind == Kind::AesKey && [16, 24, 32, 43].contains(&text.len());
        while let Some(inner) = unquoted(text).filter(|_| !whole_key) {
            notes.push(
                "the quotes around it were removed; files for `docker --env-file` need none"
                    .to_owned(),
            );
            text = trimmed(inner, &mut notes);
            // A secret that has quotes keeps them if it is in a second pair.
            if self.kind == Kind::Secret {
                break;
            }
        }
        self.check(text)?;
        if !whole_key && QUOTES.iter().any(|it| text.starts_with(it.0) != text.ends_with(it.1)) {
            notes.push("it has a quote at one end only".to_owned());
        }
        if matches!(self.kind, Kind::Word | Kind::Secret) && !text.is_ascii() {
            notes.push("it has characters that are not ASCII".to_owned());
        }
        notes.dedup();
        Ok(Read { text: Secret::new(text), path: None, notes })
    }

    /// Refuses characters that no value of this kind has.
    fn check(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("it is blank; give it a value, or remove it".to_owned());
        }
        if matches!(text, "…" | "...") {
            return Err(
                "it is the placeholder of an example; put the value in its place".to_owned()
            );
        }
        // The database's client checks the rest of a URL.
        if self.kind == Kind::Journal {
            return match text.contains("://") {
                true => Ok(()),
                false => {
                    Err("it is not a URL; write postgres://USER@HOST/DATABASE, or ./… for a folder"
                        .to_owned())
                }
            };
        }
        let may_be_inside = |it: char| it == ' ' && self.kind == Kind::Words;
        let odd = |it: char| (is_space(it) || it.is_control()) && !may_be_inside(it);
        if let Some((at, inside)) = text.chars().enumerate().find(|it| odd(it.1)) {
            let (what, at) = (name_of(inside), at + 1);
            return Err(format!(
                "it has {what} inside, as character {at}; paste it again as one word"
            ));
        }
        let wide = text.chars().find_map(|it| Some((it, narrow(it)?)));
        match (self.kind, wide) {
            (Kind::Ascii | Kind::Words | Kind::Switch, Some((wide, narrow))) => {
                Err(format!("it has the full-width character {wide}; type {narrow} instead"))
            }
            (Kind::AesKey, _) if !text.is_ascii() => {
                Err("it has a character that is not ASCII; copy it again from the console"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Whether the value of a journal is not the path of a folder. A connection string, which may have a
/// password, is no path either, unless it begins with `./`.
fn is_database(raw: &OsString) -> bool {
    let text = raw.to_string_lossy();
    let text = trim(&text).trim_start_matches(['"', '\'', '“']).to_ascii_lowercase();
    let is_scheme = |rest: &str| !rest.starts_with(['/', '\\']) && rest.contains([':', '：']);
    text.contains("://")
        || text.strip_prefix("postgres").is_some_and(is_scheme)
        || ["host=", "user=", "dbname=", "password="].iter().any(|word| text.starts_with(word))
}

/// Reads a path. It loses a line break at its end and a pair of quotes, and keeps everything else.
fn read_path(raw: OsString) -> Result<Read, String> {
    let mut notes = Vec::new();
    let mut bytes = raw.as_encoded_bytes();
    while let Some(rest) = bytes.strip_suffix(b"\n").or_else(|| bytes.strip_suffix(b"\r")) {
        bytes = rest;
    }
    if bytes.len() < raw.len() {
        notes.push("a line break at the end was removed".to_owned());
    }
    let quoted = |quote: &[u8]| bytes.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = quoted(b"\"").or_else(|| quoted(b"'")) {
        notes.push("the quotes around it were removed; begin with ./ to keep them".to_owned());
        bytes = inner;
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("it is blank; give it a value, or remove it".to_owned());
    }
    if bytes.contains(&0) {
        return Err("a path cannot hold the character NUL".to_owned());
    }
    if bytes.starts_with(b" ") || bytes.ends_with(b" ") {
        notes.push("a space at its end is part of the path".to_owned());
    }
    let path = match notes.is_empty() {
        true => raw,
        false => os_string(bytes)?,
    };
    out::refuse_connection(Path::new(&path)).map_err(|_| {
        "it looks like a database and is not shown, because it may have a password; write ./NAME for a path of that name, or set QOPEN_JOURNAL for a journal in a database"
    })?;
    let path = home::expand(path)?;
    let text = Secret::new(path.to_string_lossy());
    Ok(Read { text, path: Some(path), notes })
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems need it")]
fn os_string(bytes: &[u8]) -> Result<OsString, String> {
    use std::os::unix::ffi::OsStringExt as _;
    Ok(OsString::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Result<OsString, String> {
    let text = std::str::from_utf8(bytes);
    text.map(Into::into).map_err(|_| "the path is not Unicode; give it without quotes".to_owned())
}

fn trimmed<'a>(text: &'a str, notes: &mut Vec<String>) -> &'a str {
    let inner = trim(text);
    let start = text.len() - text.trim_start_matches(is_space).len();
    let ends = [("start", &text[..start]), ("end", &text[start + inner.len()..])];
    if !inner.is_empty() {
        for (end, removed) in ends {
            if let Some(first) = removed.chars().next() {
                notes.push(format!("{} at the {end} was removed", name_of(first)));
            }
        }
    }
    inner
}

/// Returns the text without a pair of quotes around it.
fn unquoted(text: &str) -> Option<&str> {
    QUOTES.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
}

fn name_of(it: char) -> &'static str {
    match it {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => "a line break",
        ' ' => "a space",
        '\t' => "a tab",
        '\u{A0}' | '\u{202F}' => "a no-break space",
        '\u{FEFF}' => "a byte order mark",
        it if it.is_whitespace() => "a wide space",
        it if it.is_control() => "a control character",
        _ => "an invisible character",
    }
}

/// Returns the ASCII character of a full-width one.
fn narrow(it: char) -> Option<char> {
    match it {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(it) - 0xFEE0),
        '。' => Some('.'),
        '、' => Some(','),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
