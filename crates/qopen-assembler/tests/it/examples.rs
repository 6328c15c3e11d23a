//! Cases with a name.

use std::time::Duration;

use qopen_assembler::{
    Anomaly, Assembler, Config, Entry, ErrorReport, Event, Failure, Page, PageDigest, PullKey,
    PullOptions, State, Time, Verdict, WaitingFor,
};

use crate::operations::{Account, TestPage, config, page};

pub(crate) fn at(seconds: u64) -> Time {
    Time::since_epoch(Duration::from_secs(seconds))
}

pub(crate) fn test_page(has_more: bool, ids: &[u8]) -> Page<Vec<Account>> {
    page((0, 0), &TestPage::new(has_more, ids.iter().map(|id| (*id, 0)).collect()))
}

pub(crate) fn started(options: PullOptions) -> (Assembler<Account>, PullKey) {
    let (mut assembler, key) = (Assembler::new(config()), crate::operations::key((0, 0)));
    assembler.start(at(0), key.clone(), options).unwrap();
    (assembler, key)
}

pub(crate) fn failure<T>(assembler: &mut Assembler<T>) -> Option<Failure>
where
    T: qopen_assembler::Keyed,
{
    std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure),
        _ => None,
    })
}

pub(crate) fn completed(assembler: &mut Assembler<Account>) -> bool {
    std::iter::from_fn(|| assembler.poll_event())
        .any(|event| matches!(event, Event::Completed { .. }))
}

#[test]
fn i4_the_last_page_first() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(1), test_page(false, &[9]));
    assert_eq!(assembler.progress(&key).unwrap().state, State::Settling);
    // Each page begins the quiet anew; a copy prolongs it.
    assembler.handle_page(at(3), test_page(true, &[1]));
    assembler.handle_page(at(5), test_page(true, &[1]));
    assembler.handle_timeout(at(7));
    assert!(!completed(&mut assembler));
    assert_eq!(assembler.poll_timeout(), Some(at(8)));
    assembler.handle_timeout(at(8));
    assert!(completed(&mut assembler));
    assert_eq!(assembler.progress(&key).unwrap().figures.accounts, 2);
}

#[test]
fn i4_losing_the_last_page_never_ends_in_complete() {
    let (mut assembler, _) = started(PullOptions::default());
    assembler.handle_page(at(1), test_page(true, &[1]));
    assembler.handle_timeout(at(60));
    assert_eq!(assembler.poll_timeout(), Some(at(61)));
    assembler.handle_timeout(at(61));
    assert_eq!(failure(&mut assembler), Some(Failure::LastPageMissing));
}

#[test]
fn a_robot_without_customers_is_complete() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[]));
    assembler.handle_timeout(at(3));
    assert!(completed(&mut assembler));
    assert_eq!(assembler.progress(&key).unwrap().figures.accounts, 0);
}

#[test]
fn i6_a_late_page_makes_a_new_revision() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    // The quiet has passed, although `handle_timeout` was not called: the page is late.
    assert_eq!(assembler.handle_page(at(4), test_page(true, &[2])), Verdict::Late);
    assert_eq!(assembler.handle_page(at(5), test_page(true, &[2])), Verdict::Duplicate);
    let fold = assembler.take_fold(&key).unwrap();
    assert_eq!(fold.accounts(), 2);
    // Copies are still recognised after the fold was taken.
    assert_eq!(assembler.handle_page(at(6), test_page(true, &[2])), Verdict::Duplicate);
    assert_eq!(assembler.handle_page(at(6), test_page(true, &[3])), Verdict::Late);
    let revisions: Vec<u32> = std::iter::from_fn(|| assembler.poll_event())
        .filter_map(|event| match event {
            Event::Revised { revision, .. } => Some(revision),
            _ => None,
        })
        .collect();
    // Pages within ten seconds of one another make one revision.
    assert!(revisions.is_empty());
    assert_eq!(assembler.poll_timeout(), Some(at(16)));
    assembler.handle_timeout(at(16));
    let revised = assembler.poll_event();
    assert!(matches!(revised, Some(Event::Revised { revision: 2, .. })), "{revised:?}");
    // The pull is remembered for the retention, counted from its end.
    assembler.handle_timeout(at(102));
    assert!(assembler.progress(&key).is_some());
    assembler.handle_timeout(at(103));
    assert_eq!(assembler.handle_page(at(103), test_page(true, &[4])), Verdict::Unknown);
}

