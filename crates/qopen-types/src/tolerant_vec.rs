//! Lists whose elements are read one by one, so that a broken one costs only itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::MapAccess;
use serde::{Serialize, Serializer};

use crate::json::Json;
use crate::reading::Readings;
use crate::unread::{self, Tolerant};
use crate::wire::{self, Scalar};

/// An unreadable element, whole, with the reason.
///
/// The reason names the field and the expected kind, never the value.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidItem {
    /// The element as it came.
    pub raw: Json,
    /// Why it is unreadable.
    pub reason: String,
}

impl fmt::Debug for InvalidItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidItem").field("raw", &self.raw).field("reason", &self.reason).finish()
    }
}

/// An element of [`TolerantVec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<T> {
    /// The element, read.
    Valid(T),
    /// An element that could not be read, as it came.
    Invalid(InvalidItem),
}

impl<T: Tolerant> Item<T> {
    /// Reads one element from its JSON: a field that cannot be read costs the field, and only an
    /// element that cannot be identified is not read.
    #[must_use]
    pub fn read(raw: Json) -> Self {
        Self::read_with(raw).0
    }

    /// As [`read`](Self::read), with the tolerated spellings.
    #[must_use]
    pub fn read_with(raw: Json) -> (Self, Readings) {
        match unread::read::<T>(raw.as_str()) {
            Some((value, fields, readings)) => (Self::Valid(value.with_unread(fields)), readings),
            None => {
                let error = serde_json::from_str::<T>(raw.as_str()).err();
                let reason = error.map_or_else(String::new, |error| wire::reason(&error));
                (Self::Invalid(InvalidItem { raw, reason }), Readings::PLAIN)
            }
        }
    }
}

/// A list read element by element: an unreadable account never costs its page (protocol section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TolerantVec<T>(Vec<Item<T>>);

impl<T> TolerantVec<T> {
    /// All elements, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Item<T>> {
        self.0.iter()
    }

    /// The elements that were read.
    pub fn valid(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|item| match item {
            Item::Valid(value) => Some(value),
            Item::Invalid(_) => None,
        })
    }

    /// The elements that could not be read.
    pub fn invalid(&self) -> impl Iterator<Item = &InvalidItem> {
        self.0.iter().filter_map(|item| match item {
            Item::Valid(_) => None,
            Item::Invalid(invalid) => Some(invalid),
        })
    }

    /// How many elements there are, valid and invalid.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for TolerantVec<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<Item<T>> for TolerantVec<T> {
    fn from_iter<I: IntoIterator<Item = Item<T>>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T> IntoIterator for TolerantVec<T> {
    type Item = self::Item<T>;
    type IntoIter = alloc::vec::IntoIter<Item<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a TolerantVec<T> {
    type Item = &'a Item<T>;
    type IntoIter = core::slice::Iter<'a, Item<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for TolerantVec<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<T: Serialize> Serialize for Item<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Valid(value) => value.serialize(serializer),
            Self::Invalid(item) => item.raw.serialize(serializer),
        }
    }
}

/// Reads the list of a named field.
pub(crate) fn read<'de, T: Tolerant, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Result<TolerantVec<T>, A::Error> {
    Ok(wire::elements(map, field)?.into_iter().map(Item::read).collect())
}

/// Reads the list of a named field that may be absent: null is an empty list.
pub(crate) fn read_given<'de, T: Tolerant, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Result<Option<TolerantVec<T>>, A::Error> {
    read(map, field).map(Some)
}

/// Reads the list of scalars of a named field.
pub(crate) fn read_scalars<'de, T: Scalar, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Result<TolerantVec<T>, A::Error> {
    let item = |raw: Json| match wire::scalar_of(raw.as_str(), field) {
        Ok(Some(value)) => Item::Valid(value),
        Ok(None) => {
            let reason = format!("{field}: expected {}, found nothing", T::EXPECTED);
            Item::Invalid(InvalidItem { raw, reason })
        }
        Err(error) => Item::Invalid(InvalidItem { raw, reason: wire::reason(&error) }),
    };
    Ok(wire::elements(map, field)?.into_iter().map(item).collect())
}
