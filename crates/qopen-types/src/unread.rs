//! Unreadable fields, kept as their JSON: each costs itself only.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::wire::{self, Scalar};
use crate::{Json, Reading, Readings, reading, repair};

/// Fields of an account that could not be read, each with its path and its raw value.
///
/// A path names the field from the account down, such as `profile.add_at` or
/// `tag_info_list[2].tag_name`. `Debug` prints only how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UnreadFields(Vec<(Box<str>, Json)>);

impl UnreadFields {
    /// Paths and values, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(path, value)| (&**path, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, path: &str, value: &RawValue) {
        self.0.push((path.into(), Json::from_raw(value)));
    }
}

impl fmt::Debug for UnreadFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnreadFields(<{} fields>)", self.0.len())
    }
}

impl Serialize for UnreadFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.iter().try_for_each(|(path, value)| map.serialize_entry(path, value))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for UnreadFields {
    /// Reads what `Serialize` wrote: an object of paths and raw values.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = UnreadFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of unreadable fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UnreadFields, A::Error> {
                let mut fields = UnreadFields::default();
                while let Some((path, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push(&path, &value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A type that is read field by field if reading it as a whole fails. Implemented by generated
/// types.
pub trait Tolerant: DeserializeOwned {
    /// Reads the members of its object, and collects the unreadable ones. `None` if its identifier
    /// is unreadable.
    #[doc(hidden)]
    fn read_members(members: Members<'_>, unread: &mut Unread<'_>) -> Option<Self>;

    /// Adds the unreadable fields, if the type keeps them.
    #[doc(hidden)]
    #[must_use]
    fn with_unread(self, fields: UnreadFields) -> Self {
        let _ = fields;
        self
    }
}

/// An object's members, for [`Tolerant`] types.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Box<str>, &'a RawValue)>);

/// The unreadable fields of a [`Tolerant`] type.
#[derive(Debug)]
pub struct Unread<'a> {
    path: String,
    fields: &'a mut UnreadFields,
}

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Result<Self, serde_json::Error> {
        let members = wire::members_of(json)?.into_iter();
        Ok(Self(members.map(|(key, value)| (key.as_str().into(), value)).collect()))
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Box<str>, &'a RawValue)> {
        self.0.into_iter()
    }
}

impl Unread<'_> {
    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// A required scalar; `None` if it is unreadable, and within that if it is null.
    #[allow(clippy::option_option, reason = "they are two different things")]
    #[allow(clippy::unused_self, reason = "it is called like the others")]
    pub(crate) fn required<T: Scalar>(&self, name: &str, value: &RawValue) -> Option<Option<T>> {
        wire::scalar_of(value.get(), name).ok()
    }

    /// A scalar; `None` if it is absent or unreadable.
    pub(crate) fn optional<T: Scalar>(&mut self, name: &str, value: &RawValue) -> Option<T> {
        wire::scalar_of(value.get(), name).unwrap_or_else(|_| {
            self.fields.push(&self.path_of(name), value);
            None
        })
    }

    pub(crate) fn scalar<T: Scalar + Default>(&mut self, name: &str, value: &RawValue) -> T {
        self.optional(name, value).unwrap_or_default()
    }

    pub(crate) fn open_enum<T: From<i64>>(&mut self, name: &str, value: &RawValue) -> T {
        T::from(self.scalar::<i64>(name, value))
    }

    /// What is read below a name.
    fn below<T: Tolerant>(&mut self, path: String, json: &str) -> Option<T> {
        let members = Members::of(json).ok()?;
        T::read_members(members, &mut Unread { path, fields: self.fields })
    }

    pub(crate) fn object<T: Tolerant + Default>(&mut self, name: &str, value: &RawValue) -> T {
        let path = self.path_of(name);
        match value.get() {
            "null" => return T::default(),
            "\"\"" => {
                reading::note(Reading::EmptyObjectForm);
                return T::default();
            }
            json if json.starts_with('{') => {
                if let Some(read) = self.below(path.clone(), json) {
                    return read;
                }
            }
            json if wire::elements_of(json, name)
                .is_ok_and(|it| it.is_none_or(|it| it.is_empty())) =>
            {
                reading::note(Reading::EmptyObjectForm);
                return T::default();
            }
            _ => {}
        }
        self.fields.push(&path, value);
        T::default()
    }

    /// A list of scalars, or the only one; an unreadable element costs itself only.
    pub(crate) fn scalars<T: Scalar>(&mut self, name: &str, value: &RawValue) -> Vec<T> {
        let Ok(elements) = wire::elements_of(value.get(), name) else {
            return self.optional(name, value).into_iter().collect();
        };
        let path = self.path_of(name);
        let mut out = Vec::new();
        for (n, element) in elements.unwrap_or_default().into_iter().enumerate() {
            match wire::scalar_of(element.get(), name) {
                Ok(read) => out.extend(read),
                Err(_) => self.fields.push(&format!("{path}[{n}]"), element),
            }
        }
        out
    }

    pub(crate) fn list<T: Tolerant>(&mut self, name: &str, value: &RawValue) -> Vec<T> {
        let path = self.path_of(name);
        let Ok(elements) = wire::elements_of(value.get(), name) else {
            self.fields.push(&path, value);
            return Vec::new();
        };
        let mut out = Vec::new();
        for (n, element) in elements.unwrap_or_default().into_iter().enumerate() {
            let path = format!("{path}[{n}]");
            match self.below(path.clone(), element.get()) {
                Some(read) => out.push(read),
                None if element.get() == "null" => {}
                None => self.fields.push(&path, element),
            }
        }
        out
    }
}

/// Reads an element of a list: as a whole, else field by field. `None` if its identifier is
/// unreadable.
pub(crate) fn read<T: Tolerant>(json: &str) -> Option<(T, UnreadFields, Readings)> {
    let (whole, readings) = reading::noting(|| serde_json::from_str(json));
    if let Ok(whole) = whole {
        return Some((whole, UnreadFields::default(), readings));
    }
    let repaired = repair::repaired(json);
    let (json, repairs) = match &repaired {
        Some((text, readings)) => (text.as_str(), *readings),
        None => (json, Readings::PLAIN),
    };
    let mut fields = UnreadFields::default();
    let (read, readings) = reading::noting(|| {
        let members = Members::of(json).ok()?;
        T::read_members(members, &mut Unread { path: String::new(), fields: &mut fields })
    });
    Some((read?, fields, readings.union(repairs)))
}
