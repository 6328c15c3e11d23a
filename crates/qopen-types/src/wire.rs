//! The tolerant readers of protocol section 4, which generated code calls field by field.
//!
//! Their errors name the field, what was expected and what kind of value was found, and never the
//! value itself: it may be a customer's.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::reading::{self, Reading};
use crate::{AccountId, Entries, Entry, EventType, Extra, Json, MarkId, RobotId, Secret, Tolerant};

/// What `Debug` prints in the place of personal data.
pub(crate) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The kind of a JSON value, for messages.
#[derive(Clone, Copy)]
enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// The kind is wrong.
    fn found<E: Error>(self, field: &str, expected: &str) -> E {
        let found = self.name();
        match field {
            "" => E::custom(format_args!("expected {expected}, found {found}")),
            field => E::custom(format_args!("{field}: expected {expected}, found {found}")),
        }
    }

    /// The kind may hold what was expected, and this value does not.
    fn unfit<E: Error>(self, field: &str, expected: &str) -> E {
        let found = self.name();
        E::custom(format_args!("{field}: expected {expected}, found {found} that is none"))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// The reason in a reader's error, without the position, which counts from a place nobody sees.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A JSON value that is neither list nor object.
pub(crate) enum Value<'a> {
    Boolean(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::Boolean(_) => Kind::Boolean,
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
        }
    }
}

/// A type that reads from any of the spellings the platform uses for it.
pub(crate) trait Scalar: Sized {
    /// What the messages say was expected.
    const EXPECTED: &'static str;

    /// The value; `Ok(None)` where the spelling stands for "not given".
    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit>;
}

/// The value cannot be read as what was asked for.
pub(crate) struct Unfit;

/// Up to here every integer is a float and every integral float that integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn exact_integer(value: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "the guard keeps to what is exact")]
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

impl Scalar for i64 {
    const EXPECTED: &'static str = "an integer";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        match value {
            Value::Signed(n) => Ok(Some(n)),
            Value::Unsigned(n) => Self::try_from(n).map(Some).map_err(|_| Unfit),
            Value::Float(n) => {
                reading::note(Reading::IntegerForm);
                exact_integer(n).map(Some).ok_or(Unfit)
            }
            Value::Text(text) => match text.trim() {
                "" => Ok(None),
                text => match text.parse::<Self>() {
                    Ok(n) => Ok(Some(n)),
                    // Of digits and a point alone: what else parses is no number of anybody's.
                    Err(_)
                        if text.bytes().all(|it| it.is_ascii_digit() || b"+-.".contains(&it)) =>
                    {
                        reading::note(Reading::IntegerForm);
                        text.parse().ok().and_then(exact_integer).map(Some).ok_or(Unfit)
                    }
                    Err(_) => Err(Unfit),
                },
            },
            Value::Boolean(_) => Err(Unfit),
        }
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "a boolean, 0 or 1";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        if let Value::Boolean(flag) = value {
            return Ok(Some(flag));
        }
        reading::note(Reading::FlagForm);
        match &value {
            Value::Text(text) if text.trim().is_empty() => return Ok(None),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("true") => return Ok(Some(true)),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("false") => {
                return Ok(Some(false));
            }
            _ => {}
        }
        match i64::from_value(value)? {
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            _ => Err(Unfit),
        }
    }
}

impl<'a> Value<'a> {
    /// A string, or a number's decimal text: a number too large to be exact is refused rather
    /// than rounded.
    fn into_text(self) -> Result<Cow<'a, str>, Unfit> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Unsigned(n) => Ok(n.to_string().into()),
            Self::Signed(n) => Ok(n.to_string().into()),
            Self::Float(n) => match exact_integer(n) {
                Some(n) => Ok(n.to_string().into()),
                None if n.fract() != 0.0 => Ok(n.to_string().into()),
                None => Err(Unfit),
            },
            Self::Boolean(_) => Err(Unfit),
        }
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "a string";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        value.into_text().map(|text| Some(text.into_owned()))
    }
}

impl Scalar for Secret {
    const EXPECTED: &'static str = "a string";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        String::from_value(value).map(|text| text.filter(|text| !text.is_empty()).map(Self::from))
    }
}

