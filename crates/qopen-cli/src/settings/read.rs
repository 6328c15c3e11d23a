//! From the bytes that a person pasted to the very value that is used.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::spec::{Kind, Spec};
use crate::values::{home, is_space, out, trim};

/// A value as it is used.
#[derive(Debug)]
pub(super) struct Read {
    /// The text. For a path that is not UTF-8, only for showing.
    pub(super) text: Secret,
    /// The path, where the setting is one.
    pub(super) path: Option<PathBuf>,
    /// What was changed or looks odd, each a sentence without its subject. Never quotes the value.
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
    /// The value that `raw` means. What cannot be meant is trimmed, and noted.
    ///
    /// # Errors
    /// Says why the value cannot be used, without quoting a secret.
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
            // A secret in quotes keeps them when it is quoted once more.
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

    /// Refuses what no value of this kind can hold.
    fn check(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("it is blank; give it a value, or remove it".to_owned());
        }
        if matches!(text, "…" | "...") {
            return Err(
                "it is the placeholder of an example; put the value in its place".to_owned()
            );
        }
        // The client of the database reads the rest of a URL of its own.
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
            (Kind::Ascii | Kind::Words, Some((wide, narrow))) => {
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

/// Whether the value of a journal is not the path of a folder. Words of a connection, which may hold a
/// password, are no path either, unless `./` comes first.
fn is_database(raw: &OsString) -> bool {
    let text = raw.to_string_lossy();
    let text = trim(&text).trim_start_matches(['"', '\'', '“']).to_ascii_lowercase();
    let is_scheme = |rest: &str| !rest.starts_with(['/', '\\']) && rest.contains([':', '：']);
    text.contains("://")
        || text.strip_prefix("postgres").is_some_and(is_scheme)
        || ["host=", "user=", "dbname=", "password="].iter().any(|word| text.starts_with(word))
}

/// A path keeps every character but a line break at its end and a pair of quotes around it.
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
        notes.push(
            "the quotes around it were removed; begin with ./ where they are meant".to_owned(),
        );
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
        "it looks like a database and is not shown, for it may hold a password; write ./NAME for a path of that name, or set QOPEN_JOURNAL for a journal in a database"
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

/// The text without a pair of quotes around it.
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

/// The ASCII character that a full-width one was meant as.
fn narrow(it: char) -> Option<char> {
    match it {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(it) - 0xFEE0),
        '。' => Some('.'),
        '、' => Some(','),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::declared::*;
    use super::*;

    const AES: &str = "canary-aes-key-of-32-bytes-00000";

    fn read(spec: &Spec, raw: &str) -> Result<(String, usize), String> {
        spec.read(raw.into()).map(|it| (it.text.expose().to_owned(), it.notes.len()))
    }

    #[test]
    fn what_cannot_be_meant_is_trimmed_and_noted() {
        for (spec, raw, text, notes) in [
            (&APP_SECRET, "s3", "s3", 0),
            (&APP_SECRET, "s3\n", "s3", 1),
            (&APP_SECRET, "s3\r\n", "s3", 1),
            (&APP_SECRET, "\u{FEFF}s3\u{A0}", "s3", 2),
            (&APP_SECRET, "\u{200B}s3\u{3000}", "s3", 2),
            (&APP_SECRET, "\"s3\"\n", "s3", 2),
            (&APP_SECRET, "'\"s3\"'", "\"s3\"", 1),
            (&APP_SECRET, "s\"3", "s\"3", 0),
            (&APP_SECRET, "\"s3", "\"s3", 1),
            (&APP_KEY, "“k”", "k", 1),
            (&APP_KEY, "ａk", "ａk", 1),
            (&BASE_URL, "'\"https://a.example\"'", "https://a.example", 1),
            (&ENCODING_AES_KEY, &format!("\"{AES}\""), AES, 1),
            (&ENCODING_AES_KEY, "\"14-characters!\"", "\"14-characters!\"", 0),
            (&MAX_CONNECTIONS, " 12\t", "12", 2),
            (&DATA_DIR, " a b ", " a b ", 1),
            (&DATA_DIR, "a\r\n", "a", 1),
            (&DATA_DIR, "\"/a b\"", "/a b", 1),
            (&DATA_DIR, "./\"x\"", "./\"x\"", 0),
            (&JOURNAL, "\"postgres://a@b/c\"\n", "postgres://a@b/c", 2),
            (&JOURNAL, "a folder\n", "a folder", 1),
            (&JOURNAL, "postgres-journal", "postgres-journal", 0),
            (&JOURNAL, "./host=a", "./host=a", 0),
        ] {
            assert_eq!(read(spec, raw), Ok((text.to_owned(), notes)), "{raw:?}");
        }
    }

    #[test]
    fn what_is_broken_inside_is_refused_and_never_quoted() {
        for (spec, raw, reason) in [
            (&APP_SECRET, "canary 1", "a space inside, as character 7"),
            (&APP_SECRET, "canary\n1", "a line break inside"),
            (&CALLBACK_TOKEN, "canary\u{200B}1", "an invisible character inside"),
            (&CALLBACK_TOKEN, "canary\u{7}1", "a control character inside"),
            (&APP_KEY, "canary\u{A0}1", "a no-break space inside"),
            (&APP_SECRET, " \n", "blank"),
            (&APP_SECRET, "\"\"", "blank"),
            (&JOURNAL, "postgres：//canary@h/d", "postgres://USER@HOST"),
            (&JOURNAL, "postgres:canary@h/d", "postgres://USER@HOST"),
            (&JOURNAL, "host=h password=canary", "postgres://USER@HOST"),
            (&DATA_DIR, "''", "blank"),
            (&DATA_DIR, "\n", "blank"),
            (&DATA_DIR, "a\0canary", "NUL"),
            (&APP_SECRET, "…", "placeholder"),
            (&BASE_URL, "https：//canary.example", "the full-width character ：; type : instead"),
            (&LISTEN, "127。0.0.1:1", "full-width"),
            (&MAX_CONNECTIONS, "１２", "type 1 instead"),
            (&ENCODING_AES_KEY, "canary：", "not ASCII"),
        ] {
            let error = read(spec, raw).expect_err(raw);
            assert!(error.contains(reason) && !error.contains("canary"), "{raw:?}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf8_stay_in_paths_and_are_refused_elsewhere() {
        use std::os::unix::ffi::OsStringExt as _;
        let raw = || OsString::from_vec(b"canary-\xFF\n".to_vec());
        let path = DATA_DIR.read(raw()).ok().and_then(|it| it.path);
        assert_eq!(
            path.map(PathBuf::into_os_string),
            Some(OsString::from_vec(b"canary-\xFF".to_vec()))
        );
        for spec in [&APP_SECRET, &APP_KEY, &LISTEN, &ENCODING_AES_KEY] {
            let error = spec.read(raw()).map(|it| it.text).expect_err(spec.name);
            assert!(error.contains("UTF-8") && !error.contains("canary"), "{error}");
        }
    }

    proptest! {
        /// Whatever is pasted around a secret of one word, the word is what is used, also when the
        /// result is read once more.
        #[test]
        fn a_word_is_read_whatever_is_around_it(
            before in "[ \t\r\n\u{A0}\u{FEFF}\u{200B}\u{3000}]{0,3}",
            word in "[!#-&(-_a-z~]{1,40}",
            quote in prop::sample::select(vec!["", "\"", "'"]),
            after in "[ \t\r\n\u{A0}\u{FEFF}\u{200B}\u{3000}]{0,3}",
        ) {
            prop_assume!(word != "...");
            let raw = format!("{before}{quote}{word}{quote}{after}");
            for spec in [&APP_SECRET, &APP_KEY] {
                let once = spec.read(raw.clone().into()).expect("it is one word");
                prop_assert_eq!(once.text.expose(), &*word);
                prop_assert_eq!(once.notes.is_empty(), raw == word);
                let twice = spec.read(word.clone().into()).expect("it is one word");
                prop_assert!(twice.text == once.text && twice.notes.is_empty());
            }
        }
    }
}
