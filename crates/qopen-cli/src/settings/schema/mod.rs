//! The JSON Schema of the settings file, for editors and other programs.
//!
//! It is made from what reads the file: the declared settings, and the keys of entries with their examples.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::declared::ALL;
use super::spec::{Kind, Spec};
use super::webhook::Topic;
use super::{schedule, webhook};
use crate::format::{Language, OutputFormat};

/// Returns the schema of `qopen.toml`.
pub(crate) fn schema() -> Value {
    let settings = ALL.iter().map(|spec| (spec.name.to_owned(), setting(spec)));
    let mut properties: Map<String, Value> = settings.collect();
    properties.insert("schedule".to_owned(), json!({ "type": "array", "items": of_schedule() }));
    properties.insert("webhook".to_owned(), json!({ "type": "array", "items": of_webhook() }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "qopen.toml",
        "description": concat!("Settings of qopen ", env!("CARGO_PKG_VERSION")),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn setting(spec: &Spec) -> Value {
    let text = match spec.kind {
        Kind::Switch => json!({ "enum": ["true", "false"] }),
        Kind::Path | Kind::Journal => json!({ "type": "string", "pattern": r"\S" }),
        // Neither blank nor the placeholder of an example.
        _ => json!({ "type": "string", "pattern": r"\S", "not": { "enum": ["…", "..."] } }),
    };
    let mut forms = vec![text];
    if spec.takes_integer() {
        forms.push(match spec.is_number() {
            true => json!({ "type": "integer", "minimum": 1 }),
            false => json!({ "type": "integer" }),
        });
    }
    if spec.kind == Kind::Switch {
        forms.push(json!({ "type": "boolean" }));
    }
    let mut schema = match forms.len() {
        1 => forms.remove(0),
        _ => json!({ "anyOf": forms }),
    };
    schema["description"] = format!("{}{}", spec.about, spec.detail).into();
    let typed = |text: &str| match text {
        "true" | "false" => (text == "true").into(),
        text => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
    };
    if let Some(default) = spec.default {
        schema["default"] = typed(default);
    }
    if !spec.example.contains(['…', ' ']) {
        schema["examples"] = json!([typed(spec.example)]);
    }
    schema
}

fn of_schedule() -> Value {
    let special = |key: &str| match key {
        "robots" => Some(json!({
            "anyOf": [
                { "const": schedule::ALL },
                { "type": "array", "items": { "type": "string" } },
            ],
        })),
        // Singer is a format of standard output, which schedules do not have.
        "format" => Some(json!({ "enum": names(|it: &OutputFormat| *it != OutputFormat::Singer) })),
        "labels" => Some(json!({ "enum": names(|_: &Language| true) })),
        "max_gone" => Some(json!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^(\d+|\d+(\.\d{1,2})?%)$" },
            ],
        })),
        "retry" => Some(json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })),
        _ => None,
    };
    let mut schema = entry(schedule::keys(), special, &["cron", "robots"]);
    schema["dependentSchemas"] =
        json!({ "except": { "properties": { "robots": { "const": schedule::ALL } } } });
    schema
}

fn of_webhook() -> Value {
    let topics = Topic::ALL.map(Topic::as_str);
    let special = |key: &str| match key {
        "events" => Some(json!({ "type": "array", "items": { "enum": topics }, "minItems": 1 })),
        _ => Some(json!({ "type": "string", "minLength": 1 })),
    };
    entry(webhook::keys(), special, &["url", "secret"])
}

/// Returns the schema of an entry. A key has the type of its example, unless the key is special.
fn entry(
    keys: &[(&'static str, &'static str)],
    special: impl Fn(&str) -> Option<Value>,
    required: &[&str],
) -> Value {
    let property = |(key, line): &(&str, &str)| {
        let table: Option<toml::Table> = toml::from_str(line).ok();
        let example = table.and_then(|mut it| it.remove(*key));
        let mut schema =
            special(key).or_else(|| example.as_ref().map(of_example)).unwrap_or(Value::Bool(true));
        schema["description"] = (*line).into();
        ((*key).to_owned(), schema)
    };
    json!({
        "type": "object",
        "properties": keys.iter().map(property).collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn of_example(example: &toml::Value) -> Value {
    match example {
        toml::Value::Boolean(_) => json!({ "type": "boolean" }),
        toml::Value::Integer(_) => json!({ "type": "integer" }),
        toml::Value::Array(_) => json!({ "type": "array", "items": { "type": "string" } }),
        _ => json!({ "type": "string" }),
    }
}

/// Returns the names of those values of a list of words that are wanted.
fn names<T: ValueEnum>(wanted: impl Fn(&T) -> bool) -> Vec<String> {
    let values = T::value_variants().iter().filter(|it| wanted(it));
    values.filter_map(|it| Some(it.to_possible_value()?.get_name().to_owned())).collect()
}

#[cfg(test)]
mod tests;
