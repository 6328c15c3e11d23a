//! Callbacks accepted and rejected over time.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use qopen::callback::RejectReason;
use serde::Deserialize;

use super::Console;
use super::coded::coded;
use super::nav::Nav;
use super::page::Page;
use super::texts::{Text, callbacks as texts};
use super::visit::Visit;
use crate::serve::arrivals::history::{Bar, Kind, Span, sum};

const PATH: &str = "/console/callbacks";

/// The width of a bar and of the gap behind it, and the height of a plot, in units of its view box.
const WIDTH: u64 = 4;
const GAP: u64 = 1;
const HEIGHT: u64 = 36;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    span: Shown,
}

/// A span of time that the reader chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    #[default]
    Hour,
    #[serde(rename = "6h")]
    SixHours,
    Day,
}

impl Shown {
    const ALL: [Self; 3] = [Self::Hour, Self::SixHours, Self::Day];

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::SixHours => "6h",
            Self::Day => "day",
        }
    }

    fn text(self) -> &'static Text {
        match self {
            Self::Hour => &texts::HOUR,
            Self::SixHours => &texts::SIX_HOURS,
            Self::Day => &texts::DAY,
        }
    }

    fn span(self) -> Span {
        match self {
            Self::Hour => Span::HOUR,
            Self::SixHours => Span::SIX_HOURS,
            Self::Day => Span::DAY,
        }
    }
}

/// Returns the name of a kind, and what to check.
fn words(visit: &Visit, kind: Kind) -> (String, &'static str) {
    let (name, check) = match kind {
        Kind::Accepted => return (visit.say(&texts::ACCEPTED).to_owned(), ""),
        Kind::OtherPath => (&texts::OTHER_PATH, &texts::OTHER_PATH_DO),
        Kind::OtherMethod => (&texts::OTHER_METHOD, &texts::OTHER_METHOD_DO),
        Kind::Connection => (&texts::CONNECTION, &texts::CONNECTION_DO),
        Kind::Rejected(reason) => match reason {
            RejectReason::Malformed => (&texts::MALFORMED, &texts::MALFORMED_DO),
            RejectReason::AppKey => (&texts::APP_KEY, &texts::APP_KEY_DO),
            RejectReason::Signature => (&texts::SIGNATURE, &texts::SIGNATURE_DO),
            RejectReason::Stale => (&texts::STALE, &texts::STALE_DO),
            RejectReason::Undecryptable => (&texts::UNDECRYPTABLE, &texts::UNDECRYPTABLE_DO),
            RejectReason::Body => (&texts::BODY, &texts::BODY_DO),
            RejectReason::Compressed => (&texts::COMPRESSED, &texts::COMPRESSED_DO),
            RejectReason::NoRoom => (&texts::NO_ROOM, &texts::NO_ROOM_DO),
            RejectReason::Payload => (&texts::PAYLOAD, &texts::PAYLOAD_DO),
            RejectReason::Unavailable => (&texts::UNAVAILABLE, &texts::UNAVAILABLE_DO),
            other => return (visit.fill(&texts::OTHER, &[&other.as_str()]), ""),
        },
    };
    (visit.say(name).to_owned(), visit.say(check))
}

/// Returns the name of a kind for programs.
fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Accepted => "accepted",
        Kind::Rejected(reason) => reason.as_str(),
        Kind::OtherPath => "other_path",
        Kind::OtherMethod => "other_method",
        Kind::Connection => "connection",
    }
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(Listing { span: shown }): Query<Listing>,
) -> Page {
    let say = |text| visit.say(text);
    let bars = console.service.callbacks(shown.span());
    let body = html! {
        @if !console.service.receives() {
            p { (say(&texts::RECEIVES_NONE)) }
        } @else {
            p { (say(&texts::INTRO)) }
            nav.pages aria-label=(say(&texts::SPAN)) {
                @for it in Shown::ALL {
                    a href={ (PATH) "?span=" (it.name()) } aria-current=[(it == shown).then_some("true")] {
                        (say(it.text()))
                    }
                }
            }
            (outcomes(&visit, shown.span(), &bars))
        }
    };
    Page::new(Nav::Callbacks, say(&texts::NAV), body)
}

