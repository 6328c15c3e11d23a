//! Reading pasted values: trims, unquotes and checks them by kind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::spec::{Kind, Spec};
use crate::lang::{Phrase, Text, phrase};
use crate::values::{home, is_space, out, trim};

/// A value ready for use.
#[derive(Debug)]
pub(super) struct Read {
    /// The text. For a path that is not UTF-8, only for display.
    pub(super) text: Secret,
    /// The path, if the setting is one.
    pub(super) path: Option<PathBuf>,
    /// Changes and oddities, each a sentence without its subject. Never quotes the value.
    pub(super) notes: Vec<Phrase>,
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
    pub(super) fn read(&self, raw: OsString) -> Result<Read, Phrase> {
        match self.kind {
            Kind::Path => read_path(raw),
            Kind::Journal if !is_database(&raw) => read_path(raw),
            _ => self.read_text(raw),
        }
    }

    fn read_text(&self, raw: OsString) -> Result<Read, Phrase> {
        let raw = raw.into_string().map_err(|raw| {
            drop(Zeroizing::new(raw.into_encoded_bytes()));
            phrase!(
                "it is not UTF-8 text; set it again, in UTF-8",
                "不是 UTF-8 文本；请以 UTF-8 重新设置"
            )
        })?;
        let raw = Zeroizing::new(raw);
        let mut notes = Vec::new();
        let mut text = trimmed(&raw, &mut notes);
        let whole_key = self.kind == Kind::AesKey && [16, 24, 32, 43].contains(&text.len());
        while let Some(inner) = unquoted(text).filter(|_| !whole_key) {
            notes.push(phrase!(
                "the quotes around it were removed; files for `docker --env-file` need none",
                "两端的引号已去除；`docker --env-file` 的文件不需要引号",
            ));
            text = trimmed(inner, &mut notes);
            // A secret that has quotes keeps them if it is in a second pair.
            if self.kind == Kind::Secret {
                break;
            }
        }
        self.check(text)?;
        if !whole_key && QUOTES.iter().any(|it| text.starts_with(it.0) != text.ends_with(it.1)) {
            notes.push(phrase!("it has a quote at one end only", "只有一端有引号"));
        }
        if matches!(self.kind, Kind::Word | Kind::Secret) && !text.is_ascii() {
            notes.push(phrase!("it has characters that are not ASCII", "含有非 ASCII 字符"));
        }
        notes.dedup();
        Ok(Read { text: Secret::new(text), path: None, notes })
    }

    /// Refuses characters that no value of this kind has.
    fn check(&self, text: &str) -> Result<(), Phrase> {
        if text.is_empty() {
            return Err(BLANK.into());
        }
        if matches!(text, "…" | "...") {
            return Err(phrase!(
                "it is the placeholder of an example; put the value in its place",
                "它是示例中的占位符；请换成实际的值",
            ));
        }
        // The database's client checks the rest of a URL.
        if self.kind == Kind::Journal {
            return match text.contains("://") {
                true => Ok(()),
                false => Err(phrase!(
                    "it is not a URL; write postgres://USER@HOST/DATABASE, or ./… for a folder",
                    "它不是 URL；请写 postgres://USER@HOST/DATABASE，文件夹请写 ./…",
                )),
            };
        }
        let may_be_inside = |it: char| it == ' ' && self.kind == Kind::Words;
        let odd = |it: char| (is_space(it) || it.is_control()) && !may_be_inside(it);
        if let Some((at, inside)) = text.chars().enumerate().find(|it| odd(it.1)) {
            return Err(phrase!(
                "it has {what} inside, as character {at}; paste it again as one word",
                "中间第 {at} 个字符是{what}；请重新粘贴为一个词",
                what = name_of(inside),
                at = at + 1,
            ));
        }
        let wide = text.chars().find_map(|it| Some((it, narrow(it)?)));
        match (self.kind, wide) {
            (Kind::Ascii | Kind::Words | Kind::Switch, Some((wide, narrow))) => Err(phrase!(
                "it has the full-width character {wide}; type {narrow} instead",
                "含有全角字符 {wide}；请改为 {narrow}",
                wide = wide,
                narrow = narrow,
            )),
            (Kind::AesKey, _) if !text.is_ascii() => Err(phrase!(
                "it has a character that is not ASCII; copy it again from the console",
                "含有非 ASCII 字符；请从后台重新复制",
            )),
            _ => Ok(()),
        }
    }
}

const BLANK: Text =
    Text::new("it is blank; give it a value, or remove it", "值为空；请给出值或去掉它");

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
fn read_path(raw: OsString) -> Result<Read, Phrase> {
    let mut notes = Vec::new();
    let mut bytes = raw.as_encoded_bytes();
    while let Some(rest) = bytes.strip_suffix(b"\n").or_else(|| bytes.strip_suffix(b"\r")) {
        bytes = rest;
    }
    if bytes.len() < raw.len() {
        notes.push(phrase!("a line break at the end was removed", "末尾的换行已去除"));
    }
    let quoted = |quote: &[u8]| bytes.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = quoted(b"\"").or_else(|| quoted(b"'")) {
        notes.push(phrase!(
            "the quotes around it were removed; begin with ./ to keep them",
            "两端的引号已去除；若要保留，请以 ./ 开头",
        ));
        bytes = inner;
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(BLANK.into());
    }
    if bytes.contains(&0) {
        return Err(phrase!("a path cannot hold the character NUL", "路径不能含有 NUL 字符"));
    }
    if bytes.starts_with(b" ") || bytes.ends_with(b" ") {
        notes.push(phrase!("a space at its end is part of the path", "末端的空格是路径的一部分"));
    }
    let path = match notes.is_empty() {
        true => raw,
        false => os_string(bytes)?,
    };
    out::refuse_connection(Path::new(&path)).map_err(|_| {
        phrase!(
            "it looks like a database and is not shown, because it may have a password; write ./NAME for a path of that name, or set QOPEN_JOURNAL for a journal in a database",
            "它像是数据库，可能含有密码，因此不显示；同名路径请写 ./NAME，数据库中的持久化存储请设置 QOPEN_JOURNAL",
        )
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

fn trimmed<'a>(text: &'a str, notes: &mut Vec<Phrase>) -> &'a str {
    let inner = trim(text);
    let start = text.len() - text.trim_start_matches(is_space).len();
    let ends = [
        (Text::new("start", "开头"), &text[..start]),
        (Text::new("end", "末尾"), &text[start + inner.len()..]),
    ];
    if !inner.is_empty() {
        for (end, removed) in ends {
            if let Some(first) = removed.chars().next() {
                notes.push(phrase!(
                    "{what} at the {end} was removed",
                    "{end}的{what}已去除",
                    what = name_of(first),
                    end = end,
                ));
            }
        }
    }
    inner
}

/// Returns the text without a pair of quotes around it.
fn unquoted(text: &str) -> Option<&str> {
    QUOTES.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
}

fn name_of(it: char) -> Text {
    match it {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Text::new("a line break", "换行"),
        ' ' => Text::new("a space", "空格"),
        '\t' => Text::new("a tab", "制表符"),
        '\u{A0}' | '\u{202F}' => Text::new("a no-break space", "不换行空格"),
        '\u{FEFF}' => Text::new("a byte order mark", "字节顺序标记"),
        it if it.is_whitespace() => Text::new("a wide space", "宽空格"),
        it if it.is_control() => Text::new("a control character", "控制字符"),
        _ => Text::new("an invisible character", "不可见字符"),
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