#[test]
fn a_pull_that_ends_and_is_forgotten_in_one_step_can_still_be_had() {
    let mut config = config();
    config.retention = Duration::ZERO;
    let (mut assembler, key) = (Assembler::new(config), crate::operations::key((0, 0)));
    assembler.start(at(0), key.clone(), PullOptions::default()).unwrap();
    assembler.handle_page(at(0), test_page(false, &[1, 2]));
    assembler.handle_timeout(at(1_000_000));
    while let Some(event) = assembler.poll_event() {
        if let Event::Completed { .. } = event {
            assert_eq!(assembler.progress(&key).unwrap().figures.revision, 1);
            assert_eq!(assembler.take_fold(&key).unwrap().accounts(), 2);
        }
    }
    assert!(assembler.progress(&key).is_none());
    assert_eq!(assembler.start(at(1_000_000), key, PullOptions::default()), Ok(()));
}

#[test]
fn silence_is_not_held_against_a_request_under_way() {
    let (mut assembler, key) = started(PullOptions::default().await_acceptance());
    assembler.handle_timeout(at(100));
    assert_eq!(assembler.progress(&key).unwrap().waiting_for, WaitingFor::Acceptance);
    assembler.handle_accepted(at(100), &key);
    assert_eq!(assembler.poll_timeout(), Some(at(160)));
    assembler.handle_timeout(at(160));
    assert_eq!(failure(&mut assembler), Some(Failure::Silent));
}

#[test]
fn an_error_without_a_mark_ends_the_only_pull_of_its_robot() {
    let report = |robot: &str| ErrorReport {
        robot: robot.into(),
        mark: None,
        code: 5,
        message: "no".into(),
        signed: None,
    };
    let mut assembler = Assembler::<Entry>::new(Config::default());
    for mark in ["a", "b"] {
        assembler.start(at(0), PullKey::new("r", mark), PullOptions::default()).unwrap();
    }
    assembler.handle_error(at(0), report("r"));
    assembler.handle_error(at(0), report("other"));
    let anomalies: Vec<_> = std::iter::from_fn(|| assembler.poll_event()).collect();
    assert!(matches!(&anomalies[0], Event::Anomaly(Anomaly::AmbiguousError { code: 5, .. })));
    assert!(matches!(&anomalies[1], Event::Anomaly(Anomaly::UnmatchedError { code: 5, .. })));
    assert_eq!(anomalies.len(), 2);
    assert_eq!(assembler.counters().stray_errors, 2);

    assembler.cancel(at(1), &PullKey::new("r", "a")).unwrap();
    assert_eq!(failure(&mut assembler), Some(Failure::Cancelled));
    assembler.handle_error(at(1), report("r"));
    assert_eq!(failure(&mut assembler), Some(Failure::Reported { code: 5, message: "no".into() }));
    assert_eq!(assembler.open_pulls().len(), 0);
}

#[test]
fn unread_and_owed_pages_stand_against_completeness() {
    for owed in [false, true] {
        let (mut assembler, key) = started(PullOptions::default());
        let missing = test_page(true, &[2]);
        assembler.handle_page(at(0), test_page(false, &[1]));
        if owed {
            assembler.handle_owed_page(at(0), &key, missing.digest);
        } else {
            assembler.handle_unreadable_page(at(0), &key, missing.digest);
        }
        assembler.handle_timeout(at(10));
        assert!(!completed(&mut assembler));
        assembler.handle_page(at(10), missing);
        assembler.handle_timeout(at(13));
        assert!(completed(&mut assembler));
    }
}

