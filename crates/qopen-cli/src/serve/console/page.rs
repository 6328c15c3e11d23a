//! Pages, problems, and the frame around both.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::lang::Lang;
use super::nav::{self, Nav};
use super::texts::{Text, frame};
use super::visit::Visit;
use crate::serve::control::Refusal;

/// A page without its frame. [`visit::enter`](super::visit::enter) adds the frame.
#[derive(Clone)]
pub(super) struct Page {
    nav: Option<Nav>,
    title: String,
    body: Markup,
    status: StatusCode,
}

impl Page {
    /// A page with a heading. `nav` is the page's place in the navigation.
    pub(super) fn new(nav: impl Into<Option<Nav>>, title: impl Into<String>, body: Markup) -> Self {
        Self { nav: nav.into(), title: title.into(), body, status: StatusCode::OK }
    }

    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Puts the frame around the page.
    pub(super) fn framed(&self, visit: &Visit) -> Response {
        let lang = visit.lang;
        let body = html! {
            a.skip href="#main" { (frame::SKIP.of(lang)) }
            (self.bar(visit))
            main id="main" tabindex="-1" {
                h1 { (self.title) }
                @if let Some(flash) = &visit.flash {
                    p.flash.bad[flash.is_problem] role="status" { (flash.message) }
                }
                (self.body)
            }
            footer {
                "qopen " (env!("CARGO_PKG_VERSION")) " · "
                (frame::TIMES_IN.fill(lang, &[&visit.console.zone.name()]))
            }
        };
        (self.status, Html(document(lang, &self.title, &body).into_string())).into_response()
    }

    fn bar(&self, visit: &Visit) -> Markup {
        let lang = visit.lang;
        html! {
            header.bar {
                a.brand href="/console" { "qopen" }
                @if visit.is_in() {
                    nav aria-label=(frame::PAGES.of(lang)) {
                        ul {
                            @for (nav, path, name) in nav::PAGES {
                                li {
                                    a href=(path) aria-current=[(Some(*nav) == self.nav).then_some("page")] {
                                        (name.of(lang))
                                    }
                                }
                            }
                        }
                    }
                }
                div.tools {
                    @for other in Lang::ALL.into_iter().filter(|it| *it != lang) {
                        a href=(visit.in_language(other)) lang=(other.tag()) hreflang=(other.tag()) rel="nofollow" {
                            (other.own_name())
                        }
                    }
                    @if visit.session.is_some() {
                        form.inline method="post" action="/console/logout" {
                            (visit.csrf_field())
                            button.plain { (frame::LOG_OUT.of(lang)) }
                        }
                    }
                }
            }
        }
    }
}

/// A whole document.
pub(super) fn document(lang: Lang, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · qopen" }
                link rel="stylesheet" href=(STYLE.path);
                link rel="icon" href=(ICON.path);
                script src=(SCRIPT.path) defer {}
            }
            body { (body) }
        }
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
    /// Words of the API, which are English.
    English(String),
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
                    Words::English(text) => p lang="en" { (text) },
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

impl From<Refusal> for Problem {
    fn from(Refusal(status, message): Refusal) -> Self {
        Self { status, words: Words::English(message) }
    }
}
