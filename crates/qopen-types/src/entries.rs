//! Lists whose elements are read one by one, so that a broken one costs only itself.

use std::fmt;

use serde::de::MapAccess;
use serde::{Serialize, Serializer};

use crate::json::Json;
use crate::reading::Readings;
use crate::unread::{self, Tolerant};
use crate::wire;

/// An unreadable element, whole, with the reason.
///
/// The reason names the field and the expected kind, never the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Unread {
    /// The element as it came.
    pub raw: Json,
    /// Why it is unreadable.
    pub reason: String,
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("raw", &self.raw).field("reason", &self.reason).finish()
    }
}

/// An element of [`Entries`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// It was understood.
    Read(T),
    /// It was not, and is kept as it came.
    Unread(Unread),
}

impl<T: Tolerant> Entry<T> {
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
            Some((value, fields, readings)) => (Self::Read(value.with_unread(fields)), readings),
            None => {
                let error = serde_json::from_str::<T>(raw.as_str()).err();
                let reason = error.map_or_else(String::new, |error| wire::reason(&error));
                (Self::Unread(Unread { raw, reason }), Readings::PLAIN)
            }
        }
    }
}

/// A list read element by element: an unreadable account never costs its page (protocol section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T>(Vec<Entry<T>>);

impl<T> Entries<T> {
    /// All elements, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry<T>> {
        self.0.iter()
    }

    /// The elements that were understood.
    pub fn read(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|entry| match entry {
            Entry::Read(value) => Some(value),
            Entry::Unread(_) => None,
        })
    }

    /// The elements that were not.
    pub fn unread(&self) -> impl Iterator<Item = &Unread> {
        self.0.iter().filter_map(|entry| match entry {
            Entry::Read(_) => None,
            Entry::Unread(unread) => Some(unread),
        })
    }

    /// How many elements there are, understood or not.
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

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<Entry<T>> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = Entry<T>>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T> IntoIterator for Entries<T> {
    type Item = Entry<T>;
    type IntoIter = std::vec::IntoIter<Entry<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Entries<T> {
    type Item = &'a Entry<T>;
    type IntoIter = std::slice::Iter<'a, Entry<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<T: Serialize> Serialize for Entry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(value) => value.serialize(serializer),
            Self::Unread(unread) => unread.raw.serialize(serializer),
        }
    }
}

/// Reads the list of a named field.
pub(crate) fn read<'de, T: Tolerant, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Result<Entries<T>, A::Error> {
    Ok(wire::elements(map, field)?.into_iter().map(Entry::read).collect())
}
