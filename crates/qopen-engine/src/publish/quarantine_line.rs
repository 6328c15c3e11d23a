//! Lines of quarantine files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qopen_sink::SinkError;
use qopen_types::Json;
use serde::Serialize;

use super::published::PublishError;

/// A line of a quarantine file: robot, mark, reason and raw value. `raw` is the JSON; `raw_base64`
/// is the bytes, if `raw` differs from them.
///
/// # Errors
/// [`PublishError::Sink`], if it cannot be written as JSON, which does not happen with plain text.
pub fn quarantine_line(
    whose: Option<(&str, &str)>,
    layer: &str,
    reason: &str,
    raw: &[u8],
) -> Result<String, PublishError> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        robot_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mark_id: Option<&'a str>,
        layer: &'a str,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw_base64: Option<String>,
    }
    let (robot_id, mark_id) = whose.unzip();
    let json = std::str::from_utf8(raw).ok().and_then(|text| Json::parse(text).ok());
    let is_whole = json.as_ref().is_some_and(|json| json.as_str().as_bytes() == raw);
    let raw_base64 = (!is_whole).then(|| STANDARD.encode(raw));
    let line = Line { robot_id, mark_id, layer, reason, raw: json, raw_base64 };
    serde_json::to_string(&line)
        .map_err(|error| PublishError::Sink(SinkError::Encode(error.into())))
}
