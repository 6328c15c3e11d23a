//! The request of a page: language, session, CSRF token and message.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::flash::Flash;
use super::lang::Lang;
use super::page::Problem;
use super::session::{Random, SessionKey};
use super::texts::{Text, frame};
use super::{Console, times};

/// The field of a form with the CSRF token.
pub(super) const CSRF: &str = "csrf";

/// Who sees a page, and how.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) console: Arc<Console>,
    pub(super) lang: Lang,
    /// The session; `None` without a login, or if no token is set.
    pub(super) session: Option<SessionKey>,
    pub(super) csrf: Random,
    /// The path and query of the page.
    pub(super) target: String,
    pub(super) flash: Option<Flash>,
}

impl Visit {
    /// Returns a text in the page's language.
    pub(super) fn say(&self, text: &Text) -> &'static str {
        text.of(self.lang)
    }

    /// Returns a text in the page's language, with values in its places.
    pub(super) fn fill(&self, text: &Text, values: &[&dyn Display]) -> String {
        text.fill(self.lang, values)
    }

    /// Formats a time in the zone of pages.
    pub(super) fn time(&self, at: SystemTime) -> Markup {
        times::time(&self.console.zone, at)
    }

    /// Formats a number with its digits in groups.
    pub(super) fn number(&self, number: u64) -> String {
        times::number(number)
    }

    /// Formats a duration by its largest unit.
    pub(super) fn age(&self, age: Duration) -> String {
        times::age(self.lang, age)
    }

    /// The hidden field that every form has.
    pub(super) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name=(CSRF) value=(self.csrf.as_str()); }
    }

    /// Returns the answer to a form that was obeyed: the page at `target` shows the message once.
    pub(super) fn back(&self, target: &str, message: impl Into<String>) -> Response {
        let flash = Flash { message: message.into(), is_problem: false };
        self.redirect(target, flash)
    }

    /// Returns the answer to a form that was not obeyed.
    pub(super) fn back_with_problem(&self, target: &str, message: impl Into<String>) -> Response {
        let flash = Flash { message: message.into(), is_problem: true };
        self.redirect(target, flash)
    }

    fn redirect(&self, target: &str, flash: Flash) -> Response {
        match self.console.flashes.keep(flash, self.session) {
            Ok(id) => {
                let link = if target.contains('?') { '&' } else { '?' };
                Redirect::to(&format!("{target}{link}flash={}", id.as_str())).into_response()
            }
            // The message is lost, and the work is done.
            Err(_) => Redirect::to(target).into_response(),
        }
    }

    /// Returns the address of this page in another language.
    pub(super) fn in_language(&self, lang: Lang) -> String {
        let link = if self.target.contains('?') { '&' } else { '?' };
        format!("{}{link}lang={}", self.target, lang.name())
    }

    /// Whether the reader may see pages.
    pub(super) fn is_in(&self) -> bool {
        self.console.token.is_none() || self.session.is_some()
    }

    /// Whether the reader may still see what a stream sends.
    pub(super) fn is_still_in(&self) -> bool {
        match self.session {
            Some(key) => self.console.sessions.is_live(key, Instant::now()),
            None => self.is_in(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Every page is behind `enter`.
        let missing = || Problem::of(StatusCode::INTERNAL_SERVER_ERROR, &frame::UNEXPECTED);
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}
