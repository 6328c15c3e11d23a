//! The fields of an account as JSON Schema.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Account;
use crate::generated::layout::RECORD;
use crate::layout::{Field, Kind};

impl Account {
    /// The names of the known fields, each with its JSON Schema as text. An account may have other fields, too.
    #[must_use]
    pub fn json_schema_properties() -> Vec<(&'static str, String)> {
        let fields = RECORD.iter();
        fields.map(|Field(name, kind)| (*name, of(*kind))).collect()
    }
}

/// The JSON Schema of a field as outputs have it, which may be null.
fn of(kind: Kind) -> String {
    let plain = |name: &str| format!(r#"{{"type":["null","{name}"]}}"#);
    match kind {
        Kind::Id => r#"{"type":"string"}"#.to_owned(),
        Kind::Text => plain("string"),
        Kind::Integer => plain("integer"),
        Kind::Flag => plain("boolean"),
        Kind::Object(fields) => object_schema(fields),
        Kind::List(fields) => {
            format!(r#"{{"type":["null","array"],"items":{}}}"#, object_schema(fields))
        }
    }
}

fn object_schema(fields: &[Field]) -> String {
    let fields: Vec<_> =
        fields.iter().map(|Field(name, kind)| format!("{name:?}:{}", of(*kind))).collect();
    let properties = fields.join(",");
    format!(
        r#"{{"type":["null","object"],"properties":{{{properties}}},"additionalProperties":true}}"#
    )
}
