//! Refusals, as JSON with an `error`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use qopen::PullError;
use qopen::journal::JournalError;
use serde_json::json;

use crate::exit::{Failure, chained};
use crate::lang::{Lang, Phrase, THE_JOURNAL, phrase};

/// An error response, as JSON with an `error`. What the command line may be answered has an `error_zh`, too.
#[derive(Debug)]
pub(in crate::serve) struct Refusal(pub(in crate::serve) StatusCode, pub(in crate::serve) Phrase);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (english, chinese) = (self.1.english(), self.1.of(Lang::Zh));
        let mut body = json!({ "error": english });
        if chinese != english {
            body["error_zh"] = chinese.into();
        }
        (self.0, Json(body)).into_response()
    }
}

/// Why changes are not given.
pub(super) const NOT_KEPT: &str = "the changes since that list are not kept";

impl Refusal {
    pub(super) fn of(
        status: StatusCode,
        what: impl Into<Phrase>,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self(status, chained(what, error))
    }

    pub(super) fn journal(error: &JournalError) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, THE_JOURNAL, error)
    }

    /// No list of a robot is known.
    pub(super) fn no_changes() -> Self {
        let message = "no list of this robot is published, or its changes are not kept";
        Self(StatusCode::NOT_FOUND, message.into())
    }

    /// The changes since a list cannot be given.
    pub(super) fn not_kept(why: &str) -> Self {
        Self(StatusCode::GONE, format!("{why}; read the whole list").into())
    }

    /// The client has an earlier revision of a list than this one.
    pub(super) fn revised(revision: u32) -> Self {
        Self::not_kept(&format!("that list was revised, and has revision {revision} now"))
    }

    pub(super) fn unknown() -> Self {
        Self(StatusCode::NOT_FOUND, phrase!("there is no pull of this mark", "没有此标记的拉取"))
    }
}

/// A failed operation of the journal means that the journal is unavailable.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, failure.message().clone())
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
