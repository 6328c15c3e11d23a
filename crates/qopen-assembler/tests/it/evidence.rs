//! The rules of evidence, rule by rule.

use std::time::Duration;

use qopen_assembler::{
    Assembler, ErrorReport, Event, Failure, PageDigest, PullKey, PullOptions, StartError, State,
    Verdict,
};

use crate::examples::{at, completed, failure, started, test_page};
use crate::operations::{Account, TestPage, config, page};

#[test]
fn e8_copies_prolong_the_quiet_by_one_idle_timeout_in_all() {
    let (mut assembler, _) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    for second in (2..=200).step_by(2) {
        assembler.handle_page(at(second), test_page(false, &[1]));
    }
    // Heard of last, as far as it counts, at 60 s; quiet for 3 s then.
    let completed = std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
        Event::Completed { progress, .. } => Some(progress.last_activity),
        _ => None,
    });
    assert_eq!(completed, Some(at(60)));
}

#[test]
fn e3_what_was_refused_is_not_quiet() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    assembler.handle_refusal(at(2));
    assembler.handle_timeout(at(59));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(60)));
    assert!(!completed(&mut assembler));
    assembler.handle_timeout(at(60));
    let basis = std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
        Event::Completed { basis, .. } => Some(basis),
        _ => None,
    });
    let basis = basis.unwrap();
    assert_eq!((basis.quiet, basis.refusals), (Some(Duration::from_secs(60)), 1));

    // One that is older than the idle timeout says nothing of what comes now.
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_refusal(at(2));
    assembler.handle_page(at(61), test_page(false, &[1]));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(64)));
}

#[test]
fn e6_an_end_that_is_not_stated_takes_patience() {
    let page = |has_more| page((0, 0), &TestPage::new(has_more, vec![(1, 1)]));
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), page(None));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(60)));
    assembler.handle_timeout(at(60));
    let basis = std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
        Event::Completed { basis, .. } => Some(basis.implied_end),
        _ => None,
    });
    assert_eq!(basis, Some(true));
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), page(None));
    assembler.handle_page(at(0), page(Some(false)));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(3)));
}

#[test]
fn e7_a_report_without_a_mark_is_about_a_pull_requested_before_it_was_signed() {
    let (mut assembler, _) = started(PullOptions::default());
    let report = |signed| ErrorReport {
        robot: "robot 0".into(),
        mark: None,
        code: 5,
        message: String::new(),
        signed: Some(signed),
    };
    let (mut later, second) = (Assembler::<Account>::new(config()), PullKey::new("robot 0", "2"));
    later.start(at(100), second.clone(), PullOptions::default()).unwrap();
    later.handle_error(at(101), report(at(94)));
    assert_eq!(failure(&mut later), None);
    // Within the tolerance between two clocks.
    later.handle_error(at(101), report(at(95)));
    assert_eq!(failure(&mut later), Some(Failure::Reported { code: 5, message: String::new() }));
    // One that another process requested goes back further.
    let (mut resumed, before) = (Assembler::<Account>::new(config()), Duration::from_secs(50));
    let options = PullOptions::default().requested_before(before);
    resumed.start(at(100), second, options).unwrap();
    resumed.handle_error(at(101), report(at(44)));
    assert_eq!(failure(&mut resumed), None);
    resumed.handle_error(at(101), report(at(60)));
    assert!(failure(&mut resumed).is_some());
    assembler.handle_error(at(0), report(at(0)));
    assert!(failure(&mut assembler).is_some());
}

#[test]
fn e9_the_missing_page_after_failure_completes_the_pull() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(true, &[1]));
    assembler.handle_timeout(at(60));
    assert_eq!(failure(&mut assembler), Some(Failure::LastPageMissing));
    let shared = assembler.share_fold(&key).unwrap();
    assert_eq!(assembler.handle_page(at(61), test_page(false, &[2])), Verdict::Reopened);
    assembler.handle_timeout(at(64));
    assert!(completed(&mut assembler));
    assert_eq!((assembler.fold(&key).unwrap().accounts(), shared.accounts()), (2, 1));
    // Complete now, whatever comes.
    assembler.handle_unreadable_page(at(65), &key, test_page(true, &[3]).digest);
    let progress = assembler.progress(&key).unwrap();
    assert_eq!((progress.state, progress.figures.unreadable_pages), (State::Completed, 1));
}

#[test]
fn e9_what_was_complete_stays_so() {
    let mut fold = qopen_assembler::Fold::new(&crate::operations::key((0, 0)));
    fold.add_unreadable(PageDigest::of(b"late"));
    let (mut assembler, key) =
        (Assembler::<Account>::new(config()), crate::operations::key((0, 0)));
    let options = PullOptions::default();
    assembler.start_completed(at(0), key.clone(), options, fold.clone(), 3, None).unwrap();
    let again = assembler.start_completed(at(0), key.clone(), options, fold.clone(), 3, None);
    assert_eq!(again, Err(StartError::Known));
    let other = PullKey::new("other", "pull");
    let foreign = assembler.start_completed(at(0), other, options, fold, 3, None);
    assert_eq!(foreign, Err(StartError::PullMismatch));
    let Some(Event::Completed { basis, progress, .. }) = assembler.poll_event() else {
        panic!("it is complete")
    };
    assert!(basis.earlier);
    assert_eq!((progress.figures.revision, progress.figures.unreadable_pages), (3, 1));
    assert_eq!(assembler.handle_page(at(1), test_page(true, &[7])), Verdict::Late);
    assert!(assembler.has_page(&key, test_page(true, &[7]).digest));
}

#[test]
fn e9_an_outage_is_not_quiet() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    // Nothing was heard from the first second on.
    assembler.handle_outage_began(at(2), at(1));
    assembler.handle_timeout(at(100));
    assert!(!completed(&mut assembler));
    assembler.handle_outage_ended(at(101));
    // It was longer than the idle timeout: that patience begins after it.
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(161)));
    // Short ones extend the patience in place: one second of quiet before, and 59 after them.
    assembler.handle_outage_began(at(111), at(111));
    assembler.handle_outage_ended(at(114));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(163)));
    // Two deadlines are the end, whatever the outage.
    assembler.handle_outage_began(at(115), at(115));
    assembler.handle_timeout(at(3600));
    assert_eq!(failure(&mut assembler), Some(Failure::Deadline));
}

#[test]
fn thirty_late_pages_a_second_apart_make_few_revisions() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    for late in 0..30_u8 {
        assembler.handle_page(at(10 + u64::from(late)), test_page(true, &[2 + late]));
    }
    assembler.handle_timeout(at(90));
    let progress = assembler.progress(&key).unwrap();
    assert_eq!(
        (progress.figures.pages, progress.figures.revision, progress.figures.revising),
        (31, 2, false)
    );
}

/// What a long outage turned away comes again as late as it would without a short one after it.
#[test]
fn e9_a_short_outage_does_not_end_the_patience_after_a_long_one() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    assembler.handle_refusal(at(0));
    // It meets 50 seconds of quiet, of the 60 that the refusal asks for.
    assembler.handle_outage_began(at(50), at(50));
    assembler.handle_outage_ended(at(90));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(130)));
    assembler.handle_outage_began(at(95), at(95));
    assembler.handle_outage_ended(at(96));
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(130)));
    assembler.handle_timeout(at(130));
    assert!(completed(&mut assembler));
}
