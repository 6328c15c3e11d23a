//! Event types of callbacks.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::PayloadText;
use crate::reader::Reader;
use crate::wire::{self, Scalar, Unfit, Value};

/// Bytes in which the usual beginning of a payload ends.
const BEGINNING: usize = 64;

/// The `event_type` of a callback: a number on this gateway, a text on its sister gateway.
///
/// A text that is a number counts as that number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// A numeric type, such as 42016.
    Code(i64),
    /// A textual type.
    Name(String),
    /// The callback did not say.
    Absent,
}

impl EventType {
    /// Finds the event type in a payload, reading no further than necessary.
    ///
    /// Text that is not a JSON object has no event type. The rest of the payload is not checked.
    #[must_use]
    pub fn of_payload(payload: &str) -> Self {
        wire::first_field(payload, "event_type").unwrap_or(Self::Absent)
    }

    /// As [`of_payload`](Self::of_payload), in the text of the bytes. A payload that begins with its
    /// event type, as a number, is not read any further.
    #[must_use]
    pub fn of_bytes(payload: &[u8]) -> Self {
        let general = || Self::of_payload(PayloadText::of(payload).as_str());
        Self::at_the_beginning(payload).unwrap_or_else(general)
    }

    fn at_the_beginning(payload: &[u8]) -> Option<Self> {
        let beginning = payload.get(..BEGINNING).unwrap_or(payload);
        let mut reader = Reader::new(beginning.utf8_chunks().next()?.valid());
        reader.space();
        reader.take(b'{')?;
        reader.space();
        let name = reader.plain_string()?;
        reader.space();
        reader.take(b':')?;
        reader.space();
        let code = reader.integer()?;
        // Otherwise the number may go on.
        matches!(reader.peek()?, b',' | b'}' | b' ' | b'\n').then_some(())?;
        (name == "event_type").then_some(Self::Code(code))
    }
}

impl EventType {
    /// A code, also in the form `42016.0`, or a name.
    pub(crate) fn of_text(text: &str) -> Self {
        let text = text.trim();
        let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|it| it == b'0'));
        match whole.map_or(text, |(whole, _)| whole).parse() {
            Ok(code) => Self::Code(code),
            Err(_) if text.is_empty() => Self::Absent,
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Name(name) => f.write_str(name),
            Self::Absent => f.write_str("absent"),
        }
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::required_scalar(deserializer, "event_type")
    }
}

impl Scalar for EventType {
    const EXPECTED: &'static str = "a number or a string";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        Ok(Some(Self::of_text(&value.into_text()?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of beginnings, most of which fit together.
    fn beginning() -> impl Strategy<Value = Vec<u8>> {
        let usual = "\"event_type\"";
        let name = prop::sample::select(vec![
            usual,
            usual,
            usual,
            "\"event\\u005ftype\"",
            "\"robot_id\"",
            "x",
        ]);
        let value = prop::sample::select(vec![
            "42016",
            "0",
            "-0",
            "-7",
            "042016",
            "42016.0",
            "4e3",
            "\"42016\"",
            "null",
            "1234567890123456789",
            "{",
        ]);
        let space = || prop::sample::select(vec!["", "", " ", "\n", "\u{feff}"]);
        let end =
            prop::sample::select(vec![",", "}", " ", "", "x", "\u{e9}", ",\"event_type\":1}"]);
        let whole = (space(), space(), name, space(), value, end).prop_map(
            |(first, second, name, third, value, end)| {
                format!("{first}{{{second}{name}{third}:{third}{value}{end}").into_bytes()
            },
        );
        (whole, 0..80_usize, any::<u8>(), any::<bool>()).prop_map(
            |(mut bytes, at, byte, damage)| {
                if let Some(place) = bytes.get_mut(at).filter(|_| damage) {
                    *place = byte;
                }
                bytes
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_type_at_the_beginning_is_the_one_that_the_whole_text_has(
            bytes in beginning(), filler in 0..100_usize,
        ) {
            let padded = [&vec![b' '; filler][..], &bytes].concat();
            for payload in [bytes, padded] {
                let whole = EventType::of_payload(PayloadText::of(&payload).as_str());
                if let Some(quick) = EventType::at_the_beginning(&payload) {
                    prop_assert_eq!(&quick, &whole);
                }
                prop_assert_eq!(EventType::of_bytes(&payload), whole);
            }
        }
    }

    #[test]
    fn the_usual_beginning_is_read_quickly() {
        let usual = br#"{"event_type":42016,"err_code":0,"data":{"mark_id":"#;
        assert_eq!(EventType::at_the_beginning(usual), Some(EventType::ROBOT_ACCOUNT_LIST));
        assert_eq!(EventType::at_the_beginning(b"{\"event_type\":42016"), None);
    }
}
