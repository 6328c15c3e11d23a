//! The identifiers of the protocol, each a type of its own, checked when it is made.

use alloc::sync::Arc;
use core::fmt;

use serde::{Serialize, Serializer};

use crate::wire::{self, Scalar, Unfit, Value};

/// A text that cannot be an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// The text has no characters.
    #[error("an identifier cannot be empty")]
    Empty,
    /// The text is longer than any identifier can be.
    #[error("an identifier has at most {limit} bytes; this one has {actual}")]
    TooLong {
        /// The most bytes an identifier may have.
        limit: usize,
        /// How many this one has.
        actual: usize,
    },
    /// The text has a line break or another control character.
    #[error("an identifier cannot contain control characters")]
    ControlCharacter,
    /// The text has a hole: U+FFFD replaces unreadable bytes, so two different identifiers may look
    /// the same.
    #[error("an identifier cannot contain U+FFFD")]
    Hole,
}

/// The most bytes of UTF-8 that an identifier may have.
const LIMIT: usize = 512;

pub(crate) fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > LIMIT {
        return Err(InvalidId::TooLong { limit: LIMIT, actual: text.len() });
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(InvalidId::Hole);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// One to 512 bytes of UTF-8 without control characters and U+FFFD. Cloning is cheap.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and makes an identifier of it.
            ///
            /// # Errors
            /// [`InvalidId`], if the text is empty, longer than 512 bytes, or holds a control
            /// character or U+FFFD.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                wire::required_scalar(deserializer, stringify!($name))
            }
        }

        impl Scalar for $name {
            const EXPECTED: &'static str = "an identifier";

            fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
                match value.into_text()? {
                    text if text.is_empty() => Ok(None),
                    text => Self::new(text).map(Some).map_err(|_| Unfit),
                }
            }
        }
    };
}

id! {
    /// A robot of the platform: one WeCom account that has customers.
    RobotId
}
id! {
    /// The name of one request, carried by every page of its answer.
    MarkId
}
id! {
    /// A customer's id on the platform.
    ///
    /// It belongs to a person, so `Debug` prints only a short digest of it, enough to tell two
    /// customers apart in a log.
    AccountId
}

impl RobotId {
    /// Finds the robot in a callback's payload, reading no further than necessary, even if the rest
    /// is broken.
    #[must_use]
    pub fn of_payload(payload: &str) -> Option<Self> {
        wire::first_field(payload, "robot_id")
    }
}

impl fmt::Debug for RobotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RobotId({:?})", &*self.0)
    }
}

impl fmt::Debug for MarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarkId({:?})", &*self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = crate::Digest::of(self.0.as_bytes()).to_u128();
        write!(f, "AccountId(~{:08x})", digest & 0xffff_ffff)
    }
}
