//! Reads an envelope without copying it: the common form in one pass, any other by serde_json.

use alloc::borrow::Cow;
use alloc::string::String;

#[cfg(feature = "std")]
use fearless_simd::{Level, dispatch};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::OpenError;

/// The five values, as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) app_key: Cow<'a, str>,
    pub(crate) nonce: Cow<'a, str>,
    pub(crate) timestamp: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) encoding_content: Cow<'a, str>,
    /// Whether a byte order mark precedes it.
    pub(crate) bom: bool,
}

/// JSON's white space.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

const FIELDS: [&str; 5] = ["app_key", "nonce", "timestamp", "signature", "encoding_content"];

/// The string at the beginning of the text, if it has no escapes, and the rest of the text.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start_matches(SPACE).strip_prefix('"')?;
    let (string, after) = inner.split_at(special(inner.as_bytes())?);
    Some((string, after.strip_prefix('"')?))
}

/// The place of the first byte that ends a string, begins an escape, or must not be in a string.
fn special(bytes: &[u8]) -> Option<usize> {
    /// Bytes that the compiler looks at with vectors, without an early exit.
    const CHUNK: usize = 256;
    let is_special = |byte: &u8| (*byte == b'"') | (*byte == b'\\') | (*byte < b' ');
    #[inline(always)]
    fn plain_chunks(bytes: &[u8], is_special: impl Fn(&u8) -> bool) -> usize {
        let plain =
            |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |found, it| found | is_special(it));
        bytes.as_chunks().0.iter().take_while(plain).count()
    }
    // Most strings are short.
    let short = &bytes[..bytes.len().min(64)];
    if let Some(at) = short.iter().position(is_special) {
        return Some(at);
    }
    #[cfg(feature = "std")]
    let chunks = dispatch!(Level::new(), _ => plain_chunks(bytes, is_special));
    #[cfg(not(feature = "std"))]
    let chunks = plain_chunks(bytes, is_special);
    let begin = chunks * CHUNK;
    Some(begin + bytes[begin..].iter().position(is_special)?)
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    app_key: Option<&'a RawValue>,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    encoding_content: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, OpenError> {
        let (body, bom) = match body.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, true),
            None => (body, false),
        };
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(OpenError::Empty);
        }
        let text = match simdutf8::basic::from_utf8(body) {
            Ok(text) => text,
            // The slower check says where.
            Err(_) => {
                core::str::from_utf8(body).map_err(|error| OpenError::NotJson(error.into()))?
            }
        };
        let envelope = Self::quick(text).map_or_else(|| Self::general(text), Ok)?;
        Ok(Self { bom, ..envelope })
    }

    /// Reads the five values as strings without escapes, in any order, and nothing else. `None` for
    /// every other text, right or wrong.
    fn quick(text: &'a str) -> Option<Self> {
        let mut rest = text.trim_start_matches(SPACE).strip_prefix('{')?;
        let mut values = [None; 5];
        loop {
            let (name, after) = plain_string(rest)?;
            let (value, after) = plain_string(after.trim_start_matches(SPACE).strip_prefix(':')?)?;
            let place = &mut values[FIELDS.iter().position(|field| *field == name)?];
            if place.replace(value).is_some() {
                return None;
            }
            let after = after.trim_start_matches(SPACE);
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None if after.strip_prefix('}')?.trim_start_matches(SPACE).is_empty() => break,
                None => return None,
            }
        }
        let [app_key, nonce, timestamp, signature, encoding_content] = values;
        Some(Self {
            app_key: app_key?.into(),
            nonce: nonce?.into(),
            timestamp: timestamp?.into(),
            signature: signature?.into(),
            encoding_content: encoding_content?.into(),
            bom: false,
        })
    }

    fn general(text: &'a str) -> Result<Self, OpenError> {
        if !text.trim_start().starts_with('{') {
            return Err(OpenError::NotAnObject);
        }
        let fields: Fields<'a> =
            serde_json::from_str(text).map_err(|error| OpenError::NotJson(error.into()))?;
        Ok(Self {
            app_key: value("app_key", fields.app_key)?,
            nonce: value("nonce", fields.nonce)?,
            timestamp: value("timestamp", fields.timestamp)?,
            signature: value("signature", fields.signature)?,
            encoding_content: value("encoding_content", fields.encoding_content)?,
            bom: false,
        })
    }
}

