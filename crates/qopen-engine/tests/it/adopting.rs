//! Pulls that another system requests: what counts for and against their lists when they are adopted.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use qopen_assembler::Failure;
use qopen_engine::{Accepted, Engine, NotKept, Pull, Status};
use qopen_journal::{
    DiskJournal, Journal, Layer, MemoryJournal, Note, Payload, Quarantined, doubt_unfinished_pulls,
};

use crate::storage::{Mode, Storage};
use crate::support::{
    builder, engine_on, id, in_time, incoming, page, page_of, still, timing, unreadable_page,
};

pub(crate) fn adopting(journal: &Arc<impl Journal + 'static>) -> Engine {
    builder().journal(Arc::clone(journal) as _).adopt(true).build().unwrap()
}

/// The external pull, as a worker follows it or as it is adopted.
pub(crate) async fn followed(engine: &Engine, worker: bool) -> Pull {
    match worker {
        true => engine.resume(&id()).await.unwrap(),
        false => engine.adopted().await.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn e9_a_pull_of_an_earlier_process_is_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let engine = adopting(&journal);
    still(engine.accept(page(1, true))).await.unwrap();
    assert_eq!(*engine.adopted().await.unwrap().id(), id());
    drop(engine);
    // The last page alone would be a complete list.
    let engine = adopting(&journal);
    assert_eq!(still(engine.accept(page(2, false))).await.unwrap(), Accepted::Page);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(engine.adopted().now_or_never().is_none());
    assert!(journal.pull(&id()).await.unwrap().unwrap().ended().is_none());
    let outcome = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
}

#[tokio::test(start_paused = true)]
async fn e9_a_late_page_of_a_forgotten_pull_opens_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let engine = builder().journal(Arc::clone(&journal) as _).adopt(true);
    let engine = engine.retention(Duration::from_secs(60)).build().unwrap();
    still(engine.accept(page(1, true))).await.unwrap();
    let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
    let status = &outcome.status;
    assert!(matches!(status, Status::Incomplete(Failure::LastPageMissing)), "{status}");
    drop(outcome);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    still(engine.accept(page(2, false))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(engine.adopted().now_or_never().is_none());
    assert!(!journal.pull(&id()).await.unwrap().unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn e2_pages_that_came_before_a_pull_was_adopted_are_in_its_list() {
    for first in [page_of("mark", 1, true), page_of("mark", 1, true).replace("42016", "\"42016\"")]
    {
        let journal = Arc::new(MemoryJournal::default());
        let engine = engine_on(&journal);
        assert_eq!(engine.accept(incoming(first)).await.unwrap(), Accepted::Quarantined);
        drop(engine);
        let engine = adopting(&journal);
        engine.accept(page(2, false)).await.unwrap();
        let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
        assert!(outcome.status.is_complete(), "{}", outcome.status);
        assert_eq!(outcome.progress.figures.accounts, 2);
    }
}

/// A page that does not say what it is.
fn undeclared_page() -> String {
    page_of("mark", 1, true).replace(r#""event_type":42016,"#, "")
}

/// A page that does not say what it is may not be the first of an external pull.
#[tokio::test(start_paused = true)]
async fn e2_an_undeclared_page_waits_for_a_declared_one() {
    let undeclared = undeclared_page();
    let journal = Arc::new(MemoryJournal::default());
    let adopts = adopting(&journal);
    assert_eq!(adopts.accept(incoming(undeclared)).await.unwrap(), Accepted::Quarantined);
    adopts.accept(page(2, false)).await.unwrap();
    let outcome = adopts.adopted().await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
}

/// As with the worker of a shared journal, which resumes what a receiver has kept.
#[tokio::test(start_paused = true)]
async fn e2_a_worker_looks_for_the_pages_of_an_external_pull_in_quarantine() {
    let journal = Arc::new(MemoryJournal::default());
    engine_on(&journal).accept(page(1, true)).await.unwrap();
    let keeps = builder().journal(Arc::clone(&journal) as _).keep_external_pages(true);
    let keeps = keeps.build().unwrap();
    assert_eq!(keeps.accept(page(2, false)).await.unwrap(), Accepted::Page);
    let outcome = keeps.resume(&id()).await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
}

#[tokio::test(start_paused = true)]
async fn e2_a_restoration_counts_against_pulls_that_were_requested_before_it() {
    for worker in [false, true] {
        let journal = Arc::new(MemoryJournal::default());
        assert_eq!(doubt_unfinished_pulls(&*journal).await.unwrap(), 0);
        let items = journal.quarantined(None).await.unwrap();
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!((item.layer, &item.pull), (Layer::Lost, &None));
        let engine = builder().journal(Arc::clone(&journal) as _);
        let engine = engine.adopt(!worker).keep_external_pages(worker).build().unwrap();
        engine.accept(page(2, false)).await.unwrap();
        let pull = followed(&engine, worker).await;
        let outcome = pull.outcome().await.unwrap();
        let status = &outcome.status;
        assert!(matches!(status, Status::Incomplete(Failure::OwedPages)), "{worker}: {status}");
        // A person accepts the list.
        let released = Note::Released { item: item.digest(), read: false };
        journal.note(&id(), released).await.unwrap();
        journal.release(item).await.unwrap();
        let engine = engine_on(&journal);
        let outcome = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
        assert!(outcome.status.is_complete(), "{worker}: {}", outcome.status);
    }
}

#[tokio::test(start_paused = true)]
async fn e2_a_restoration_does_not_count_against_pulls_that_were_requested_after_it() {
    let journal = Arc::new(MemoryJournal::default());
    doubt_unfinished_pulls(&*journal).await.unwrap();
    let engine = adopting(&journal);
    tokio::time::sleep(timing().deadline).await;
    engine.accept(page(2, false)).await.unwrap();
    let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    // Nor later, when a process begins anew.
    let engine = adopting(&journal);
    let outcome = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
}

/// The journal takes notes and no payloads, then pages only, then everything.
#[tokio::test(start_paused = true)]
async fn e2_an_adoption_that_fails_goes_on_with_the_next_page() {
    for restored in [false, true] {
        let storage = Storage::new();
        let engine = adopting(&storage);
        engine.accept(incoming(undeclared_page())).await.unwrap();
        if restored {
            let lost = Quarantined::new(None, Layer::Lost, "lost", Payload::new("lost pages"));
            storage.quarantine(lost).await.unwrap();
        }
        for mode in [Mode::Full, Mode::HoldsPages] {
            storage.turn(mode);
            let accepted = tokio::spawn({
                let engine = engine.clone();
                async move { engine.accept(page(2, false)).await }
            });
            tokio::time::sleep(Duration::from_secs(1)).await;
            storage.turn(Mode::Fails);
            let refused = accepted.await.unwrap().unwrap_err();
            assert!(matches!(refused, NotKept::Journal(_)), "{refused}");
        }
        storage.turn(Mode::Works);
        assert!(engine.adopted().now_or_never().is_none());
        // Kept for the process that has the pull, as any page of a pull in the journal.
        engine.accept(incoming(undeclared_page().replace("a001", "a003"))).await.unwrap();
        engine.accept(page(2, false)).await.unwrap();
        let outcome = in_time(engine.adopted()).await.unwrap().outcome().await.unwrap();
        let status = &outcome.status;
        match restored {
            true => assert!(matches!(status, Status::Incomplete(Failure::OwedPages)), "{status}"),
            false => assert!(status.is_complete(), "{status}"),
        }
        assert_eq!(outcome.progress.figures.accounts, 3, "{restored}");
    }
}

#[tokio::test(start_paused = true)]
async fn e2_nothing_is_acknowledged_of_a_pull_for_which_there_is_no_room() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = adopting(&journal);
    for number in 0..10_000 {
        engine.accept(incoming(page_of(&format!("other{number}"), 1, true))).await.unwrap();
    }
    let unreadable = incoming(unreadable_page().replace("mark\"", "mark2\""));
    for first in [page(1, true), unreadable] {
        let refused = engine.accept(first).await.unwrap_err();
        assert!(matches!(refused, NotKept::Declined), "{refused}");
    }
    assert!(!journal.knows(&id()).await.unwrap());
    // The others end, and the platform sends again.
    tokio::time::sleep(timing().deadline).await;
    let mut pull = engine.adopted().await.unwrap();
    while engine.adopted().now_or_never().is_some() {}
    engine.accept(page(2, false)).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    while *pull.id() != id() {
        pull = in_time(engine.adopted()).await.unwrap();
    }
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
}

/// Of the process that adopts the pull, and of another one that shares the journal.
#[tokio::test(start_paused = true)]
async fn e2_a_page_that_gets_into_quarantine_during_an_adoption_is_in_the_list() {
    for shared in [false, true] {
        let storage = Storage::new();
        let receives = if shared { storage.another() } else { Arc::clone(&storage) };
        let engine = adopting(&storage);
        let receiver = if shared { engine_on(&receives) } else { engine.clone() };
        receives.turn(Mode::HoldsItems);
        let first = if shared { page_of("mark", 1, true) } else { undeclared_page() };
        let first = tokio::spawn(async move { receiver.accept(incoming(first)).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        engine.accept(page(2, false)).await.unwrap();
        receives.turn(Mode::Works);
        assert_eq!(first.await.unwrap().unwrap(), Accepted::Page);
        let pull = in_time(engine.adopted()).await.unwrap();
        if shared {
            // Another process tells only the journal, which a worker reads before the pull ends.
            assert_eq!(storage.digests(&id()).await.unwrap().len(), 2);
            continue;
        }
        let outcome = pull.outcome().await.unwrap();
        assert!(outcome.status.is_complete(), "{}", outcome.status);
        assert_eq!(outcome.progress.figures.accounts, 2);
    }
}
