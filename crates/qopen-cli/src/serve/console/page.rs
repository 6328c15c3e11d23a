//! Pages, problems, and the frame around both.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::lang::Lang;
use super::nav::Nav;
use super::texts::{Text, frame};

/// A page without its frame. [`enter`](super::enter) adds the frame.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) nav: Option<Nav>,
    pub(super) title: String,
    pub(super) body: Markup,
    pub(super) status: StatusCode,
}

impl Page {
    /// A page with a heading. `nav` is the page's place in the navigation.
    pub(super) fn new(nav: impl Into<Option<Nav>>, title: impl Into<String>, body: Markup) -> Self {
        Self { nav: nav.into(), title: title.into(), body, status: StatusCode::OK }
    }

    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut answer = self.status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Why a page cannot be shown, or a form not be obeyed.
#[derive(Clone)]
pub(super) struct Problem {
    status: StatusCode,
    words: Words,
}

#[derive(Clone)]
enum Words {
    Of(&'static Text),
    Filled(String),
}

impl Problem {
    pub(super) fn of(status: StatusCode, text: &'static Text) -> Self {
        Self { status, words: Words::Of(text) }
    }

    /// A problem whose text has values.
    pub(super) fn filled(status: StatusCode, text: String) -> Self {
        Self { status, words: Words::Filled(text) }
    }

    pub(super) fn page(&self, lang: Lang) -> Page {
        let body = html! {
            div.card {
                @match &self.words {
                    Words::Of(text) => p { (text.of(lang)) },
                    Words::Filled(text) => p { (text) },
                }
            }
        };
        Page::new(None, frame::PROBLEM.of(lang), body).status(self.status)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = self.status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}
