//! Refusals, as JSON with an `error`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use qopen::PullError;
use qopen::journal::JournalError;
use serde_json::json;

use crate::exit::{Failure, chain};

/// An error response, as JSON with an `error`.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl Refusal {
    pub(super) fn of(status: StatusCode, what: &str, error: &dyn std::error::Error) -> Self {
        Self(status, chain(what, error))
    }

    pub(super) fn journal(error: &JournalError) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, "the journal", error)
    }

    pub(super) fn unknown() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no pull of this mark".into())
    }
}

/// A failed operation of the journal means that the journal is unavailable.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, failure.to_string())
    }
}

impl From<PullError> for Refusal {
    fn from(error: PullError) -> Self {
        let status = match &error {
            PullError::Start(_) | PullError::InJournal | PullError::UnderWay => {
                StatusCode::CONFLICT
            }
            PullError::NotInJournal => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::of(status, "", &error)
    }
}
