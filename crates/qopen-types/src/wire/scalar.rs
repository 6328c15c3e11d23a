//! Scalars in any of their spellings.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::string::ToString as _;
use core::fmt;

use serde::de::Error;

use crate::reading::{self, Reading};

/// What `Debug` prints in the place of personal data.
pub(crate) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The kind of a JSON value, for messages.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// The kind is wrong.
    pub(super) fn found<E: Error>(self, field: &str, expected: &str) -> E {
        let found = self.name();
        match field {
            "" => E::custom(format_args!("expected {expected}, found {found}")),
            field => E::custom(format_args!("{field}: expected {expected}, found {found}")),
        }
    }

    /// The kind may hold what was expected, and this value does not.
    pub(super) fn unfit<E: Error>(self, field: &str, expected: &str) -> E {
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

/// The reason in a reader's error, without the position, which counts from an internal offset.
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
    pub(super) fn kind(&self) -> Kind {
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
    let whole = value as i64;
    #[allow(clippy::cast_precision_loss, reason = "as above")]
    (value.abs() < EXACT && whole as f64 == value).then_some(whole)
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
                    // Digits and a point only: anything else that parses is not meant as a number.
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
    pub(crate) fn into_text(self) -> Result<Cow<'a, str>, Unfit> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Unsigned(n) => Ok(n.to_string().into()),
            Self::Signed(n) => Ok(n.to_string().into()),
            Self::Float(n) => match exact_integer(n) {
                Some(n) => Ok(n.to_string().into()),
                None if n.abs() < EXACT => Ok(n.to_string().into()),
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
