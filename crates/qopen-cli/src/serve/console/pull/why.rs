//! Why a list is complete or not, in sentences.

use std::time::Duration;

use qopen::assembler::WaitingFor;
use qopen::engine::PullFigures;
use qopen::journal::{EndReason, Evidence, Note, PullState};

use super::super::texts::why;
use super::super::visit::Visit;
use crate::app_robots::{SHOWN, names};
use crate::kept::held::{HeldBecause, HeldList};
use crate::say::one_line;

/// What an open pull waits for, and what counts against its list.
pub(super) fn open(visit: &Visit, state: &PullState, figures: Option<&PullFigures>) -> Vec<String> {
    let Some(figures) = figures else { return damaged(visit, state) };
    let (waiting_for, progress) = (figures.progress.waiting_for, &figures.progress);
    let expected = state.started().and_then(|(_, it)| it.expect_accounts).unwrap_or_default();
    let (ids, accounts) = (progress.figures.unidentified, progress.figures.accounts);
    let say = |text| visit.say(text).to_owned();
    let mut sentences = vec![match waiting_for {
        WaitingFor::Acceptance => say(&why::WAITS_ACCEPTANCE),
        WaitingFor::FirstPage => say(&why::WAITS_FIRST),
        WaitingFor::LastPage => say(&why::WAITS_LAST),
        WaitingFor::OwedPages => say(&why::WAITS_OWED),
        WaitingFor::UnreadablePages => say(&why::WAITS_UNREADABLE),
        WaitingFor::Identification => visit.fill(&why::WAITS_IDS, &[&ids]),
        WaitingFor::MoreAccounts => visit.fill(&why::WAITS_MORE, &[&accounts, &expected]),
        WaitingFor::Quiet => say(&why::WAITS_QUIET),
        _ => say(&why::WAITS_NOTHING),
    }];
    let also = [
        (progress.figures.owed_pages as u64, &why::ALSO_OWED),
        (progress.figures.unreadable_pages as u64, &why::ALSO_UNREADABLE),
        (ids as u64, &why::ALSO_IDS),
        (progress.figures.refusals, &why::ALSO_REFUSED),
    ];
    let also = also.into_iter().filter(|(count, _)| *count > 0);
    sentences.extend(also.map(|(count, text)| visit.fill(text, &[&visit.number(count)])));
    sentences.extend(damaged(visit, state));
    sentences
}

fn damaged(visit: &Visit, state: &PullState) -> Vec<String> {
    let lost = state.damaged.len() as u64;
    let sentence = || visit.fill(&why::ALSO_DAMAGED, &[&visit.number(lost)]);
    (lost > 0).then(sentence).into_iter().collect()
}

/// Why an ended pull has no complete list.
pub(super) fn incomplete(visit: &Visit, state: &PullState) -> Vec<String> {
    let why = state.ended().and_then(|noted| match &noted.note {
        Note::Ended { why, .. } => Some(one_line(why)),
        _ => None,
    });
    let say = |text| visit.say(text).to_owned();
    let (sentence, has_details) = match state.end_reason() {
        Some(EndReason::NoCallback) => (say(&why::NO_CALLBACK), false),
        Some(EndReason::LastPageMissing) => (say(&why::LAST_PAGE_MISSING), false),
        Some(EndReason::FewerThanExpected { expected }) => {
            (visit.fill(&why::FEWER, &[&visit.number(*expected)]), false)
        }
        Some(EndReason::UnreadablePages) => (say(&why::UNREADABLE), false),
        Some(EndReason::UnidentifiedAccounts { accounts }) => {
            (visit.fill(&why::UNIDENTIFIED, &[accounts]), false)
        }
        Some(EndReason::OwedPages) => (say(&why::OWED), false),
        Some(EndReason::Deadline) => (say(&why::DEADLINE), false),
        Some(EndReason::LimitReached) => (say(&why::LIMIT), true),
        Some(EndReason::Reported { code }) => (visit.fill(&why::REPORTED, &[code]), true),
        Some(EndReason::Refused) => (say(&why::REFUSED), true),
        Some(EndReason::NotSent) => (say(&why::NOT_SENT), true),
        Some(EndReason::Cancelled) => (say(&why::CANCELLED), false),
        // Of another version of qopen.
        _ => (say(&why::OTHER), true),
    };
    let details = why.filter(|it| has_details && !it.is_empty());
    let details = details.map(|it| visit.fill(&why::DETAILS, &[&it]));
    let mut sentences: Vec<String> = [Some(sentence), details].into_iter().flatten().collect();
    let quarantined = state.quarantined + state.doubts().len() as u64;
    if quarantined > 0 {
        sentences.push(visit.fill(&why::ALSO_UNREADABLE, &[&visit.number(quarantined)]));
    }
    sentences.extend(damaged(visit, state));
    sentences
}

