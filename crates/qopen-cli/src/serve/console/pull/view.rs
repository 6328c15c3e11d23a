//! The parts of the page of a pull. The live stream sends the same parts.

use std::time::{Duration, Instant};

use maud::{Markup, html};
use qopen::assembler::WaitingFor;
use qopen::engine::PullFigures;
use qopen::journal::{Note, PullState};

use super::super::links;
use super::super::status::Status;
use super::super::texts::{Text, pull as texts, why as sentences};
use super::super::visit::Visit;
use super::named::fields;
use super::why;
use crate::kept::held::HeldList;
use crate::kept::listed::Listed;

pub(super) const END: &str = "/console/pull/end";
pub(super) const RESUME: &str = "/console/pull/resume";

/// The parts by the ids of their elements.
pub(super) const PARTS: [&str; 3] = ["pull-state", "pull-why", "pull-actions"];

/// A pull as a page shows it.
pub(super) struct PullView<'a> {
    pub(super) visit: &'a Visit,
    pub(super) state: &'a PullState,
    /// The figures, if this process follows the pull.
    pub(super) figures: Option<&'a PullFigures>,
}

impl PullView<'_> {
    /// Returns the parts in the order of [`PARTS`].
    pub(super) fn parts(&self) -> [Markup; 3] {
        [self.state_part(), self.why_part(), self.actions_part()]
    }

    fn say(&self, text: &Text) -> &'static str {
        self.visit.say(text)
    }

    /// The progress, if the pull is open as far as both the journal and this process know.
    fn open(&self) -> Option<&PullFigures> {
        self.figures.filter(|it| it.ended.is_none() && self.state.ended().is_none())
    }

    fn status(&self) -> Status {
        Status::of_state(self.state)
    }

    fn tag(&self) -> Markup {
        let text = match self.status() {
            Status::Open => &texts::OPEN,
            Status::Complete => &texts::COMPLETE,
            Status::Held => &texts::HELD,
            Status::Superseded => &texts::SUPERSEDED,
            Status::Incomplete => &texts::INCOMPLETE,
            Status::Failed => &texts::FAILED,
        };
        self.status().tag(self.say(text))
    }

    fn state_part(&self) -> Markup {
        let Self { visit, state, .. } = *self;
        let listed = Listed::of(state);
        let figures = self.figures.map(|it| &it.progress);
        let ended = state.ended().and_then(|noted| match &noted.note {
            Note::Ended { accounts, .. } => Some(*accounts),
            _ => None,
        });
        let accounts = listed.as_ref().map(|it| it.accounts);
        let accounts = accounts.or(figures.map(|it| it.figures.accounts as u64)).or(ended);
        let number = |text, count: Option<u64>| {
            html! {
                @if let Some(count) = count {
                    dt { (self.say(text)) }
                    dd { (visit.number(count)) }
                }
            }
        };
        let nonzero = |count: u64| Some(count).filter(|it| *it > 0);
        let quarantined = state.quarantined + state.doubts().len() as u64;
        html! {
            dl.facts {
                dt { (self.say(&texts::STATUS)) }
                dd { span role="status" { (self.tag()) } }
                dt { (self.say(&texts::ROBOT)) }
                dd { a href=(links::robot(state.pull.robot_id.as_str())) { bdi { (state.pull.robot_id) } } }
                dt { (self.say(&texts::MARK)) }
                dd { code { bdi { (state.pull.mark_id) } } }
                @if let Some((at, _)) = state.started() {
                    dt { (self.say(&texts::STARTED)) }
                    dd { (visit.time(at)) }
                }
                (number(&texts::PAGES, Some(state.pages)))
                (number(&texts::CUSTOMERS, accounts))
                @if let Some(progress) = figures {
                    (number(&texts::COPIES, Some(progress.figures.duplicate_pages)))
                    (number(&texts::CONFLICTS, nonzero(progress.figures.conflicts as u64)))
                    dt { (self.say(&texts::LAST_PAGE)) }
                    dd {
                        @if progress.figures.last_page_seen { (self.say(&texts::YES)) }
                        @else { (self.say(&texts::NO)) }
                    }
                    (number(&texts::REFUSED, nonzero(progress.figures.refusals)))
                }
                (number(&texts::QUARANTINED, nonzero(quarantined)))
                @if let Some(listed) = &listed {
                    (number(&texts::REVISION, Some(u64::from(listed.revision))))
                    dt { (self.say(&texts::PUBLISHED)) }
                    dd { (visit.time(listed.at)) }
                    dt { (self.say(&texts::OUTPUT)) }
                    dd { code { (listed.location) } }
                    dt { (self.say(&texts::CHANGES)) }
                    dd { (self.changes(listed)) }
                }
                @if let Some(at) = state.last_activity() {
                    dt { (self.say(&texts::LAST_ACTIVITY)) }
                    dd { (visit.time(at)) }
                }
                @if let Some(open) = self.open() {
                    dt { (self.say(&texts::CLOCK)) }
                    dd { (self.clock(open)) }
                }
            }
            @if self.status() == Status::Open && self.figures.is_none() {
                p.soft { (self.say(&texts::ELSEWHERE)) }
            }
        }
    }

    /// The time until the pull ends if nothing happens.
    fn clock(&self, open: &PullFigures) -> Markup {
        let since = Instant::now().saturating_duration_since(open.at);
        let quiet = open.progress.quiet + since;
        let Some(due) = open.progress.due_in else { return html! { "–" } };
        let left = due.saturating_sub(since);
        let whole = |it: Duration| it.as_secs() + u64::from(it.subsec_nanos() > 0);
        let seconds = (self.visit.number(whole(left)), self.visit.number(quiet.as_secs()));
        let text = match open.progress.waiting_for {
            _ if left.is_zero() => self.visit.fill(&texts::ENDING, &[&seconds.1]),
            WaitingFor::Quiet => self.visit.fill(&texts::SETTLING, &[&seconds.0, &seconds.1]),
            _ => self.visit.fill(&texts::IDLING, &[&seconds.0, &seconds.1]),
        };
        let (past, all) = (quiet.as_millis(), (quiet + left).as_millis().max(1));
        html! {
            (text)
            br;
            progress.clock aria-label=(self.say(&texts::CLOCK_BAR)) max=(all) value=(past) {}
        }
    }

    fn changes(&self, listed: &Listed<'_>) -> Markup {
        let Some(changes) = listed.changes else { return html! { "–" } };
        let named = changes.counts.named().into_iter().filter(|(_, count)| *count > 0);
        let named: Vec<_> = named.collect();
        html! {
            @if changes.baseline { (self.say(&texts::BASELINE)) }
            @else if named.is_empty() { (self.say(&texts::NO_CHANGES)) }
            @for (at, (name, count)) in named.into_iter().enumerate() {
                @if at > 0 { ", " }
                (self.visit.number(count)) " " (self.kind(name))
            }
        }
    }

    fn kind(&self, name: &'static str) -> &'static str {
        let text = match name {
            "added" => &texts::ADDED,
            "gone" => &texts::GONE,
            "lost" => &texts::LOST,
            "removed" => &texts::REMOVED,
            "returned" => &texts::RETURNED,
            "changed" => &texts::CHANGED,
            other => return other,
        };
        self.say(text)
    }

    fn why_part(&self) -> Markup {
        let Self { visit, state, figures } = *self;
        let listed = Listed::of(state);
        let gone = listed.and_then(|it| it.changes.map(|it| it.counts.gone)).unwrap_or_default();
        let (heading, mut reasons) = match self.status() {
            Status::Open => (&texts::WHY_OPEN, why::open(visit, state, figures)),
            Status::Incomplete | Status::Failed => (&texts::WHY_NOT, why::incomplete(visit, state)),
            _ => (&texts::WHY, why::complete(visit, state, gone)),
        };
        if let Some(held) = HeldList::of(state) {
            reasons.push(why::held(visit, &held));
        } else if self.status() == Status::Superseded {
            reasons.push(self.say(&sentences::SUPERSEDED).to_owned());
        }
        html! {
            @if !reasons.is_empty() {
                h2 { (self.say(heading)) }
                ul { @for reason in reasons { li { (reason) } } }
            }
        }
    }

    fn actions_part(&self) -> Markup {
        let Self { visit, state, .. } = *self;
        let form = |action, id, what, button, class| {
            html! {
                form.act method="post" action=(action) {
                    (visit.csrf_field())
                    (fields(&state.pull))
                    p.soft { (self.say(what)) }
                    button id=(id) class=[class] { (self.say(button)) }
                }
            }
        };
        html! {
            h2 { (self.say(&texts::ACTIONS)) }
            @match self.status() {
                Status::Open => {
                    (form(END, "act-end", &texts::END_WHAT, &texts::END, Some("danger")))
                },
                Status::Held => p {
                    a.button id="act-review" href=(links::held(&state.pull)) { (self.say(&texts::ACCEPT)) }
                },
                _ => (form(RESUME, "act-resume", &texts::RESUME_WHAT, &texts::RESUME, None)),
            }
        }
    }
}
