//! Cases with a name.

use std::time::Duration;

use qopen_assembler::{
    Anomaly, Assembler, Config, Entry, ErrorReport, Event, Failure, Limit, Page, PageDigest,
    PullKey, PullOptions, StartError, State, Time, Verdict, WaitingFor,
};

use crate::operations::{Account, TestPage, config, page};

fn at(seconds: u64) -> Time {
    Time::since_epoch(Duration::from_secs(seconds))
}

fn test_page(has_more: bool, ids: &[u8]) -> Page<Vec<Account>> {
    page((0, 0), &TestPage::new(has_more, ids.iter().map(|id| (*id, 0)).collect()))
}

fn started(options: PullOptions) -> (Assembler<Account>, PullKey) {
    let (mut assembler, key) = (Assembler::new(config()), crate::operations::key((0, 0)));
    assembler.start(at(0), key.clone(), options).unwrap();
    (assembler, key)
}

fn failure<T>(assembler: &mut Assembler<T>) -> Option<Failure>
where
    T: qopen_assembler::Keyed,
{
    std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure),
        _ => None,
    })
}

fn completed(assembler: &mut Assembler<Account>) -> bool {
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
    assert_eq!(assembler.progress(&key).unwrap().accounts, 2);
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
    assert_eq!(assembler.progress(&key).unwrap().accounts, 0);
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
            assert_eq!(assembler.progress(&key).unwrap().revision, 1);
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
fn i11_every_limit_holds_at_the_bound_and_one_past_it() {
    let mut limited = config();
    limited.limits.open_pulls = 1;
    limited.limits.pages = 2;
    limited.limits.accounts = 3;
    let fresh = || {
        let (mut assembler, key) = (Assembler::new(limited), crate::operations::key((0, 0)));
        assembler.start(at(0), key.clone(), PullOptions::default()).unwrap();
        (assembler, key)
    };

    let (mut assembler, key) = fresh();
    let another = PullKey::new("another", "m");
    let refused = assembler.start(at(0), another.clone(), PullOptions::default());
    assert_eq!(refused, Err(StartError::TooManyPulls { limit: 1 }));
    assert_eq!(assembler.start(at(0), key.clone(), PullOptions::default()), Err(StartError::Known));
    assembler.cancel(at(0), &key).unwrap();
    assembler.start(at(0), another, PullOptions::default()).unwrap();

    let (mut assembler, _) = fresh();
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[1])), Verdict::Folded);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[2])), Verdict::Folded);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[2])), Verdict::Duplicate);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[3])), Verdict::LimitReached);
    assert_eq!(failure(&mut assembler), Some(Failure::LimitReached(Limit::Pages)));

    let (mut assembler, _) = fresh();
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[1, 2, 3])), Verdict::Folded);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[4])), Verdict::LimitReached);
    assert_eq!(failure(&mut assembler), Some(Failure::LimitReached(Limit::Accounts)));

    limited.limits.queued_events = 1;
    let mut assembler = Assembler::new(limited);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[1])), Verdict::Unknown);
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[1])), Verdict::Backlog);
    assert!(assembler.poll_event().is_some());
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[1])), Verdict::Unknown);

    limited.limits.tombstones = 1;
    limited.limits.queued_events = 9;
    let mut assembler = Assembler::<Account>::new(limited);
    for (time, mark) in [(0, "a"), (1, "b")] {
        let key = PullKey::new("r", mark);
        assembler.start(at(time), key.clone(), PullOptions::default()).unwrap();
        assembler.cancel(at(time), &key).unwrap();
    }
    // The pull is forgotten when the event is polled, so that earlier events can still be acted
    // upon.
    assert!(assembler.take_fold(&PullKey::new("r", "a")).is_some());
    while assembler.poll_event().is_some() {}
    assert!(assembler.progress(&PullKey::new("r", "a")).is_none());
    assert!(assembler.progress(&PullKey::new("r", "b")).is_some());
}

