//! A text that is never printed and is wiped when dropped.

use alloc::string::String;
use core::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::wire::{self, Scalar, Unfit, Value};

/// A secret text: a key, a token, a password.
///
/// `Debug` prints `<secret>`, there is no `Display`, and the memory is overwritten on drop.
/// Serializing writes the secret itself: it exists to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Makes a secret of a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Keep it out of logs and errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::required_scalar(deserializer, "Secret")
    }
}

impl Scalar for Secret {
    const EXPECTED: &'static str = "a string";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        String::from_value(value).map(|text| text.filter(|text| !text.is_empty()).map(Self::from))
    }
}