impl Scalar for EventType {
    const EXPECTED: &'static str = "a number or a string";

    fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
        Ok(Some(Self::of_text(&value.into_text()?)))
    }
}

macro_rules! id_scalar {
    ($($name:ident),*) => {$(
        impl Scalar for $name {
            const EXPECTED: &'static str = "an identifier";

            fn from_value(value: Value<'_>) -> Result<Option<Self>, Unfit> {
                match value.into_text()? {
                    text if text.is_empty() => Ok(None),
                    text => Self::new(text).map(Some).map_err(|_| Unfit),
                }
            }
        }
    )*};
}
id_scalar!(RobotId, MarkId, AccountId);

/// A name that is only looked at: borrowed where the input allows.
pub(crate) struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// An object whose fields are read one by one.
pub(crate) trait Object<'de>: Sized {
    /// What the messages call it.
    const NAME: &'static str;

    fn read<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Reads what it is told to, for a named field; `None` stands for "not given".
struct Field<'f, R> {
    name: &'f str,
    what: PhantomData<R>,
}

impl<'f, R> Field<'f, R> {
    fn new(name: &'f str) -> Self {
        Self { name, what: PhantomData }
    }
}

/// What a field may hold. Anything not overridden is refused by kind.
trait Reader<'de>: Sized {
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

struct AsScalar<T>(T);

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

struct AsText<'de>(Cow<'de, str>);

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

struct AsObject<T>(T);

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
trait Element<'de>: Sized {
    type Seed<'f>: DeserializeSeed<'de, Value = Option<Self>>
    where
        Self: 'f;

    fn seed(field: &str) -> Self::Seed<'_>;
}

/// A list, whatever its elements are read as: also as an object whose keys are their numbers, an
/// empty object, or an empty text.
struct AsElements<E>(Vec<E>);

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
        let (mut out, mut numbers) = (Vec::new(), HashSet::new());
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

struct Typed<T>(T);

impl<'de, T: Object<'de>> Element<'de> for Typed<T> {
    type Seed<'f>
        = TypedSeed<'f, T>
    where
        Self: 'f;

    fn seed(field: &str) -> TypedSeed<'_, T> {
        TypedSeed(Field::new(field))
    }
}

struct TypedSeed<'f, T>(Field<'f, AsObject<T>>);

impl<'de, T: Object<'de>> DeserializeSeed<'de> for TypedSeed<'_, T> {
    type Value = Option<Typed<T>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Ok(self.0.deserialize(deserializer)?.map(|AsObject(value)| Typed(value)))
    }
}

/// Any value, as it is.
struct Plain<T>(PhantomData<T>);

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

type Read<'de, T, A> = Result<T, <A as MapAccess<'de>>::Error>;

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
    let value = map.next_value_seed(Field::<AsElements<Typed<T>>>::new(field))?;
    let list = value.map(|AsElements(list)| list).unwrap_or_default();
    Ok(list.into_iter().map(|Typed(value)| value).collect())
}

pub(crate) fn raw_list<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Option<Vec<&'de RawValue>>, A> {
    let value = map.next_value_seed(Field::<AsElements<&'de RawValue>>::new(field))?;
    Ok(value.map(|AsElements(list)| list))
}

pub(crate) fn entries<'de, T: Tolerant, A: MapAccess<'de>>(
    map: &mut A,
    field: &str,
) -> Read<'de, Entries<T>, A> {
    let value = map.next_value_seed(Field::<AsElements<Json>>::new(field))?;
    let list = value.map(|AsElements(list)| list).unwrap_or_default();
    Ok(list.into_iter().map(Entry::read).collect())
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

/// The members of an object's JSON, in order, each as often as it stands there.
pub(crate) fn members_of(json: &str) -> Result<Vec<(Key<'_>, &RawValue)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Key<'de>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            std::iter::from_fn(|| map.next_entry().transpose()).collect()
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Members)
}

/// A member that stands there twice, each time with something of its own: one would hide the other.
pub(crate) fn twice<E: Error>(field: &str) -> E {
    E::custom(format_args!("{field}: given twice"))
}

pub(crate) fn missing<E: Error>(field: &str) -> E {
    E::custom(format_args!("{field}: missing, and nothing can stand for it"))
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