/// Why a list is complete. `gone` is the number of customers whom it lacks of the last list.
pub(super) fn complete(visit: &Visit, state: &PullState, gone: u64) -> Vec<String> {
    let Some(evidence) = state.evidence() else {
        // An earlier version noted it in words alone.
        let basis = state.basis().map(|it| visit.fill(&why::DETAILS, &[&one_line(&it)]));
        return basis.into_iter().collect();
    };
    let mut sentences = basis(visit, &evidence, gone);
    if state.has_newer_pages() {
        sentences.push(visit.say(&why::ALSO_NEWER).to_owned());
    }
    sentences.extend(damaged(visit, state));
    sentences
}

fn basis(visit: &Visit, evidence: &Evidence, gone: u64) -> Vec<String> {
    let say = |text| visit.say(text).to_owned();
    let seconds = |ms: u64| format!("{:.1}", Duration::from_millis(ms).as_secs_f64());
    let mut sentences = vec![match evidence.implied_end {
        true => say(&why::END_IMPLIED),
        false => say(&why::LAST_SEEN),
    }];
    sentences.push(match evidence.quiet_ms {
        Some(quiet) => visit.fill(&why::QUIET, &[&seconds(quiet)]),
        None => say(&why::DECLARED),
    });
    let mut number = |text, count: Option<u64>| {
        let count = count.filter(|it| *it > 0);
        sentences.extend(count.map(|it| visit.fill(text, &[&visit.number(it)])));
    };
    number(&why::EXPECTED, evidence.expected_accounts);
    number(&why::REFUSED_MEANWHILE, Some(evidence.refused_callbacks));
    number(&why::ALLOWED, Some(evidence.unidentified));
    if evidence.outage_ms > 0 {
        sentences.push(visit.fill(&why::OUTAGE, &[&seconds(evidence.outage_ms)]));
    }
    if evidence.interrupted {
        sentences.push(say(&why::INTERRUPTED));
    }
    if let Some(by) = &evidence.confirmed_by {
        sentences.push(visit.fill(&why::CONFIRMED, &[by]));
    }
    let verified = evidence.gone_verified.map(|verified| match verified {
        true => &why::GONE_VERIFIED,
        false => &why::GONE_UNVERIFIED,
    });
    sentences.extend(verified.map(|text| visit.fill(text, &[&visit.number(gone)])));
    if evidence.accepted {
        sentences.push(say(&why::ACCEPTED));
    }
    sentences
}

/// Why a list is held.
pub(in crate::serve::console) fn held(visit: &Visit, held: &HeldList<'_>) -> String {
    match held.why {
        HeldBecause::Present(present) => visit.fill(&why::HELD_PRESENT, &[&visit.number(present)]),
        HeldBecause::Unconfirmed => visit.say(&why::HELD_UNCONFIRMED).to_owned(),
        HeldBecause::LeftOut(robots) => {
            visit.fill(&why::HELD_LEFT_OUT, &[&names(robots.iter(), SHOWN).of(visit.lang)])
        }
        HeldBecause::Gone => {
            let (gone, before) = (visit.number(held.gone), visit.number(held.before));
            visit.fill(&why::HELD_GONE, &[&gone, &before])
        }
    }
}
