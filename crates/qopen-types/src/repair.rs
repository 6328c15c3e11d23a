//! Repairs JSON that senders break (protocol section 4): control characters in strings, halves of
//! surrogate pairs, `NaN`, and JSON as a text inside JSON.

use alloc::format;
use alloc::string::String;

use crate::reading::{Reading, Readings};

/// Lists and objects within each other that are followed, as deep as `serde_json` follows them.
const DEPTH: u32 = 128;

/// Members whose value may be a text with JSON in it.
const PARTS: [&str; 2] = ["data", "account_list"];

/// The same value as strict JSON, with the tolerated spellings. `None` if the text is not JSON all
/// the same, or is strict already.
pub(crate) fn repaired(text: &str) -> Option<(String, Readings)> {
    let whole = text.trim_matches([' ', '\t', '\r', '\n']);
    if whole.starts_with('"') {
        // All of it is a text: a message that was encoded twice.
        let (inner, readings) = string_value(whole)?;
        let (out, more) = repaired(&inner).unwrap_or((inner, Readings::PLAIN));
        let readings = readings.union(more).with(Reading::JsonInText);
        return is_container(&out).then_some((out, readings));
    }
    let mut repair = Repair::new(whole);
    repair.value(DEPTH, false)?;
    repair.space();
    let done = repair.at == repair.bytes.len() && !repair.readings.is_plain();
    done.then_some((repair.out, repair.readings))
}

fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The content of a string that is the whole text.
fn string_value(text: &str) -> Option<(String, Readings)> {
    let mut repair = Repair::new(text);
    repair.string()?;
    (repair.at == repair.bytes.len()).then_some(())?;
    Some((serde_json::from_str(&repair.out).ok()?, repair.readings))
}

struct Repair<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: String,
    readings: Readings,
}