fn outcomes(visit: &Visit, span: Span, bars: &[Bar]) -> Markup {
    let say = |text| visit.say(text);
    let all = sum(bars);
    let occurred = all.each().filter(|(kind, count)| *kind == Kind::Accepted || *count > 0);
    let occurred: Vec<(Kind, u64)> = occurred.collect();
    let nothing = all.accepted() + all.turned_away() == 0;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(say(&texts::CAPTION)) {
            table.stack {
                caption { (say(&texts::CAPTION)) }
                thead {
                    tr {
                        th scope="col" { (say(&texts::OUTCOME)) }
                        th.number scope="col" { (say(&texts::TOTAL)) }
                        th scope="col" { (say(&texts::OVER_TIME)) }
                        th scope="col" { (say(&texts::ADVICE)) }
                    }
                }
                tbody {
                    @for (kind, count) in &occurred {
                        @let (name, check) = words(visit, *kind);
                        tr data-kind=(key(*kind)) {
                            th scope="row" { (name) }
                            td.number data-label=(say(&texts::TOTAL)) { (visit.number(*count)) }
                            td { (plot(visit, span, bars, *kind, &name)) }
                            td data-label=[(!check.is_empty()).then(|| say(&texts::ADVICE))] { (coded(check)) }
                        }
                    }
                }
            }
        }
        @if nothing {
            p { (say(&texts::NONE)) }
        } @else {
            (numbers(visit, bars, &occurred))
        }
    }
}

/// Draws the counts of a kind as bars.
fn plot(visit: &Visit, span: Span, bars: &[Bar], kind: Kind, name: &str) -> Markup {
    let counts: Vec<u64> = bars.iter().map(|it| it.counts.of(kind)).collect();
    let most = counts.iter().copied().max().unwrap_or_default();
    let total = counts.iter().sum();
    let values: [&dyn std::fmt::Display; 4] =
        [&name, &visit.number(total), &visit.number(most), &span.minutes];
    let label = visit.fill(&texts::PLOT, &values);
    let class = if kind == Kind::Accepted { "bar-good" } else { "bar-bad" };
    let width = span.bars * (WIDTH + GAP);
    // A plot that begins late has its bars at the right end.
    let first = span.bars.saturating_sub(counts.len() as u64);
    html! {
        svg.bars role="img" aria-label=(label) viewBox={ "0 0 " (width) " " (HEIGHT + 1) } preserveAspectRatio="none" {
            line.axis x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
            @for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                // At least two units, so that one rejection is seen beside a thousand.
                @let height = (count * HEIGHT).div_ceil(most.max(1)).max(2);
                rect class=(class) x=((first + at as u64) * (WIDTH + GAP)) y=(HEIGHT - height) width=(WIDTH) height=(height) {}
            }
        }
    }
}

/// The numbers of the plots.
fn numbers(visit: &Visit, bars: &[Bar], occurred: &[(Kind, u64)]) -> Markup {
    let say = |text| visit.say(text);
    let counted = || bars.iter().filter(|it| it.counts.accepted() + it.counts.turned_away() > 0);
    html! {
        details {
            summary { (say(&texts::TABLE)) }
            div.scroll tabindex="0" role="region" aria-label=(say(&texts::TABLE)) {
                table {
                    caption { (say(&texts::TABLE_CAPTION)) }
                    thead {
                        tr {
                            th scope="col" { (say(&texts::FROM)) }
                            @for (kind, _) in occurred {
                                th.number scope="col" { (words(visit, *kind).0) }
                            }
                        }
                    }
                    tbody {
                        @for bar in counted() {
                            tr {
                                th scope="row" { (visit.time(bar.at)) }
                                @for (kind, _) in occurred {
                                    td.number data-kind=(key(*kind)) { (visit.number(bar.counts.of(*kind))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
