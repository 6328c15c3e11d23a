//! Visitors that read a named field as a scalar, a text, an object or a list.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scalar::{Kind, Scalar, Unfit, Value};
use crate::json::Json;
use crate::reading::{self, Reading};

/// A name that is only looked at: borrowed where the input allows.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl Key<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object whose fields are read one by one.
pub(crate) trait Object<'de>: Sized {
    /// What the messages call it.
    const NAME: &'static str;

    fn read<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Reads what it is told to, for a named field; `None` stands for "not given".
pub(super) struct Field<'f, R> {
    name: &'f str,
    what: PhantomData<R>,
}

impl<'f, R> Field<'f, R> {
    pub(super) fn new(name: &'f str) -> Self {
        Self { name, what: PhantomData }
    }
}

/// What a field may hold. Anything not overridden is refused by kind.
pub(super) trait Reader<'de>: Sized {
    const EXPECTED: &'static str;

    fn scalar<E: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, E> {
        Err(value.kind().found(field, Self::EXPECTED))
    }
    fn borrowed<E: Error>(field: &str, text: &'de str) -> Result<Option<Self>, E> {
        Self::scalar(field, Value::Text(Cow::Borrowed(text)))
    }
    fn list<A: SeqAccess<'de>>(field: &str, _: A) -> Result<Option<Self>, A::Error> {
        Err(Kind::List.found(field, Self::EXPECTED))
    }
    fn object<A: MapAccess<'de>>(field: &str, _: A) -> Result<Option<Self>, A::Error> {
        Err(Kind::Object.found(field, Self::EXPECTED))
    }
}

impl<'de, R: Reader<'de>> Visitor<'de> for Field<'_, R> {
    type Value = Option<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::EXPECTED)
    }
    fn visit_unit<E: Error>(self) -> Result<Option<R>, E> {
        Ok(None)
    }
    fn visit_none<E: Error>(self) -> Result<Option<R>, E> {
        Ok(None)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Boolean(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Unsigned(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Signed(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Float(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Text(Cow::Borrowed(value)))
    }
    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Option<R>, E> {
        R::borrowed(self.name, value)
    }
    fn visit_string<E: Error>(self, value: String) -> Result<Option<R>, E> {
        R::scalar(self.name, Value::Text(Cow::Owned(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<R>, A::Error> {
        R::list(self.name, seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<R>, A::Error> {
        R::object(self.name, map)
    }
}

impl<'de, R: Reader<'de>> DeserializeSeed<'de> for Field<'_, R> {
    type Value = Option<R>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<R>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

pub(super) struct AsScalar<T>(pub(super) T);

impl<T: Scalar> Reader<'_> for AsScalar<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn scalar<E: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, E> {
        let kind = value.kind();
        match T::from_value(value) {
            Ok(value) => Ok(value.map(Self)),
            Err(Unfit) => Err(kind.unfit(field, T::EXPECTED)),
        }
    }
}

pub(super) struct AsText<'de>(pub(super) Cow<'de, str>);

impl<'de> Reader<'de> for AsText<'de> {
    const EXPECTED: &'static str = "a string";

    fn scalar<E: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, E> {
        let kind = value.kind();
        match value.into_text() {
            Ok(text) => Ok(Some(Self(Cow::Owned(text.into_owned())))),
            Err(Unfit) => Err(kind.unfit(field, Self::EXPECTED)),
        }
    }
    fn borrowed<E: Error>(_: &str, text: &'de str) -> Result<Option<Self>, E> {
        Ok(Some(Self(Cow::Borrowed(text))))
    }
}

pub(super) struct AsObject<T>(pub(super) T);

impl<'de, T: Object<'de>> Reader<'de> for AsObject<T> {
    const EXPECTED: &'static str = T::NAME;

    /// An empty text stands for "no object", as an empty list does: gateways write both.
    fn scalar<E: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, E> {
        match value {
            Value::Text(text) if text.is_empty() => {
                reading::note(Reading::EmptyObjectForm);
                Ok(None)
            }
            value => Err(value.kind().found(field, T::NAME)),
        }
    }
    fn list<A: SeqAccess<'de>>(field: &str, mut seq: A) -> Result<Option<Self>, A::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => {
                reading::note(Reading::EmptyObjectForm);
                Ok(None)
            }
            Some(_) => Err(Kind::List.found(field, T::NAME)),
        }
    }
    fn object<A: MapAccess<'de>>(_: &str, map: A) -> Result<Option<Self>, A::Error> {
        T::read(map).map(|value| Some(Self(value)))
    }
}

/// What the elements of a list are read as.
pub(super) trait Element<'de>: Sized {
    type Seed<'f>: DeserializeSeed<'de, Value = Option<Self>>
    where
        Self: 'f;

    fn seed(field: &str) -> Self::Seed<'_>;
}

/// A list, whatever its elements are read as: also as an object whose keys are their numbers, an
/// empty object, or an empty text.
pub(super) struct AsElements<E>(pub(super) Vec<E>);

impl<'de, E: Element<'de>> Reader<'de> for AsElements<E> {
    const EXPECTED: &'static str = "a list";

    fn scalar<X: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, X> {
        match value {
            Value::Text(text) if text.trim().is_empty() => {
                reading::note(Reading::EmptyListForm);
                Ok(Some(Self(Vec::new())))
            }
            value => Err(value.kind().found(field, Self::EXPECTED)),
        }
    }
    fn list<A: SeqAccess<'de>>(field: &str, mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut out = Vec::new();
        while let Some(element) = seq.next_element_seed(E::seed(field))? {
            out.extend(element);
        }
        Ok(Some(Self(out)))
    }
    fn object<A: MapAccess<'de>>(field: &str, mut map: A) -> Result<Option<Self>, A::Error> {
        let (mut out, mut numbers) = (Vec::new(), BTreeSet::new());
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let Ok(number) = key.as_str().parse::<u64>() else {
                return Err(Kind::Object.found(field, Self::EXPECTED));
            };
            if !numbers.insert(number) {
                return Err(twice(field));
            }
            out.extend(map.next_value_seed(E::seed(field))?);
        }
        reading::note(match numbers.is_empty() {
            true => Reading::EmptyListForm,
            false => Reading::ListAsObject,
        });
        Ok(Some(Self(out)))
    }
}

impl<'de, T: Scalar> Element<'de> for AsScalar<T> {
    type Seed<'f>
        = Field<'f, Self>
    where
        Self: 'f;

    fn seed(field: &str) -> Field<'_, Self> {
        Field::new(field)
    }
}

impl<'de, T: Object<'de>> Element<'de> for AsObject<T> {
    type Seed<'f>
        = Field<'f, Self>
    where
        Self: 'f;

    fn seed(field: &str) -> Field<'_, Self> {
        Field::new(field)
    }
}

/// Any value, as it is.
pub(super) struct Plain<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Plain<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Some)
    }
}

impl<'de> Element<'de> for &'de RawValue {
    type Seed<'f>
        = Plain<Self>
    where
        Self: 'f;

    fn seed(_: &str) -> Plain<Self> {
        Plain(PhantomData)
    }
}

impl<'de> Element<'de> for Json {
    type Seed<'f> = Plain<Self>;

    fn seed(_: &str) -> Plain<Self> {
        Plain(PhantomData)
    }
}

/// The error of a member that occurs twice with different values: one would hide the other.
pub(crate) fn twice<E: Error>(field: &str) -> E {
    E::custom(format_args!("{field}: given twice"))
}

pub(crate) fn missing<E: Error>(field: &str) -> E {
    E::custom(format_args!("{field}: missing, and nothing can stand for it"))
}
