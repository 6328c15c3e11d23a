//! Finds the event type at the beginning of a payload.

use crate::reader::Reader;
use crate::{EventType, PayloadText};

/// Bytes in which the usual beginning of a payload ends.
const BEGINNING: usize = 64;

impl EventType {
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
