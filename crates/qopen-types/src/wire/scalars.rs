//! Lists of scalars.

use alloc::vec;
use alloc::vec::Vec;

use serde::de::{Error, MapAccess, SeqAccess};

use super::field::{AsElements, AsScalar, Reader};
use super::scalar::{Scalar, Value};

/// A list of scalars in any form of a list, or a scalar that is the only element.
pub(super) struct AsScalars<T>(pub(super) Vec<T>);

impl<T> AsScalars<T> {
    fn of(elements: AsElements<AsScalar<T>>) -> Self {
        Self(elements.0.into_iter().map(|AsScalar(value)| value).collect())
    }
}

impl<'de, T: Scalar> Reader<'de> for AsScalars<T> {
    const EXPECTED: &'static str = "a list";

    fn scalar<E: Error>(field: &str, value: Value<'_>) -> Result<Option<Self>, E> {
        match value {
            Value::Text(text) if text.trim().is_empty() => {
                let none: Option<AsElements<AsScalar<T>>> =
                    AsElements::scalar(field, Value::Text(text))?;
                Ok(none.map(Self::of))
            }
            value => {
                let one: Option<AsScalar<T>> = AsScalar::scalar(field, value)?;
                Ok(one.map(|AsScalar(value)| Self(vec![value])))
            }
        }
    }
    fn list<A: SeqAccess<'de>>(field: &str, seq: A) -> Result<Option<Self>, A::Error> {
        let elements: Option<AsElements<AsScalar<T>>> = AsElements::list(field, seq)?;
        Ok(elements.map(Self::of))
    }
    fn object<A: MapAccess<'de>>(field: &str, map: A) -> Result<Option<Self>, A::Error> {
        let elements: Option<AsElements<AsScalar<T>>> = AsElements::object(field, map)?;
        Ok(elements.map(Self::of))
    }
}
