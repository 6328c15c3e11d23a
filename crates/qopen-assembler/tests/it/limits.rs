//! Every bound of the assembler, at the bound and one past it.

use qopen_assembler::{
    Anomaly, Assembler, ErrorReport, Event, Failure, Limit, Page, PullKey, PullOptions, StartError,
    State, Verdict,
};

use crate::examples::{at, failure, test_page};
use crate::operations::{Account, config};

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
    // Forgotten when it is said to be, so that what was said before can still be acted upon.
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

    // Late: the last that has room makes a revision, the next one is reported and changes nothing.
    let (mut assembler, key) = fresh();
    assembler.handle_page(at(0), test_page(false, &[1]));
    assert_eq!(assembler.handle_page(at(4), test_page(true, &[2])), Verdict::Late);
    assert_eq!(assembler.handle_page(at(4), test_page(true, &[3])), Verdict::LimitReached);
    let progress = assembler.progress(&key).unwrap();
    assert_eq!(
        (progress.state, progress.figures.pages, progress.figures.revision),
        (State::Completed, 2, 1)
    );
    assert_eq!((progress.figures.accounts, progress.figures.conflicts), (2, 0));
    let over = Anomaly::LatePageOverLimit { key: key.clone(), page: owed(&[3]) };
    let last = std::iter::from_fn(|| assembler.poll_event()).last();
    assert_eq!(last, Some(Event::Anomaly(over)));

    // Owed and unreadable ones count as pages; a known one is no other page, whatever it becomes.
    let (mut assembler, key) = fresh();
    assembler.handle_owed_page(at(0), &key, owed(&[1]));
    assembler.handle_unreadable_page(at(0), &key, owed(&[2]));
    assembler.handle_unreadable_page(at(0), &key, owed(&[1]));
    assert_eq!(assembler.handle_page(at(0), test_page(true, &[2])), Verdict::Folded);
    assert_eq!(assembler.progress(&key).unwrap().state, State::Collecting);
    assembler.handle_owed_page(at(0), &key, owed(&[3]));
    assert_eq!(failure(&mut assembler), Some(Failure::LimitReached(Limit::Pages)));

    // Merged: at the bound, one account past it, one page past it.
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
