//! Claims: workers that share a journal, each in a process of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use qopen_assembler::Failure;
use qopen_engine::{ClaimedPull, Engine, PullError, Status, Worker, WorkerOptions};
use qopen_journal::{Fencing, Journal as _, Note};

use crate::storage::{Mode, Storage};
use crate::support::{
    Clock, LOOK, engine_on, id, in_time, incoming, page, request, unreadable_page,
};

const LEASE: u64 = 15_000;

/// A process that works on pulls.
struct Process {
    storage: Arc<Storage>,
    engine: Engine,
    worker: Worker,
}

impl Process {
    fn on(storage: &Arc<Storage>) -> Self {
        let storage = storage.another();
        let engine = engine_on(&storage);
        let worker = Worker::start(&engine, Arc::clone(&storage) as _, WorkerOptions::default());
        Self { storage, engine, worker }
    }

    async fn claimed(&self) -> ClaimedPull {
        in_time(self.worker.claimed()).await.unwrap()
    }
}

/// A journal with an enqueued pull, and a process that only receives.
async fn enqueued() -> (Arc<Storage>, Engine) {
    let storage = Storage::new();
    let receiver = engine_on(&storage.another());
    receiver.enqueue(request()).await.unwrap();
    (storage, receiver)
}

#[tokio::test(start_paused = true)]
async fn each_pull_is_given_to_one_of_two_workers() {
    let storage = Storage::new();
    let receiver = engine_on(&storage.another());
    let processes = [Process::on(&storage), Process::on(&storage)];
    for number in 0..40 {
        let mark = format!("mark-{number}").parse().unwrap();
        receiver.enqueue(request().mark_id(mark)).await.unwrap();
    }
    let mut claimed = Vec::new();
    let clock = Clock::start();
    while claimed.len() < 40 {
        let [first, second] = &processes;
        claimed.push(tokio::select! {
            one = first.claimed() => one,
            one = second.claimed() => one,
        });
    }
    assert!(clock.millis() <= LOOK, "{}", clock.millis());
    let ids: BTreeSet<_> = claimed.iter().map(|it| it.id().clone()).collect();
    assert_eq!(ids.len(), 40);
    // Renewed, none is given to the other one.
    tokio::select! {
        _ = processes[0].worker.claimed() => panic!("it was given twice"),
        _ = processes[1].worker.claimed() => panic!("it was given twice"),
        () = clock.until(20 * LEASE) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_cut_off_loses_its_pull_when_the_lease_ends() {
    let (storage, _receiver) = enqueued().await;
    let (first, clock) = (Process::on(&storage), Clock::start());
    let claimed = first.claimed().await;
    let pull = claimed.resume().await.unwrap();
    first.engine.accept(page(1, true)).await.unwrap();
    clock.until(40_000).await;
    let second = Process::on(&storage);
    first.storage.turn(Mode::Hangs);
    let again = second.claimed().await;
    let lost = clock.millis() - 40_000;
    assert!((LEASE - LOOK..=LEASE + LOOK).contains(&lost), "{lost}");
    assert_eq!(again.id(), claimed.id());
    // What the first one would have noted when it wakes up is refused, and its pull has no outcome.
    clock.until(200_000).await;
    first.storage.turn(Mode::Works);
    let outcome = pull.outcome().await;
    assert!(matches!(outcome, Err(PullError::Fenced)), "{outcome:?}");
    claimed.lost().await;
    assert!(clock.millis() <= 200_000 + LOOK, "{}", clock.millis());
    assert_eq!(claimed.complete().await.unwrap(), Fencing::Fenced);
    assert!(storage.pull(&id()).await.unwrap().unwrap().ended().is_none());
    // The second one goes on from what the first one has kept.
    let pull = again.resume().await.unwrap();
    second.engine.accept(page(2, false)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
    assert!(storage.pull(&id()).await.unwrap().unwrap().ended().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_dropped_without_a_word_is_given_to_another_when_the_lease_ends() {
    let (storage, _receiver) = enqueued().await;
    let (first, clock) = (Process::on(&storage), Clock::start());
    let claimed = first.claimed().await;
    let second = Process::on(&storage);
    drop((first, claimed));
    let again = second.claimed().await;
    assert!((LEASE - LOOK..=LEASE + LOOK).contains(&clock.millis()), "{}", clock.millis());
    // Given back, it can be had at once.
    let given_back = clock.millis();
    let third = Process::on(&storage);
    again.give_back().await.unwrap();
    tokio::select! {
        _ = second.claimed() => {}
        _ = third.claimed() => {}
    }
    assert!(clock.millis() <= given_back + LOOK, "{} {given_back}", clock.millis());
}

#[tokio::test(start_paused = true)]
async fn e9_a_page_that_another_process_keeps_before_the_end_is_in_the_list() {
    let (storage, receiver) = enqueued().await;
    let process = Process::on(&storage);
    let claimed = process.claimed().await;
    let mut pull = claimed.resume().await.unwrap();
    let clock = Clock::start();
    receiver.accept(page(1, false)).await.unwrap();
    while pull.progress().await.unwrap().figures.pages == 0 {}
    assert!(clock.millis() <= LOOK, "{}", clock.millis());
    // The quiet ends before the worker looks again: the driver has to look itself.
    let told = clock.millis();
    clock.until(told + 999).await;
    receiver.accept(page(2, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
    let ended = clock.millis() - told;
    assert!((1_999..=2_000).contains(&ended), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn e2_an_item_that_another_process_keeps_counts_against_the_list_until_it_is_released() {
    let (storage, receiver) = enqueued().await;
    let process = Process::on(&storage);
    let claimed = process.claimed().await;
    let pull = claimed.resume().await.unwrap();
    let clock = Clock::start();
    process.engine.accept(page(1, false)).await.unwrap();
    clock.until(999).await;
    let unreadable = unreadable_page();
    receiver.accept(incoming(unreadable)).await.unwrap();
    clock.until(30_000).await;
    let items = storage.quarantined(Some(&id())).await.unwrap();
    storage.release(&items[0]).await.unwrap();
    let waived = Note::Released { item: items[0].digest(), read: false };
    storage.note(&id(), waived).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert!((31_000..=31_000 + LOOK).contains(&clock.millis()), "{}", clock.millis());
}

#[tokio::test(start_paused = true)]
async fn what_another_process_notes_ends_the_pull() {
    for report in [true, false] {
        let (storage, receiver) = enqueued().await;
        let process = Process::on(&storage);
        let claimed = process.claimed().await;
        let pull = claimed.resume().await.unwrap();
        let clock = Clock::start();
        clock.until(10_000).await;
        match report {
            true => {
                let report = r#"{"event_type":42016,"err_code":7,"robot_id":"robot","data":null}"#;
                receiver.accept(incoming(report)).await.unwrap();
            }
            false => storage.note(&id(), Note::CancelRequested).await.unwrap(),
        }
        let status = pull.outcome().await.unwrap().status;
        match report {
            true => assert!(matches!(status, Status::Reported { code: 7, .. }), "{status}"),
            false => assert!(matches!(status, Status::Cancelled), "{status}"),
        }
        assert!(clock.millis() <= 10_000 + LOOK, "{}", clock.millis());
    }
}

#[tokio::test(start_paused = true)]
async fn news_that_a_renewal_tells_outlives_a_failure_after_it() {
    let (storage, _receiver) = enqueued().await;
    let process = Process::on(&storage);
    let claimed = process.claimed().await;
    let pull = claimed.resume().await.unwrap();
    let clock = Clock::start();
    clock.until(1_000).await;
    process.storage.turn(Mode::FailsRefusals);
    storage.note(&id(), Note::CancelRequested).await.unwrap();
    clock.until(10_000).await;
    process.storage.turn(Mode::Works);
    let status = pull.outcome().await.unwrap().status;
    assert!(matches!(status, Status::Cancelled), "{status}");
    assert!(clock.millis() <= 10_000 + LOOK, "{}", clock.millis());
}

#[tokio::test(start_paused = true)]
async fn i6_a_late_page_has_a_finished_pull_claimed_again() {
    let (storage, receiver) = enqueued().await;
    let process = Process::on(&storage);
    let claimed = process.claimed().await;
    let pull = claimed.resume().await.unwrap();
    receiver.accept(page(1, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete());
    assert_eq!(claimed.complete().await.unwrap(), Fencing::Held);
    let clock = Clock::start();
    tokio::select! {
        _ = process.worker.claimed() => panic!("it needs no worker"),
        () = clock.until(3_600_000) => {}
    }
    receiver.accept(page(2, true)).await.unwrap();
    let claimed = process.claimed().await;
    assert!(clock.millis() <= 3_600_000 + LOOK, "{}", clock.millis());
    let pull = claimed.resume().await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(basis) if basis.earlier));
    let resumed = clock.millis();
    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    assert_eq!(clock.millis() - resumed, 10_000);
    assert_eq!(outcome.refreshed().progress.figures.accounts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_closes_gives_back_what_was_not_asked_for() {
    let (storage, _receiver) = enqueued().await;
    let first = Process::on(&storage);
    let clock = Clock::start();
    clock.until(5_000).await;
    let second = Process::on(&storage);
    first.worker.close().await;
    assert!(first.worker.claimed().await.is_none());
    let claimed = second.claimed().await;
    assert!(clock.millis() <= 5_000 + LOOK, "{}", clock.millis());
    assert_eq!(*claimed.id(), id());
}

#[tokio::test(start_paused = true)]
async fn a_pull_under_a_claim_ends_as_one_without() {
    for (number, more, ended) in
        [(Some(1), false, 1_000), (Some(1), true, 60_000), (None, true, 60_000)]
    {
        let (storage, _receiver) = enqueued().await;
        let process = Process::on(&storage);
        let claimed = process.claimed().await;
        let pull = claimed.resume().await.unwrap();
        let clock = Clock::start();
        if let Some(number) = number {
            process.engine.accept(page(number, more)).await.unwrap();
        }
        let status = pull.outcome().await.unwrap().status;
        assert_eq!(clock.millis(), ended, "{status}");
        match (number, more) {
            (Some(_), false) => assert!(status.is_complete(), "{status}"),
            (Some(_), true) => {
                assert!(matches!(status, Status::Incomplete(Failure::LastPageMissing)), "{status}");
            }
            (None, _) => assert!(matches!(status, Status::NoCallback), "{status}"),
        }
    }
}