/// A string's text, or a number's own digits: the platform signs what it wrote.
fn value<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, OpenError> {
    let text = raw.ok_or(OpenError::MissingField { field })?.get();
    match text.as_bytes() {
        [b'"', inner @ .., b'"'] if memchr::memchr(b'\\', inner).is_none() => {
            Ok(text[1..text.len() - 1].into())
        }
        [b'"', ..] => serde_json::from_str::<String>(text)
            .map(Cow::Owned)
            .map_err(|error| OpenError::NotJson(error.into())),
        [b'-' | b'0'..=b'9', ..] => Ok(text.into()),
        _ => Err(OpenError::FieldType { field }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for at in 0..700 {
            let mut bytes = vec![b'~'; 700];
            assert_eq!(special(&bytes[..at]), None);
            bytes[699] = b'"';
            for byte in [b'"', b'\\', 0, 31] {
                bytes[at] = byte;
                assert_eq!(special(&bytes), Some(at));
            }
        }
    }

    /// Pieces of envelopes, and pieces that break them.
    fn piece() -> impl Strategy<Value = String> {
        let fixed = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", "\\u0041", " ", "\n", "\t", "\r",
            "\u{b}", "\u{0}", "\u{1f}", "\u{7f}", "null", "true", "1", "-1.5e3", "é", "\u{a0}",
            "\u{feff}",
        ];
        let member = (prop::sample::select(FIELDS.to_vec()), "[a-zA-Z0-9+/= é]{0,20}");
        prop_oneof![
            4 => member.prop_map(|(name, value)| format!("\"{name}\":\"{value}\"")),
            2 => prop::sample::select(fixed.to_vec()).prop_map(str::to_owned),
            1 => prop::sample::select(FIELDS.to_vec()).prop_map(|name| format!("\"{name}\"")),
        ]
    }

    /// An envelope, mostly, with one piece out of place.
    fn text() -> impl Strategy<Value = String> {
        let value = "[a-zA-Z0-9+/= é]{0,30}";
        let values = prop::collection::vec(value, 5);
        let order = Just(FIELDS.to_vec()).prop_shuffle();
        let space = prop::sample::select(vec!["", " ", "\n  "]);
        let whole = (values, order, space).prop_map(|(values, order, space)| {
            let members = order.iter().zip(&values);
            let members: Vec<_> = members
                .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}\"{value}\"{space}"))
                .collect();
            format!("{space}{{{}}}{space}", members.join(","))
        });
        let damaged = (whole.clone(), any::<prop::sample::Index>(), piece(), 0..4_usize).prop_map(
            |(whole, at, piece, cut)| {
                let places: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
                let at = at.index(places.len());
                let (from, to) = (places[at], places.get(at + cut).copied().unwrap_or(whole.len()));
                format!("{}{piece}{}", &whole[..from], &whole[to..])
            },
        );
        let pieces = prop::collection::vec(piece(), 0..12).prop_map(|it| it.concat());
        prop_oneof![whole, damaged, pieces]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_the_quick_reader_takes_the_general_one_takes_for_the_same(text in text()) {
            if let Some(quick) = Envelope::quick(&text) {
                prop_assert_eq!(Some(quick), Envelope::general(&text).ok());
            }
        }
    }

    #[test]
    fn the_usual_spelling_is_read_quickly_and_its_neighbours_are_not() {
        let usual =
            r#"{"app_key":"a","nonce":"n","timestamp":"1","signature":"s","encoding_content":"e"}"#;
        assert!(Envelope::quick(usual).is_some());
        for (from, to) in [
            ("\"1\"", "1"),
            ("\"s\"", "\"\\u0073\""),
            ("\"n\"", "\"\n\""),
            ("\"signature\"", "\"nonce\""),
            ("\"a\"", "null"),
            ("{", "{\"more\":\"x\","),
            ("}", "} x"),
            ("}", ",}"),
        ] {
            assert!(Envelope::quick(&usual.replace(from, to)).is_none(), "{from} {to}");
        }
    }
}