impl<'a> Repair<'a> {
    fn new(text: &'a str) -> Self {
        let out = String::with_capacity(text.len() + 16);
        Self { text, bytes: text.as_bytes(), at: 0, out, readings: Readings::PLAIN }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// White space is kept: an account's text identifies its content.
    fn space(&mut self) {
        while let Some(space @ (b' ' | b'\n' | b'\t' | b'\r')) = self.peek() {
            self.out.push(char::from(space));
            self.at += 1;
        }
    }

    /// Copies one byte, which must be that.
    fn copy(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then_some(())?;
        self.out.push(char::from(byte));
        self.at += 1;
        Some(())
    }

    /// `part` says whether a text may contain JSON.
    fn value(&mut self, depth: u32, part: bool) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if depth == 0 => None,
            b'{' => self.object(depth - 1),
            b'[' => self.list(depth - 1),
            b'"' => {
                let start = self.out.len();
                self.string()?;
                if part {
                    self.unwrap(start);
                }
                Some(())
            }
            _ => self.word(),
        }
    }

    /// Replaces a string by its content, if that is JSON.
    fn unwrap(&mut self, start: usize) {
        let Ok(inner) = serde_json::from_str::<String>(&self.out[start..]) else { return };
        if !is_container(&inner) {
            return;
        }
        let (inner, readings) = repaired(&inner).unwrap_or((inner, Readings::PLAIN));
        if serde_json::from_str::<serde::de::IgnoredAny>(&inner).is_ok() {
            self.readings = self.readings.union(readings).with(Reading::JsonInText);
            self.out.truncate(start);
            self.out.push_str(&inner);
        }
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        self.copy(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            return self.copy(b'}');
        }
        loop {
            self.space();
            let start = self.out.len();
            self.string()?;
            let name = self.out.get(start + 1..self.out.len() - 1)?;
            let part = PARTS.contains(&name);
            self.space();
            self.copy(b':')?;
            self.value(depth, part)?;
            self.space();
            if self.peek()? == b'}' {
                return self.copy(b'}');
            }
            self.copy(b',')?;
        }
    }

    fn list(&mut self, depth: u32) -> Option<()> {
        self.copy(b'[')?;
        self.space();
        if self.peek()? == b']' {
            return self.copy(b']');
        }
        loop {
            self.value(depth, false)?;
            self.space();
            if self.peek()? == b']' {
                return self.copy(b']');
            }
            self.copy(b',')?;
        }
    }

    /// A number or a name: `NaN` and the infinities become null, the rest is for the parser.
    fn word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find([',', ']', '}', ' ', '\n', '\t', '\r', '"', ':']);
        let word = &rest[..end.unwrap_or(rest.len())];
        (!word.is_empty()).then_some(())?;
        self.at += word.len();
        let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
        if ["nan", "inf", "infinity"].iter().any(|it| unsigned.eq_ignore_ascii_case(it)) {
            self.readings.insert(Reading::NotANumber);
            self.out.push_str("null");
        } else {
            self.out.push_str(word);
        }
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.copy(b'"')?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let odd = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = rest.iter().position(odd)?;
            self.out.push_str(self.text.get(self.at..self.at + plain)?);
            self.at += plain;
            match self.peek()? {
                b'"' => return self.copy(b'"'),
                b'\\' => self.escape()?,
                control => {
                    self.readings.insert(Reading::ControlCharacter);
                    self.out.push_str(&format!("\\u{control:04x}"));
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let escape = *self.bytes.get(self.at + 1)?;
        if escape != b'u' {
            b"\"\\/bfnrt".contains(&escape).then_some(())?;
            self.out.push_str(self.text.get(self.at..self.at + 2)?);
            self.at += 2;
            return Some(());
        }
        let unit = self.unit(self.at)?;
        match unit {
            0xd800..=0xdbff if self.unit(self.at + 6).is_some_and(|it| it >> 10 == 0x37) => {
                self.out.push_str(self.text.get(self.at..self.at + 12)?);
                self.at += 12;
            }
            0xd800..=0xdfff => {
                self.readings.insert(Reading::LoneSurrogate);
                self.out.push_str("\\ufffd");
                self.at += 6;
            }
            _ => {
                self.out.push_str(self.text.get(self.at..self.at + 6)?);
                self.at += 6;
            }
        }
        Some(())
    }

    /// The code unit that is escaped there.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let hexadecimal = digits.bytes().all(|it| it.is_ascii_hexdigit());
        hexadecimal.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_senders_write_for_json_is_read_as_what_they_mean() {
        for (text, json, reading) in [
            ("{\"a\":\"x\ny\"}", r#"{"a":"x\u000ay"}"#, Reading::ControlCharacter),
            ("{\"a\u{1}\":1}", r#"{"a\u0001":1}"#, Reading::ControlCharacter),
            (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#, Reading::LoneSurrogate),
            (r#"{"a":"\ude00\ud83dx"}"#, r#"{"a":"\ufffd\ufffdx"}"#, Reading::LoneSurrogate),
            (r#"{"a":"\ud83d\u0041"}"#, r#"{"a":"\ufffd\u0041"}"#, Reading::LoneSurrogate),
            (r#"{"a":NaN,"b":[-Infinity]}"#, r#"{"a":null,"b":[null]}"#, Reading::NotANumber),
            (r#"{"data":"{\"a\":1}"}"#, r#"{"data":{"a":1}}"#, Reading::JsonInText),
            (
                r#"{"data":{"account_list":"[]"}}"#,
                r#"{"data":{"account_list":[]}}"#,
                Reading::JsonInText,
            ),
            (r#""{\"a\":\"\\ud83d\"}""#, r#"{"a":"\ufffd"}"#, Reading::JsonInText),
        ] {
            let (out, readings) = repaired(text).unwrap_or_default();
            assert_eq!(out, json, "{text}");
            assert!(readings.contains(reading), "{text}: {readings:?}");
        }
        let deep = "[".repeat(200);
        for text in ["", "{", "{\"a\":}", "[1 2]", r#"{"a":"\x"}"#, r#"{"a":"\u12g4"}"#, &deep] {
            assert!(repaired(text).is_none_or(|(out, _)| serde_json::from_str::<serde_json::Value>(&out).is_err()), "{text}");
        }
        // A text that holds no JSON stays one, and a pair stays a pair.
        for strict in [r#"{"data":"{x"}"#, r#"{"a":"\ud83d\ude00"}"#, r#"{"name":"{}"}"#] {
            assert_eq!(repaired(strict), None, "{strict}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"data\"",
            "\\ud83d",
            "\\ude00",
            "\\n",
            "\\",
            "\n",
            "\u{0}",
            "NaN",
            "-inf",
            "1",
            "1.5e3",
            "null",
            "true",
            " ",
            "é",
            "\"{\\\"b\\\":1}\"",
        ]);
        prop::collection::vec(pieces, 0..24).prop_map(|it| it.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn strict_json_is_left_as_it_is_but_for_texts_inside_it(text in text()) {
            let strict = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            if let Some((_, readings)) = repaired(&text).filter(|_| strict) {
                prop_assert!(readings.contains(Reading::JsonInText), "{text}: {readings:?}");
            }
        }
    }
}
