//! Event types of callbacks.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer};

use crate::wire::{self, Scalar, Unfit, Value};

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
