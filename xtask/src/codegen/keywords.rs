//! Keywords of the spec: what is not understood is refused, not skipped.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::duplicates;
use crate::Result;

/// Hand-written types of qopen-types that may be the value of `x-rust-type`.
pub(super) const RUST_TYPES: [&str; 5] = ["AccountId", "Json", "MarkId", "RobotId", "Secret"];

/// Formats, with the type that each belongs to.
const FORMATS: [(&str, &str); 1] = [("int64", "integer")];

const SCHEMA_PREFIX: &str = "/components/schemas/";

/// Refuses, with its place, every keyword that no code would be made of.
pub(super) fn check(yaml: &str) -> Result<()> {
    let document = whole(yaml)?;
    let mut found = Findings { document: &document, wrong: duplicates::of(yaml) };
    found.references(&document, "");
    for (path, item) in members(&document["paths"]) {
        found.path(path, item);
    }
    for (name, item) in members(&document["webhooks"]) {
        found.object(name, item, &["post"]);
        found.event(name, &item["post"]);
    }
    for (name, schema) in members(&document["components"]["schemas"]) {
        found.schema(name, schema);
    }
    match found.wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("the spec cannot be used:\n  {}", found.wrong.join("\n  ")).into()),
    }
}

/// The document with all its keywords. The typed reader drops those that it does not know, but keeps what is
/// under an extension; so the document is read once more, as the value of one.
fn whole(yaml: &str) -> Result<Value> {
    let mut wrapped = "openapi: 3.1.0\ninfo: {title: '', version: ''}\nx-document:\n".to_owned();
    for line in yaml.lines() {
        wrapped.push_str("  ");
        wrapped.push_str(line);
        wrapped.push('\n');
    }
    let spec = oas3::from_yaml(&wrapped)?;
    let document = spec.extensions.get("document").cloned();
    Ok(document.ok_or("the spec is empty")?)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

struct Findings<'a> {
    document: &'a Value,
    wrong: Vec<String>,
}