#[test]
fn pages_of_pulls_that_others_started_are_ignored_or_adopted() {
    let mut ignoring = Assembler::new(config());
    assert_eq!(ignoring.handle_page(at(0), test_page(false, &[1])), Verdict::Unknown);
    assert_eq!(ignoring.counters().unknown_pages, 1);

    let mut adopting = config();
    adopting.adopt = Some(PullOptions::default());
    let mut adopting = Assembler::new(adopting);
    assert_eq!(adopting.handle_page(at(0), test_page(false, &[1])), Verdict::Folded);
    adopting.handle_timeout(at(3));
    assert!(completed(&mut adopting));
}

#[test]
fn e3_a_refusal_counts_against_the_pull_that_is_adopted_soon() {
    let idle = 60;
    for (page_at, settled) in [(1, idle), (idle + 1, idle + 4)] {
        let mut adopting = config();
        adopting.adopt = Some(PullOptions::default());
        let mut adopting = Assembler::new(adopting);
        adopting.handle_refusal(at(0));
        assert_eq!(adopting.handle_page(at(page_at), test_page(false, &[1])), Verdict::Folded);
        adopting.handle_timeout(at(settled - 1));
        assert!(!completed(&mut adopting));
        adopting.handle_timeout(at(settled));
        assert!(completed(&mut adopting));
    }
}

#[test]
fn e3_a_refusal_before_the_page_that_reopens_a_pull_counts_against_it() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_timeout(at(60));
    assert_eq!(failure(&mut assembler), Some(Failure::Silent));
    assembler.handle_refusal(at(70));
    assert_eq!(assembler.handle_page(at(71), test_page(false, &[1])), Verdict::Reopened);
    assert_eq!(assembler.progress(&key).unwrap().figures.refusals, 1);
    assembler.handle_timeout(at(129));
    assert!(!completed(&mut assembler));
    assembler.handle_timeout(at(130));
    assert!(completed(&mut assembler));
}

#[test]
fn every_basis_of_completion_and_their_combinations() {
    let basis = |expect: Option<u64>, declared: bool| {
        let (mut assembler, key) = started(PullOptions::default().expect_accounts(expect));
        assembler.handle_page(at(0), test_page(false, &[1, 2]));
        if declared {
            assembler.declare_finished(at(1), &key).unwrap();
        } else {
            assembler.handle_timeout(at(61));
        }
        std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
            Event::Completed { basis, .. } => {
                Some(Ok((basis.quiet, basis.expected, basis.declared)))
            }
            Event::Failed { failure, .. } => Some(Err(failure)),
            _ => None,
        })
    };
    let settle = Some(PullOptions::default().timing.settle);
    assert_eq!(basis(None, false), Some(Ok((settle, None, false))));
    assert_eq!(basis(None, true), Some(Ok((None, None, true))));
    assert_eq!(basis(Some(2), false), Some(Ok((settle, Some(2), false))));
    assert_eq!(basis(Some(2), true), Some(Ok((None, Some(2), true))));
    // More accounts than expected are no fault, fewer are. A declared end does not replace the
    // missing ones.
    assert_eq!(basis(Some(1), false), Some(Ok((settle, Some(1), false))));
    let fewer = Failure::FewerThanExpected { expected: 3 };
    assert_eq!(basis(Some(3), false), Some(Err(fewer.clone())));
    assert_eq!(basis(Some(3), true), Some(Err(fewer)));
}

#[test]
fn pre_digested_entries_fold_like_the_accounts_they_stand_for() {
    let key = PullKey::new("r", "m");
    let seed = qopen_assembler::Seed::of(&key);
    let entry = |id: &str| Entry {
        fingerprint: seed.fingerprint(id),
        content: qopen_assembler::ContentDigest::of(id.as_bytes()),
    };
    let mut fold = qopen_assembler::Fold::new(&key);
    assert!(fold.add_page(PageDigest::of(b"1"), true, [entry("a"), entry("b")], |_| {}));
    assert!(!fold.add_page(PageDigest::of(b"1"), true, [entry("c")], |_| {}));
    assert!(fold.add_page(PageDigest::of(b"2"), false, [entry("b")], |_| {}));
    assert_eq!((fold.accounts(), fold.pages(), fold.conflicts()), (2, 2, 0));
}
