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
pub(in crate::serve) struct Refusal(pub(in crate::serve) StatusCode, pub(in crate::serve) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Why changes are not given.
pub(super) const NOT_KEPT: &str = "the changes since that list are not kept";

impl Refusal {
    pub(super) fn of(status: StatusCode, what: &str, error: &dyn std::error::Error) -> Self {
        Self(status, chain(what, error))
    }

    pub(super) fn journal(error: &JournalError) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, "the journal", error)
    }

    /// No list of a robot is known.
    pub(super) fn no_changes() -> Self {
        let message = "no list of this robot is published, or its changes are not kept";
        Self(StatusCode::NOT_FOUND, message.into())
    }

    /// The changes since a list cannot be given.
    pub(super) fn not_kept(why: &str) -> Self {
        Self(StatusCode::GONE, format!("{why}; read the whole list"))
    }

    /// The client has an earlier revision of a list than this one.
    pub(super) fn revised(revision: u32) -> Self {
        Self::not_kept(&format!("that list was revised, and has revision {revision} now"))
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
