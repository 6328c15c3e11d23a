//! The skim of the usual spelling, in one pass over the bytes.
//!
//! It reads JSON strictly and understands only what needs no second thought: an object with plain
//! field names, identifiers as plain strings, flags as `true` and `false`. Anything else, right or
//! wrong, is left to the general reader: [`read`] gives `None`. What it does give is what the general
//! reader gives; the tests beside it hold the two against each other.

use std::borrow::Cow;

use super::{AccountSkim, CallbackSkim, PageSkim, account};
use crate::ids;

/// Lists and objects within each other that are followed; deeper ones are left to the general reader.
const DEPTH: u32 = 64;

/// A payload in its usual spelling.
pub(super) fn read(payload: &str) -> Option<CallbackSkim<'_>> {
    let mut reader = Reader { text: payload, bytes: payload.as_bytes(), at: 0 };
    let mut out = CallbackSkim { err_code: 0, err_msg: "".into(), robot_id: None, page: None };
    reader.space();
    reader.object(|reader, name| {
        match name {
            "err_code" | "errcode" => out.err_code = reader.integer()?,
            "err_msg" | "errmsg" => out.err_msg = Cow::Borrowed(reader.plain_string()?),
            "robot_id" => out.robot_id = Some(reader.plain_string()?.parse().ok()?),
            "data" => out.page = Some(page(reader)?),
            _ => reader.skip(DEPTH)?,
        }
        Some(())
    })?;
    reader.space();
    (reader.at == reader.bytes.len()).then_some(out)
}

fn page<'a>(reader: &mut Reader<'a>) -> Option<PageSkim<'a>> {
    let mut out = PageSkim::default();
    reader.object(|reader, name| {
        match name {
            "has_more" => out.has_more = reader.flag()?,
            "mark_id" => out.mark_id = Some(reader.plain_string()?.parse().ok()?),
            "account_list" => {
                out.accounts.clear();
                reader.list(|reader| {
                    out.accounts.push(one_account(reader)?);
                    Some(())
                })?;
            }
            _ => reader.skip(DEPTH)?,
        }
        Some(())
    })?;
    Some(out)
}

/// An account, or whatever else stands in its place: that is JSON at least.
fn one_account<'a>(reader: &mut Reader<'a>) -> Option<AccountSkim<'a>> {
    let start = reader.at;
    let mut id = None;
    let mut usual = true;
    if reader.peek()? == b'{' {
        reader.members(|reader, name, plain| {
            if plain && name != "account_id" {
                return reader.skip(DEPTH);
            }
            usual &= plain;
            if reader.peek()? == b'"' {
                let (text, plain) = reader.string()?;
                usual &= plain;
                id = Some(text);
                return Some(());
            }
            usual = false;
            reader.skip(DEPTH)
        })?;
    } else {
        usual = false;
        reader.skip(DEPTH)?;
    }
    let raw = reader.text.get(start..reader.at)?;
    match id {
        Some(id) if usual && ids::check(id).is_ok() => {
            Some(AccountSkim { id: Ok(Cow::Borrowed(id)), raw })
        }
        _ => Some(account(raw)),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// The members of an object whose names are all plain.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.members(|reader, name, plain| if plain { member(reader, name) } else { None })
    }

    /// The members of an object: the name as it is written, whether that is plain, and the reader at
    /// the value, which the caller moves past it.
    #[inline]
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str, bool) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let (name, plain) = self.string()?;
            self.space();
            self.take(b':')?;
            self.space();
            member(self, name, plain)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
            self.space();
        }
        self.at += 1;
        Some(())
    }

    /// The elements of a list, with the reader at each, which the caller moves past it.
    #[inline]
    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
            self.space();
        }
        self.at += 1;
        Some(())
    }

    fn flag(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.word(b"true").map(|()| true),
            b'f' => self.word(b"false").map(|()| false),
            _ => None,
        }
    }

    /// An integer of at most 18 digits, written without sign tricks, fraction or exponent.
    fn integer(&mut self) -> Option<i64> {
        let start = self.at;
        self.number()?;
        let text = self.text.get(start..self.at)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let usual = digits.len() <= 18 && digits.bytes().all(|it| it.is_ascii_digit());
        (usual && text != "-0").then(|| text.parse().ok()).flatten()
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        let (text, plain) = self.string()?;
        plain.then_some(text)
    }

    /// A string as it is written between its quotes, and whether that is what it says.
    #[inline]
    fn string(&mut self) -> Option<(&'a str, bool)> {
        self.take(b'"')?;
        let start = self.at;
        let mut plain = true;
        loop {
            self.at += ordinary(self.bytes.get(self.at..)?);
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    plain = false;
                    self.at += 1;
                    self.escape()?;
                }
                // A control character, which JSON does not allow there.
                _ => return None,
            }
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some((text, plain))
    }

    fn escape(&mut self) -> Option<()> {
        let more = match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return None,
        };
        let digits = self.bytes.get(self.at + 1..self.at + 1 + more)?;
        digits.iter().all(u8::is_ascii_hexdigit).then(|| self.at += 1 + more)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|it| it.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Moves past any value, which must be JSON to its end.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' if depth > 0 => self.members(|reader, _, _| reader.skip(depth - 1)),
            b'[' if depth > 0 => self.list(|reader| reader.skip(depth - 1)),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }
}

/// How many bytes at the beginning are ordinary characters of a string: neither quote nor backslash
/// nor control character. Eight at a time: in the word of a byte that is none, the lowest bit that is
/// set is that of the first such byte.
#[inline]
fn ordinary(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let found = quote | backslash | control;
        if found != 0 {
            return n * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let is_ordinary = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    let here = rest.iter().position(|byte| !is_ordinary(byte)).unwrap_or(rest.len());
    words.len() * 8 + here
}
