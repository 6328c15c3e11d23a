//! Scans payloads that are no longer JSON.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use alloc::collections::BTreeSet;

use crate::EventType;

/// The texts between quotes in a payload, whatever is left of its form; also those of JSON that is a
/// text inside it.
///
/// A payload that names a pull has the pull's mark among them.
#[derive(Debug)]
pub struct QuotedTexts(BTreeSet<Box<str>>);

impl QuotedTexts {
    /// The texts of a payload, each of at most 512 bytes, as long as an identifier may be.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let text = String::from_utf8_lossy(payload).replace('\\', "");
        let fits = |it: &&str| (1..=512).contains(&it.len());
        Self(text.split('"').map(str::trim).filter(fits).map(Box::from).collect())
    }

    /// Whether a text is among them.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// Whether a text is among them but for the case of its letters.
    #[must_use]
    pub fn contains_ignoring_case(&self, text: &str) -> bool {
        self.0.iter().any(|it| it.eq_ignore_ascii_case(text))
    }
}

/// The values of every member of that name, at any depth, as far as each is whole.
pub(crate) fn values_of<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let quoted = format!("\"{name}\"");
    let places: Vec<usize> = text.match_indices(&quoted).map(|(at, _)| at + quoted.len()).collect();
    places.into_iter().filter_map(|at| {
        let rest = text.get(at..)?.trim_start().strip_prefix(':')?.trim_start();
        match rest.strip_prefix('"') {
            Some(string) => Some(&string[..string.find('"')?]),
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
                // A value that is cut off, or that runs into other text, is ignored.
                let (value, after) = rest.split_at(end?);
                let after = after.trim_start();
                let next = after.strip_prefix(',').map(str::trim_start);
                let whole = after.starts_with(['}', ']'])
                    || next.is_some_and(|it| it.is_empty() || it.starts_with('"'));
                whole.then_some(value)
            }
        }
    })
}

impl EventType {
    /// Finds the event type in the rest of a damaged payload. Of several, a customer list's wins.
    #[must_use]
    pub fn scan(text: &str) -> Self {
        let types = || {
            let whole = |it: &&str| !it.contains(['\\', char::REPLACEMENT_CHARACTER]);
            // Of words of JSON none is an event's name.
            let says = |it: &&str| !["null", "true", "false"].contains(it);
            let values = values_of(text, "event_type").filter(whole).filter(says);
            values.map(Self::of_text).filter(|it| *it != Self::Absent)
        };
        types()
            .find(|it| *it == Self::ROBOT_ACCOUNT_LIST)
            .or_else(|| types().next())
            .unwrap_or(Self::Absent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_payloads_still_say_what_they_are() {
        for (text, event_type) in [
            (r#"{"event_type":40023,"text":"#, EventType::Code(40023)),
            (r#"{"x":"\q","event_type" : "42016","data":"#, EventType::ROBOT_ACCOUNT_LIST),
            (r#"{"event_type":1,"data":{"event_type":42016.0 ,"#, EventType::ROBOT_ACCOUNT_LIST),
            (r#"{"event_type":null"#, EventType::Absent),
            (r#"{"event_type":false,"#, EventType::Absent),
            (r#"{"event_type":" ","#, EventType::Absent),
            (r#"{"event_type":420"#, EventType::Absent),
            (r#"{"event_type":4 2016,"#, EventType::Absent),
            (r#"{"event_type":42,016,"#, EventType::Absent),
            ("{\"event_type\":\"42\u{fffd}16\",", EventType::Absent),
            (r#"{"event_type":42016robot_id":"r","#, EventType::Absent),
            (r#"{"text":"\"event_type\":42016"#, EventType::Absent),
            ("", EventType::Absent),
        ] {
            assert_eq!(EventType::scan(text), event_type, "{text}");
        }
        let texts = QuotedTexts::of(br#"{"data":"{\"mark_id\":\"M-1\"","x":"half"#);
        assert!(texts.contains("M-1") && texts.contains_ignoring_case("m-1"));
        assert!(!texts.contains("m-1"));
    }
}
