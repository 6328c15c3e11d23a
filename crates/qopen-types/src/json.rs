//! A JSON value kept as its text, so that nothing is lost by reading it.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The error of a text that is not JSON. Its cause has the position, and never quotes the text.
#[derive(Debug, thiserror::Error)]
#[error("the text is not one JSON value")]
pub struct InvalidJson(#[source] Box<dyn core::error::Error + Send + Sync>);

/// Any JSON value, as its text without insignificant white space.
///
/// Numbers keep every digit and strings their escapes, so the text that came is the text that is
/// written. Two values are equal if their texts are. `Debug` prints only the length: the value may
/// be a customer's. Works with `serde_json` only.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// [`InvalidJson`], if the text is not one JSON value.
    pub fn parse(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str::<&RawValue>(text)
            .map(Self::from_raw)
            .map_err(|error| InvalidJson(error.into()))
    }

    /// The value's text, on one line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    pub(crate) fn from_raw(raw: &RawValue) -> Self {
        let text = raw.get();
        if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return Self(raw.to_owned());
        }
        let compact = compact(text);
        // White space between tokens was all that went: what was JSON still is. Were it not, the
        // original would be kept rather than lost.
        Self(RawValue::from_string(compact).unwrap_or_else(|_| raw.to_owned()))
    }
}

/// The JSON text without the white space between its tokens.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            out.push(c);
            (in_string, escaped) = match c {
                _ if escaped => (true, false),
                '\\' => (true, true),
                '"' => (false, false),
                _ => (true, false),
            };
        } else if !matches!(c, ' ' | '\t' | '\n' | '\r') {
            in_string = c == '"';
            out.push(c);
        }
    }
    out
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json(<{} bytes>)", self.as_str().len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::from_raw(&raw))
    }
}