impl Findings<'_> {
    fn add(&mut self, place: &str, what: &str) {
        self.wrong.push(format!("{place}: {what}"));
    }

    /// The value's members, if it is an object of known keywords.
    fn object<'v>(
        &mut self,
        place: &str,
        value: &'v Value,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.add(place, "is not an object");
            return None;
        };
        for keyword in object.keys().filter(|it| !known.contains(&it.as_str())) {
            self.add(place, &format!("unsupported keyword `{keyword}`"));
        }
        Some(object)
    }

    /// Every `$ref` below a value leads somewhere.
    fn references(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(object) => {
                for (name, inner) in object {
                    if let ("$ref", Some(target)) = (name.as_str(), inner.as_str()) {
                        let pointer = target.strip_prefix('#');
                        if pointer.and_then(|it| self.document.pointer(it)).is_none() {
                            let place = place.trim_start_matches('.');
                            self.add(place, &format!("dangling $ref {target:?}"));
                        }
                    }
                    self.references(inner, &format!("{place}.{name}"));
                }
            }
            Value::Array(items) => {
                for (n, inner) in items.iter().enumerate() {
                    self.references(inner, &format!("{place}[{n}]"));
                }
            }
            _ => {}
        }
    }

    fn path(&mut self, path: &str, item: &Value) {
        self.object(path, item, &["post"]);
        let operation = [
            "operationId",
            "summary",
            "description",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
            "x-certainty",
        ];
        self.object(&format!("{path}.post"), &item["post"], &operation);
        for (name, callback) in members(&item["post"]["callbacks"]) {
            for (_, item) in members(callback) {
                self.event(name, &item["post"]);
            }
        }
        for parameter in item["post"]["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "header" || parameter["name"] != "Token" {
                self.add(path, "the only parameter that is sent is the header `Token`");
            }
        }
    }

    fn event(&mut self, name: &str, post: &Value) {
        let known = [
            "summary",
            "description",
            "x-event-type",
            "x-payload",
            "x-certainty",
            "requestBody",
            "responses",
        ];
        self.object(name, post, &known);
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        if !is_camel(name) || RUST_TYPES.contains(&name) {
            self.add(name, "cannot be the name of a schema");
        }
        if schema.get("oneOf").is_some() {
            self.open_enum(name, schema);
            return;
        }
        let known = ["type", "description", "required", "properties", "x-tolerant", "x-columns"];
        let Some(object) = self.object(name, schema, &known) else { return };
        if object.get("type").is_none_or(|it| it != "object") {
            self.add(name, "a schema is an `object`, or an `integer` with `oneOf` its codes");
        }
        let properties = schema.get("properties");
        if properties.and_then(Value::as_object).is_none_or(Map::is_empty) {
            self.add(name, "an object has `properties`");
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            if required.as_str().is_none_or(|it| schema["properties"].get(it).is_none()) {
                self.add(name, &format!("required {required} is no property"));
            }
        }
        let mut names = BTreeSet::new();
        for (field, property) in members(&schema["properties"]) {
            self.property(&format!("{name}.{field}"), property);
            let aliases = property["x-aliases"].as_array().into_iter().flatten();
            for spelling in aliases.filter_map(Value::as_str).chain([field.as_str()]) {
                if !names.insert(spelling) {
                    self.add(&format!("{name}.{field}"), &format!("{spelling} is there twice"));
                }
            }
            // The generated struct has members of its own, and Rust words that cannot be names.
            let reserved = ["extra", "unread", "self", "super", "crate"];
            if !is_snake(field) || reserved.contains(&field.as_str()) {
                self.add(&format!("{name}.{field}"), "cannot be the name of a field");
            }
        }
    }

    fn property(&mut self, place: &str, property: &Value) {
        if property.get("$ref").is_some() {
            self.schema_reference(place, property, &["$ref", "description"]);
            return;
        }
        if let Some(choices) = property.get("oneOf") {
            self.object(place, property, &["oneOf", "description"]);
            match choices.as_array().map(Vec::as_slice) {
                Some([reference, null]) if *null == serde_json::json!({"type": "null"}) => {
                    self.schema_reference(place, reference, &["$ref"]);
                }
                _ => self.add(place, "`oneOf` is a $ref and {type: 'null'}"),
            }
            return;
        }
        let known = [
            "type",
            "description",
            "format",
            "default",
            "items",
            "x-rust-type",
            "x-personal",
            "x-aliases",
            "x-entries",
            "x-unix-seconds",
        ];
        self.object(place, property, &known);
        let types = match &property["type"] {
            Value::Array(types) => types.iter().collect(),
            Value::Null => Vec::new(),
            single => vec![single],
        };
        let known = ["string", "integer", "boolean", "array", "null"];
        for unknown in types.iter().filter(|it| it.as_str().is_none_or(|it| !known.contains(&it))) {
            self.add(place, &format!("unknown type {unknown}"));
        }
        let is = |name: &str| types.iter().any(|it| *it == name);
        if let Some(rust_type) = property.get("x-rust-type") {
            if rust_type.as_str().is_none_or(|it| !RUST_TYPES.contains(&it)) {
                let known = RUST_TYPES.join(", ");
                self.add(place, &format!("unknown x-rust-type {rust_type}; known are {known}"));
            }
            if rust_type != "Json" && !is("string") {
                self.add(place, "x-rust-type is for a `string`");
            }
        }
        if let Some(format) = property.get("format")
            && !FORMATS.iter().any(|(known, of)| format == known && is(of))
        {
            self.add(place, &format!("unknown format {format} of {}", property["type"]));
        }
        // An absent field reads as zero.
        let zero = [Value::from(false), Value::from(0), Value::from("")];
        if property.get("default").is_some_and(|it| !zero.contains(it)) {
            self.add(place, "a default other than zero is never read");
        }
        if let Some(items) = property.get("items") {
            self.items(place, items);
        }
        for (keyword, of) in
            [("items", "array"), ("x-entries", "array"), ("x-unix-seconds", "integer")]
        {
            if property.get(keyword).is_some() && !is(of) {
                self.add(place, &format!("`{keyword}` is for type {of}"));
            }
        }
        for flag in ["x-personal", "x-entries", "x-unix-seconds"] {
            if property.get(flag).is_some_and(|it| !it.is_boolean()) {
                self.add(place, &format!("`{flag}` is true or false"));
            }
        }
        if let Some(aliases) = property.get("x-aliases")
            && aliases.as_array().is_none_or(|it| !it.iter().all(Value::is_string))
        {
            self.add(place, "`x-aliases` is a list of texts");
        }
    }

    /// The items of a list: objects of a schema, or texts.
    fn items(&mut self, place: &str, items: &Value) {
        if items.get("type").is_none_or(|it| it != "string") {
            self.schema_reference(place, items, &["$ref"]);
            return;
        }
        self.object(place, items, &["type", "x-rust-type"]);
        let scalars = RUST_TYPES.iter().filter(|it| it.ends_with("Id"));
        if let Some(rust_type) = items.get("x-rust-type")
            && !scalars.clone().any(|it| rust_type == it)
        {
            let known: Vec<_> = scalars.copied().collect();
            let known = known.join(", ");
            self.add(place, &format!("unknown x-rust-type {rust_type}; known are {known}"));
        }
    }

    fn schema_reference(&mut self, place: &str, reference: &Value, known: &[&str]) {
        self.object(place, reference, known);
        let target = reference["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        if target.is_none_or(|it| !it.starts_with(SCHEMA_PREFIX)) {
            self.add(place, &format!("is not a $ref to #{SCHEMA_PREFIX}…"));
        }
    }

    fn open_enum(&mut self, name: &str, schema: &Value) {
        self.object(name, schema, &["type", "description", "oneOf"]);
        if schema["type"] != "integer" {
            self.add(name, "an open enumeration has `type: integer`");
        }
        let codes = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        if codes.is_empty() {
            self.add(name, "an open enumeration has codes");
        }
        let (mut values, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for code in codes {
            let place = format!("{name} {}", code["const"]);
            self.object(&place, code, &["const", "title", "description", "x-label-zh"]);
            if !values.insert(code["const"].to_string()) {
                self.add(&place, "the code is there twice");
            }
            let title = code["title"].as_str().unwrap_or_default();
            if !is_camel(title) || title == "Unknown" {
                self.add(&place, &format!("{title:?} cannot be the name of a code"));
            }
            if !titles.insert(title) {
                self.add(&place, &format!("another code is called {title}"));
            }
        }
    }
}

fn is_camel(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
        && name != "Self"
}

fn is_snake(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
