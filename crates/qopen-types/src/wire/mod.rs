//! The tolerant readers of protocol section 4, which generated code calls field by field.
//!
//! Their errors name the field, what was expected and what kind of value was found, and never the
//! value itself: it may be a customer's.

mod field;
mod scalar;
mod scalars;
mod whole;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess};
use serde_json::value::RawValue;

use crate::extra::Extra;
use crate::json::Json;
use field::{AsElements, AsObject, AsScalar, AsText, Field};
pub(crate) use field::{Key, Object, missing, twice};
use scalar::Kind;
pub(crate) use scalar::{Redacted, Scalar, Unfit, Value, reason};
use scalars::AsScalars;
pub(crate) use whole::{elements_of, first_field, members_of, object_of, scalar_of};

/// A scalar of its own.
pub(crate) fn required_scalar<'de, D, T>(deserializer: D, name: &str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Scalar,
{
    match Field::<AsScalar<T>>::new(name).deserialize(deserializer)? {
        Some(AsScalar(value)) => Ok(value),
        None => Err(Kind::Null.found(name, T::EXPECTED)),
    }
}

/// A scalar in any of its spellings, for readers that take a type.
pub(crate) struct Lenient<T>(pub(crate) T);

impl<'de, T: Scalar> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        required_scalar(deserializer, "").map(Self)
    }
}

/// An object of its own.
pub(crate) fn whole_object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Object<'de>,
{
    match Field::<AsObject<T>>::new("").deserialize(deserializer)? {
        Some(AsObject(value)) => Ok(value),
        None => Err(Kind::Null.found("", T::NAME)),
    }
}

pub(crate) type Read<'de, T, A> = Result<T, <A as MapAccess<'de>>::Error>;

pub(crate) fn optional<'de, T: Scalar, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Option<T>, A> {
    let value = map.next_value_seed(Field::<AsScalar<T>>::new(field))?;
    Ok(value.map(|AsScalar(value)| value))
}

pub(crate) fn scalar<'de, T: Scalar + Default, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, T, A> {
    Ok(optional(map, field)?.unwrap_or_default())
}

pub(crate) fn open_enum<'de, T: From<i64>, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, T, A> {
    Ok(T::from(scalar::<i64, A>(map, field)?))
}

pub(crate) fn text<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Option<Cow<'de, str>>, A> {
    let value = map.next_value_seed(Field::<AsText<'de>>::new(field))?;
    Ok(value.map(|AsText(text)| text))
}

pub(crate) fn optional_object<'de, T: Object<'de>, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Option<T>, A> {
    let value = map.next_value_seed(Field::<AsObject<T>>::new(field))?;
    Ok(value.map(|AsObject(value)| value))
}

pub(crate) fn object<'de, T: Object<'de> + Default, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, T, A> {
    Ok(optional_object(map, field)?.unwrap_or_default())
}

pub(crate) fn list<'de, T: Object<'de>, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Vec<T>, A> {
    let value = map.next_value_seed(Field::<AsElements<AsObject<T>>>::new(field))?;
    let list = value.map(|AsElements(list)| list).unwrap_or_default();
    Ok(list.into_iter().map(|AsObject(value)| value).collect())
}

pub(crate) fn scalars<'de, T: Scalar, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Vec<T>, A> {
    let value = map.next_value_seed(Field::<AsScalars<T>>::new(field))?;
    Ok(value.map(|AsScalars(list)| list).unwrap_or_default())
}

pub(crate) fn raw_list<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Option<Vec<&'de RawValue>>, A> {
    let value = map.next_value_seed(Field::<AsElements<&'de RawValue>>::new(field))?;
    Ok(value.map(|AsElements(list)| list))
}

/// The elements of a list, as they came.
pub(crate) fn elements<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Vec<Json>, A> {
    let value = map.next_value_seed(Field::<AsElements<Json>>::new(field))?;
    Ok(value.map(|AsElements(list)| list).unwrap_or_default())
}

pub(crate) fn json<'de, A: MapAccess<'de>>(map: &mut A, _: &str) -> Read<'de, Option<Json>, A> {
    let value: Json = map.next_value()?;
    Ok((value.as_str() != "null").then_some(value))
}

pub(crate) fn unknown<'de, A: MapAccess<'de>>(
    map: &mut A,
    key: &Key<'de>,
    extra: &mut Extra,
) -> Read<'de, (), A> {
    extra.insert(key.as_str(), map.next_value()?);
    Ok(())
}
