//! How certain the spec is of an operation or an event, by `x-certainty`.

use serde_json::Value;

use crate::Result;

/// The levels, each with its sentence in the documentation.
const LEVELS: [(&str, &str); 3] = [
    ("documented", "The vendor's page for the customer list describes it"),
    (
        "sibling",
        "Pages of the vendor for siblings of the customer list describe it, and a platform may not offer it",
    ),
    (
        "field",
        "Independent public clients of the gateway agree on it, and a platform may not offer it",
    ),
];

/// The sentence about the certainty of `name`, for its documentation.
pub(super) fn read(name: &str, value: Option<&Value>) -> Result<String> {
    let levels = LEVELS.map(|(level, _)| level).join(", ");
    let example = "{level: sibling, as_of: \"2025-04\"}";
    let value = value.and_then(Value::as_object).ok_or_else(|| {
        format!("{name} has no x-certainty, such as {example}; the levels are {levels}")
    })?;
    if let Some(unknown) = value.keys().find(|it| !["level", "as_of"].contains(&it.as_str())) {
        return Err(format!("{name}: x-certainty: unsupported keyword `{unknown}`").into());
    }
    let level = value.get("level").unwrap_or(&Value::Null);
    let known = LEVELS.iter().find(|(known, _)| level == known);
    let (level, sentence) = known.ok_or_else(|| {
        format!("{name}: x-certainty: unknown level {level}; the levels are {levels}")
    })?;
    let as_of = match value.get("as_of") {
        None => String::new(),
        Some(Value::String(month)) if is_month(month) => format!(", as of {month}"),
        Some(other) => {
            return Err(format!(
                "{name}: x-certainty: as_of is a month such as \"2025-04\", not {other}"
            )
            .into());
        }
    };
    Ok(format!("Certainty: {level}{as_of}. {sentence}."))
}

fn is_month(text: &str) -> bool {
    let is_number =
        |it: &str, digits| it.len() == digits && it.bytes().all(|it| it.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, month)| {
        is_number(year, 4) && is_number(month, 2) && ("01"..="12").contains(&month)
    })
}
