//! What all endpoints have in common: refusals and tokens.

use std::sync::PoisonError;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::state::Shared;

/// The code of a refusal for a robot that the app does not have.
pub(crate) const NO_ROBOT: i64 = 60011;

pub(crate) fn refuse(code: i64, message: &str) -> Response {
    let answer = json!({"data": null, "errcode": code, "errmsg": message, "hint": "log-simulated"});
    answer.to_string().into_response()
}

/// Uses up one request of the header's token; returns false if it has none left.
pub(crate) fn use_token(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = headers.get("token").and_then(|it| it.to_str().ok()) else {
        return false;
    };
    let mut tokens = shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    match tokens.get_mut(token) {
        Some(uses) if *uses > 0 => {
            *uses -= 1;
            true
        }
        _ => false,
    }
}
