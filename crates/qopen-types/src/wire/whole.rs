//! Readers of whole texts, and of a first field without the rest.

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use super::field::{AsElements, AsObject, AsScalar, Field, Key, Object};
use super::scalar::Scalar;

/// A scalar's JSON; `None` stands for "not given".
pub(crate) fn scalar_of<T: Scalar>(
    json: &str,
    field: &str,
) -> Result<Option<T>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = Field::<AsScalar<T>>::new(field).deserialize(&mut deserializer)?;
    Ok(value.map(|AsScalar(value)| value))
}

/// An object's JSON; `None` stands for "not given".
pub(crate) fn object_of<'de, T: Object<'de>>(
    json: &'de str,
    field: &str,
) -> Result<Option<T>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = Field::<AsObject<T>>::new(field).deserialize(&mut deserializer)?;
    Ok(value.map(|AsObject(value)| value))
}

/// The elements of a list's JSON, in any of a list's forms; `None` stands for "not given".
pub(crate) fn elements_of<'a>(
    json: &'a str,
    field: &str,
) -> Result<Option<Vec<&'a RawValue>>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = Field::<AsElements<&RawValue>>::new(field).deserialize(&mut deserializer)?;
    Ok(value.map(|AsElements(list)| list))
}

/// The members of an object's JSON, in order, repeated ones included.
pub(crate) fn members_of(json: &str) -> Result<Vec<(Key<'_>, &RawValue)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Key<'de>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            core::iter::from_fn(|| map.next_entry().transpose()).collect()
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Members)
}

/// The first field of that name in the text's outermost object; nothing after it is looked at.
pub(crate) fn first_field<T: DeserializeOwned>(text: &str, name: &str) -> Option<T> {
    struct Seek<'a, T> {
        name: &'a str,
        found: &'a Cell<Option<T>>,
    }
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Seek<'_, T> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Key<'de>>()? {
                if key.as_str() == self.name {
                    self.found.set(Some(map.next_value()?));
                    return Ok(());
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let found = Cell::new(None);
    // Stopping in the middle of an object is an error to the parser and success to us.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(Seek { name, found: &found });
    found.into_inner()
}
