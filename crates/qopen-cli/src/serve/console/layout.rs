//! The frame around every page: the bar, the message and the footer.

use axum::response::{Html, IntoResponse as _, Response};
use maud::{Markup, html};

use super::document::document;
use super::lang::Lang;
use super::nav;
use super::page::Page;
use super::texts::frame;
use super::visit::Visit;

/// Puts the frame around the page.
pub(super) fn framed(page: &Page, visit: &Visit) -> Response {
    let lang = visit.lang;
    let body = html! {
        a.skip href="#main" { (frame::SKIP.of(lang)) }
        (bar(page, visit))
        main id="main" tabindex="-1" {
            h1 { (page.title) }
            @if let Some(flash) = &visit.flash {
                p.flash.bad[flash.is_problem] role="status" { (flash.message) }
            }
            (page.body)
        }
        footer {
            "qopen " (env!("CARGO_PKG_VERSION")) " · "
            (frame::TIMES_IN.fill(lang, &[&visit.console.zone.name()]))
        }
    };
    (page.status, Html(document(lang, &page.title, &body).into_string())).into_response()
}

fn bar(page: &Page, visit: &Visit) -> Markup {
    let lang = visit.lang;
    html! {
        header.bar {
            a.brand href="/console" { "qopen" }
            @if visit.is_in() {
                nav aria-label=(frame::PAGES.of(lang)) {
                    ul {
                        @for (nav, path, name) in nav::PAGES {
                            li {
                                a href=(path) aria-current=[(Some(*nav) == page.nav).then_some("page")] {
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