#[test]
fn i11_late_unread_and_merged_pages_count_against_the_limit() {
    let mut limited = config();
    limited.limits.pages = 2;
    limited.limits.accounts = 2;
    let fresh = || {
        let (mut assembler, key) = (Assembler::new(limited), crate::operations::key((0, 0)));
        assembler.start(at(0), key.clone(), PullOptions::default()).unwrap();
        (assembler, key)
    };
    let owed = |ids: &[u8]| test_page(true, ids).digest;

    // The last late page within the limit makes a revision; the next one is reported and changes
    // nothing.
    let (mut assembler, key) = fresh();
    assembler.handle_page(at(0), test_page(false, &[1]));
    assert_eq!(assembler.handle_page(at(4), test_page(true, &[2])), Verdict::Late);
    assert_eq!(assembler.handle_page(at(4), test_page(true, &[3])), Verdict::LimitReached);
    let progress = assembler.progress(&key).unwrap();
    assert_eq!((progress.state, progress.pages, progress.revision), (State::Completed, 2, 1));
    assert_eq!((progress.accounts, progress.conflicts), (2, 0));
    let over = Anomaly::LatePageOverLimit { key: key.clone(), page: owed(&[3]) };
    let last = std::iter::from_fn(|| assembler.poll_event()).last();
    assert_eq!(last, Some(Event::Anomaly(over)));

    // Owed and unreadable pages count as pages; a known page counts once, whatever it becomes.
    let (mut assembler, key) = fresh();
    assembler.handle_owed_page(at(0), &key, owed(&[1]));
    assembler.handle_unreadable_page(at(0), &key, owed(&[2]));
    assembler.handle_unreadable_page(at(0), &key, owed(&[1]));
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[2])), Verdict::Folded);
    assert_eq!(assembler.progress(&key).unwrap().state, State::Collecting);
    assembler.handle_owed_page(at(0), &key, owed(&[3]));
    assert_eq!(failure(&mut assembler), Some(Failure::LimitReached(Limit::Pages)));

    // Merges: at the limit, one account past it, one page past it.
    let merged = |pages: &[&[u8]]| {
        let (mut assembler, key) = fresh();
        let mut fold = qopen_assembler::Fold::new(&key);
        for ids in pages {
            let Page { digest, has_more, accounts, .. } = test_page(true, ids);
            fold.add_page(digest, has_more, accounts, |_| {});
        }
        assembler.merge(at(0), &key, &fold).unwrap();
        failure(&mut assembler)
    };
    assert_eq!(merged(&[&[1], &[2]]), None);
    assert_eq!(merged(&[&[1, 2, 3]]), Some(Failure::LimitReached(Limit::Accounts)));
    assert_eq!(merged(&[&[1], &[2], &[1, 2]]), Some(Failure::LimitReached(Limit::Pages)));
}

#[test]
fn i11_events_beyond_the_limit_are_counted_or_turned_away() {
    let mut limited = config();
    limited.limits.queued_events = 2;
    let mut assembler = Assembler::<Account>::new(limited);
    let nobody = ErrorReport {
        robot: "r".into(),
        mark: None,
        code: 1,
        message: String::new(),
        signed: None,
    };
    for stray in 1..=3 {
        assembler.handle_error(at(0), nobody.clone());
        assert_eq!(assembler.counters().stray_errors, stray);
        assert_eq!(assembler.counters().unqueued_anomalies, stray.saturating_sub(2));
    }
    assert_eq!(std::iter::from_fn(|| assembler.poll_event()).count(), 2);
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

#[test]
fn e8_copies_prolong_the_quiet_by_one_idle_timeout_in_all() {
    let (mut assembler, _) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    for second in (2..=200).step_by(2) {
        assembler.handle_page(at(second), test_page(false, &[1]));
    }
    // The last sign that counts came at 60 s; then 3 s of quiet.
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

    // A refusal older than the idle timeout says nothing of pages that come now.
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
    // Within the tolerance between the two clocks.
    later.handle_error(at(101), report(at(95)));
    assert_eq!(failure(&mut later), Some(Failure::Reported { code: 5, message: String::new() }));
    // A pull that another process requested reaches further back.
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
    assert_eq!((progress.state, progress.unreadable_pages), (State::Completed, 1));
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
    assert_eq!(foreign, Err(StartError::ForeignFold));
    let Some(Event::Completed { basis, progress, .. }) = assembler.poll_event() else {
        panic!("it is complete")
    };
    assert!(basis.earlier);
    assert_eq!((progress.revision, progress.unreadable_pages), (3, 1));
    assert_eq!(assembler.handle_page(at(1), test_page(true, &[7])), Verdict::Late);
    assert!(assembler.has_page(&key, test_page(true, &[7]).digest));
}

#[test]
fn e9_an_outage_is_not_quiet() {
    let (mut assembler, key) = started(PullOptions::default());
    assembler.handle_page(at(0), test_page(false, &[1]));
    // An outage from the first second on.
    assembler.handle_outage_began(at(2), at(1));
    assembler.handle_timeout(at(100));
    assert!(!completed(&mut assembler));
    assembler.handle_outage_ended(at(101));
    // The outage was longer than the idle timeout: the timeout's patience begins after it.
    assert_eq!(assembler.progress(&key).unwrap().due, Some(at(161)));
    // Short outages extend the patience in place: one second of quiet before, and 59 after them.
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
    assert_eq!((progress.pages, progress.revision, progress.revising), (31, 2, false));
}
