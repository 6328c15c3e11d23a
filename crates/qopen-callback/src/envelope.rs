//! Reading an envelope without copying it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::OpenError;

/// The five values, as text.
pub(crate) struct Envelope<'a> {
    pub(crate) app_key: Cow<'a, str>,
    pub(crate) nonce: Cow<'a, str>,
    pub(crate) timestamp: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) encoding_content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    app_key: Option<&'a RawValue>,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    encoding_content: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, OpenError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(OpenError::Empty);
        }
        let text = std::str::from_utf8(body).map_err(|error| OpenError::NotJson(error.into()))?;
        if !text.trim_start().starts_with('{') {
            return Err(OpenError::NotAnObject);
        }
        let fields: Fields<'a> =
            serde_json::from_str(text).map_err(|error| OpenError::NotJson(error.into()))?;
        Ok(Self {
            app_key: value("app_key", fields.app_key)?,
            nonce: value("nonce", fields.nonce)?,
            timestamp: value("timestamp", fields.timestamp)?,
            signature: value("signature", fields.signature)?,
            encoding_content: value("encoding_content", fields.encoding_content)?,
        })
    }
}

/// A string's text, or a number's own digits: what is signed is what was written.
fn value<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, OpenError> {
    let text = raw.ok_or(OpenError::MissingField { field })?.get();
    match text.as_bytes() {
        [b'"', inner @ .., b'"'] if memchr::memchr(b'\\', inner).is_none() => {
            Ok(text[1..text.len() - 1].into())
        }
        [b'"', ..] => serde_json::from_str::<String>(text)
            .map(Cow::Owned)
            .map_err(|error| OpenError::NotJson(error.into())),
        [b'-' | b'0'..=b'9', ..] => Ok(text.into()),
        _ => Err(OpenError::FieldType { field }),
    }
}
