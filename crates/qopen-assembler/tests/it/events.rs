//! Events for facts that fit no pull, and progress events.

use qopen_assembler::{
    Anomaly, Assembler, Counters, Event, Page, PullKey, PullOptions, Time, Verdict,
};

use crate::operations::{Account, TestPage, config, page};

fn test_page(has_more: bool, accounts: &[(u8, u8)]) -> Page<Vec<Account>> {
    page((0, 0), &TestPage::new(has_more, accounts.to_vec()))
}

fn key() -> PullKey {
    crate::operations::key((0, 0))
}

fn started() -> Assembler<Account> {
    let mut assembler = Assembler::new(config());
    assembler.start(Time::ZERO, key(), PullOptions::default()).unwrap();
    assembler
}

fn events(assembler: &mut Assembler<Account>) -> Vec<Event<Account>> {
    std::iter::from_fn(|| assembler.poll_event()).collect()
}

fn anomalies(assembler: &mut Assembler<Account>) -> Vec<Anomaly> {
    let anomaly = |event| match event {
        Event::Anomaly(anomaly) => Some(anomaly),
        _ => None,
    };
    events(assembler).into_iter().filter_map(anomaly).collect()
}

#[test]
fn progress_is_said_once_until_it_is_heard() {
    let mut assembler = started();
    let progressed = Event::Progressed { key: key() };
    let count = |events: Vec<Event<Account>>| events.iter().filter(|it| **it == progressed).count();
    for pages in [1, 2, 1, 3] {
        for id in 0..pages {
            assembler.handle_page(Time::ZERO, test_page(true, &[(id, 1)]));
        }
        assert_eq!(count(events(&mut assembler)), 1);
        assert_eq!(count(events(&mut assembler)), 0);
    }
}

#[test]
fn a_conflict_is_said_with_the_page_that_brings_it() {
    let mut assembler = started();
    assembler.handle_page(Time::ZERO, test_page(true, &[(1, 1), (2, 1)]));
    assert_eq!(anomalies(&mut assembler), []);
    assembler.handle_page(Time::ZERO, test_page(true, &[(1, 2), (3, 1)]));
    assert_eq!(anomalies(&mut assembler), [Anomaly::Conflict { key: key(), accounts: 1 }]);
    // The same account in conflict again does not count; another account does.
    assembler.handle_page(Time::ZERO, test_page(true, &[(1, 0), (3, 1), (4, 1)]));
    assert_eq!(anomalies(&mut assembler), []);
    assembler.handle_page(Time::ZERO, test_page(true, &[(2, 2)]));
    assert_eq!(anomalies(&mut assembler), [Anomaly::Conflict { key: key(), accounts: 2 }]);
}

#[test]
fn pages_after_a_failure_are_counted_and_said() {
    let mut assembler = started();
    let folded = test_page(true, &[(1, 1)]);
    assembler.handle_page(Time::ZERO, folded.clone());
    assembler.cancel(Time::ZERO, &key()).unwrap();
    events(&mut assembler);
    assert_eq!(assembler.handle_page(Time::ZERO, folded.clone()), Verdict::Duplicate);
    assert_eq!(anomalies(&mut assembler), []);
    for ids in 1..=3_u8 {
        let new = test_page(false, &[(ids, 9)]);
        let digest = new.digest;
        assert_eq!(assembler.handle_page(Time::ZERO, new), Verdict::AfterFailure);
        assert_eq!(assembler.counters().pages_after_failure, u64::from(ids));
        let said = Anomaly::PageAfterFailure { key: key(), page: digest };
        assert_eq!(anomalies(&mut assembler), [said]);
    }
    // A page that cannot be folded emits an event too; a copy of a folded page does not.
    let unread = test_page(true, &[(7, 7)]).digest;
    assembler.handle_unreadable_page(Time::ZERO, &key(), unread);
    assembler.handle_owed_page(Time::ZERO, &key(), unread);
    assembler.handle_owed_page(Time::ZERO, &key(), folded.digest);
    let said = Anomaly::UnfoldedAfterEnd { key: key(), page: unread };
    assert_eq!(anomalies(&mut assembler), [said]);
}

#[test]
fn strangers_are_counted_and_said() {
    let mut assembler = Assembler::<Account>::new(config());
    assert_eq!(assembler.counters(), Counters::default());
    let stranger = test_page(true, &[(1, 1)]);
    assembler.handle_unreadable_page(Time::ZERO, &key(), stranger.digest);
    assembler.handle_accepted(Time::ZERO, &key());
    assembler.handle_page(Time::ZERO, stranger);
    assert_eq!(assembler.counters().unknown_pages, 2);
    let said = Anomaly::UnknownMark { key: key() };
    assert_eq!(events(&mut assembler), [Event::Anomaly(said.clone()), Event::Anomaly(said)]);
    assert_eq!(assembler.poll_timeout(), None);
}

#[test]
fn a_late_page_counts_once_each_way() {
    let mut assembler = started();
    assembler.handle_page(Time::ZERO, test_page(false, &[(1, 1)]));
    assembler.declare_finished(Time::ZERO, &key()).unwrap();
    let late = test_page(true, &[(2, 1), (1, 2)]);
    events(&mut assembler);
    assert_eq!(assembler.handle_page(Time::ZERO, late.clone()), Verdict::Late);
    for copies in 1..=2 {
        let progress = assembler.progress(&key()).unwrap();
        assert_eq!(
            (progress.figures.pages, progress.figures.accounts, progress.figures.conflicts),
            (2, 2, 1)
        );
        assert_eq!((progress.figures.revision, progress.figures.duplicate_pages), (1, copies - 1));
        assert!(progress.figures.revising);
        assert_eq!(assembler.handle_page(Time::ZERO, late.clone()), Verdict::Duplicate);
    }
    assembler.handle_timeout(Time::since_epoch(std::time::Duration::from_secs(10)));
    assert!(!assembler.progress(&key()).unwrap().figures.revising);
    let [Event::Fresh { accounts, .. }, Event::Revised { revision: 2, .. }] =
        &events(&mut assembler)[..]
    else {
        panic!("fresh accounts, then the revision");
    };
    assert!(accounts.contains(&Account(2, 1)));
}
