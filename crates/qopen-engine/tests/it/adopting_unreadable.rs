//! Unreadable callbacks and pulls that another system requests: what came before a pull is adopted counts against it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qopen_assembler::Failure;
use qopen_engine::{Accepted, PullRequest, RefusalCount, Status};
use qopen_journal::{Journal, MemoryJournal, Payload, PullId};

use crate::adopting::{adopting, followed};
use crate::storage::{Mode, Storage};
use crate::support::{builder, engine_on, id, incoming, page, page_of, timing, unreadable_page};

/// Asserts that an unreadable callback counts against a list, or that the list is complete.
fn assert_counts(counts: bool, status: &Status, what: &str) {
    match counts {
        true => {
            let is_unreadable = matches!(status, Status::Incomplete(Failure::UnreadablePages));
            assert!(is_unreadable, "{what}: {status}");
        }
        false => assert!(status.is_complete(), "{what}: {status}"),
    }
}

#[tokio::test(start_paused = true)]
async fn e2_an_unreadable_page_counts_against_the_pull_that_is_adopted_later() {
    let cut = page_of("mark", 1, true);
    let cut = cut[..cut.len() - 12].to_owned();
    let of_another = unreadable_page().replace("\"robot\"", "\"another\"");
    for (first, counts) in [(unreadable_page(), true), (cut, true), (of_another, false)] {
        let journal = Arc::new(MemoryJournal::default());
        engine_on(&journal).accept(incoming(first.clone())).await.unwrap();
        let engine = adopting(&journal);
        engine.accept(page(2, false)).await.unwrap();
        let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
        assert_counts(counts, &outcome.status, &first);
    }
}

/// Of a content that no key opens.
#[tokio::test(start_paused = true)]
async fn e2_an_item_without_a_name_counts_against_the_pull_that_is_adopted_soon() {
    for (soon, worker) in [(true, false), (true, true), (false, false), (false, true)] {
        let engine = builder().adopt(!worker).keep_external_pages(worker).build().unwrap();
        let content = Payload::new("a content");
        engine.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
        if !soon {
            // A worker's pull has been known for a moment.
            tokio::time::sleep(timing().deadline + Duration::from_secs(1)).await;
        }
        engine.accept(page(2, false)).await.unwrap();
        let pull = followed(&engine, worker).await;
        let outcome = pull.outcome().await.unwrap();
        assert_counts(soon, &outcome.status, &format!("worker {worker}"));
    }
}

/// A content that no key opens is put down to the only open pull, and may be of the other one.
#[tokio::test(start_paused = true)]
async fn e2_an_item_of_the_only_open_pull_counts_against_the_one_that_is_adopted_soon() {
    for soon in [true, false] {
        let engine = builder().adopt(true).build().unwrap();
        let own = PullRequest::new(id().robot_id).mark_id("own".parse().unwrap());
        let own = engine.pull(own).await.unwrap();
        let content = Payload::new("a content");
        engine.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
        own.cancel();
        assert!(!own.outcome().await.unwrap().status.is_complete());
        if !soon {
            tokio::time::sleep(timing().deadline).await;
        }
        engine.accept(page(2, false)).await.unwrap();
        let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
        let status = &outcome.status;
        assert_eq!(status.is_complete(), !soon, "{status}");
    }
}

/// It counts against that one alone, also if its marks resemble those of other pulls.
#[tokio::test(start_paused = true)]
async fn e2_a_damaged_page_that_names_an_ended_pull_counts_against_no_other_one() {
    for (first, second) in [("first", "another"), ("list-2026-11-26", "list-2026-11-27")] {
        let engine = builder().adopt(true).build().unwrap();
        let cut = page_of(first, 2, true);
        let cut = cut[..cut.len() - 12].to_owned();
        let adopted = async || engine.adopted().await.unwrap().outcome().await.unwrap().status;
        engine.accept(incoming(page_of(first, 1, false))).await.unwrap();
        assert_eq!(engine.accept(incoming(cut)).await.unwrap(), Accepted::Quarantined);
        let status = adopted().await;
        assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
        engine.accept(incoming(page_of(second, 1, false))).await.unwrap();
        let status = adopted().await;
        assert!(status.is_complete(), "{second}: {status}");
    }
}

/// Its worker has too many others.
#[tokio::test(start_paused = true)]
async fn e2_an_item_counts_against_the_pull_that_waits_long_for_a_worker() {
    let storage = Storage::new();
    let engine = builder().journal(Arc::clone(&storage) as _).keep_external_pages(true);
    let engine = engine.build().unwrap();
    let undecrypted = async |content: &str| {
        let content = Payload::new(content);
        engine.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
    };
    undecrypted("of long ago").await;
    tokio::time::sleep(timing().deadline * 2).await;
    undecrypted("a content").await;
    engine.accept(page(2, false)).await.unwrap();
    tokio::time::sleep(timing().deadline * 2).await;
    let pull = engine.resume(&id()).await.unwrap();
    let status = pull.outcome().await.unwrap().status;
    assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
    assert_eq!(storage.pull(&id()).await.unwrap().unwrap().doubts().len(), 1);
}

/// A later process does not know when an item came.
#[tokio::test(start_paused = true)]
async fn e2_an_item_without_a_name_of_an_earlier_process_counts_too() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine_on(&journal);
    let content = Payload::new("a content");
    engine.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
    drop(engine);
    let engine = adopting(&journal);
    engine.accept(page(2, false)).await.unwrap();
    let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
    let status = &outcome.status;
    assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
    tokio::time::sleep(timing().deadline).await;
    engine.accept(incoming(page_of("later", 2, false))).await.unwrap();
    let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
}

/// Of processes that share a journal, one has a page that no key opens, and the other one has the last page.
#[tokio::test(start_paused = true)]
async fn e2_an_item_without_a_name_of_another_process_counts_from_its_first_look() {
    let journal = Arc::new(MemoryJournal::default());
    let another = engine_on(&journal);
    let undecrypted = async |content: &str| {
        let content = Payload::new(content);
        another.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
    };
    undecrypted("of long ago").await;
    let engine = adopting(&journal);
    let adopted = async |mark: &str| {
        engine.accept(incoming(page_of(mark, 2, false))).await.unwrap();
        engine.adopted().await.unwrap().outcome().await.unwrap().status
    };
    tokio::time::sleep(timing().deadline).await;
    let status = adopted("first").await;
    assert!(status.is_complete(), "{status}");
    undecrypted("of now").await;
    let status = adopted("second").await;
    assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
    tokio::time::sleep(timing().deadline).await;
    let status = adopted("third").await;
    assert!(status.is_complete(), "{status}");
}

/// Each look has the whole quarantine in memory.
#[tokio::test(start_paused = true)]
async fn the_quarantine_is_read_for_one_adoption_after_another() {
    let storage = Storage::new();
    let engine = builder().journal(Arc::clone(&storage) as _).keep_external_pages(true);
    let engine = engine.build().unwrap();
    engine_on(&storage).accept(page(1, true)).await.unwrap();
    let marks = ["a", "b", "c"];
    for mark in marks {
        engine.accept(incoming(page_of(mark, 2, false))).await.unwrap();
    }
    let ids = marks.map(|mark| PullId { mark_id: mark.parse().unwrap(), ..id() });
    let pulls = join_all(ids.iter().map(|id| engine.resume(id))).await;
    for pull in pulls {
        let outcome = pull.unwrap().outcome().await.unwrap();
        assert!(outcome.status.is_complete(), "{}", outcome.status);
    }
    assert_eq!(storage.most_looks(), 1);
}

/// The item is on its way to the journal when the pull is adopted.
#[tokio::test(start_paused = true)]
async fn e2_an_item_that_gets_into_quarantine_during_an_adoption_counts() {
    for worker in [false, true] {
        let storage = Storage::new();
        let engine = builder().journal(Arc::clone(&storage) as _);
        let engine = engine.adopt(!worker).keep_external_pages(worker).build().unwrap();
        storage.turn(Mode::HoldsItems);
        let intake = engine.intake().clone();
        let content = Payload::new("a content");
        let content = async move { intake.accept_undecrypted(content, "no key".into()).await };
        let content = tokio::spawn(content);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let adopts = engine.clone();
        let adopted = tokio::spawn(async move {
            adopts.accept(page(2, false)).await.unwrap();
            followed(&adopts, worker).await
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        storage.turn(Mode::Works);
        assert_eq!(content.await.unwrap().unwrap(), Accepted::Quarantined);
        let outcome = adopted.await.unwrap().outcome().await.unwrap();
        let status = &outcome.status;
        assert!(matches!(status, Status::Incomplete(Failure::UnreadablePages)), "{status}");
    }
}

/// A damaged page whose mark is damaged, too, is on its way to the journal when its pull is adopted, or kept by another
/// process.
#[tokio::test(start_paused = true)]
async fn e2_a_damaged_name_counts_against_the_pull_that_becomes_known_meanwhile() {
    let cut = page_of("list-2026-1-27", 1, true);
    let cut = cut[..cut.len() - 12].to_owned();
    for worker in [false, true] {
        let (storage, last) = (Storage::new(), page_of("list-2026-11-27", 2, false));
        let pull = PullId { mark_id: "list-2026-11-27".parse().unwrap(), ..id() };
        let receives = if worker { storage.another() } else { Arc::clone(&storage) };
        let receiver = builder().journal(Arc::clone(&receives) as _);
        let receiver = receiver.adopt(!worker).keep_external_pages(worker).build().unwrap();
        receives.turn(Mode::HoldsItems);
        let (intake, cut) = (receiver.intake().clone(), incoming(cut.clone()));
        let unreadable = tokio::spawn(async move { intake.accept(cut).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let engine = match worker {
            true => builder().journal(Arc::clone(&storage) as _).keep_external_pages(true),
            false => builder(),
        };
        let engine = if worker { engine.build().unwrap() } else { receiver.clone() };
        let adopts = tokio::spawn(async move {
            engine.accept(incoming(last)).await.unwrap();
            // Until it has looked into the quarantine.
            let resumed = if worker { Some(engine.resume(&pull).await.unwrap()) } else { None };
            (pull, resumed)
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        receives.turn(Mode::Works);
        assert_eq!(unreadable.await.unwrap().unwrap(), Accepted::Quarantined);
        let (pull, _resumed) = adopts.await.unwrap();
        let state = storage.pull(&pull).await.unwrap().unwrap();
        assert_eq!(state.doubts().len(), 1, "{worker}: {state:?}");
    }
}

/// The journal has failed before, when the name was already taken for another pull.
#[tokio::test(start_paused = true)]
async fn e2_a_damaged_name_that_comes_again_counts_against_the_pull_that_is_known_by_now() {
    let storage = Storage::new();
    let engine = adopting(&storage);
    let cut = page_of("list-2026-1-27", 1, true);
    let cut = cut[..cut.len() - 12].to_owned();
    storage.turn(Mode::Full);
    engine.accept(incoming(cut.clone())).await.unwrap_err();
    storage.turn(Mode::Works);
    engine.accept(incoming(page_of("list-2026-11-27", 2, false))).await.unwrap();
    assert_eq!(engine.accept(incoming(cut)).await.unwrap(), Accepted::Quarantined);
    let pull = PullId { mark_id: "list-2026-11-27".parse().unwrap(), ..id() };
    let state = storage.pull(&pull).await.unwrap().unwrap();
    assert_eq!(state.doubts().len(), 1, "{state:?}");
}

/// The first page of a pull comes to another process, whose worker looks into the quarantine before the item is there.
#[tokio::test(start_paused = true)]
async fn e2_an_item_counts_against_the_pull_that_another_process_has_kept_meanwhile() {
    let cut = r#"{"event_type":42016,"robot_id":"robot","data":{"acc"#;
    let no_key = "no key opens it";
    for cut in [Some(cut), None] {
        let storage = Storage::new();
        let receives = storage.another();
        let (receiver, content) = (engine_on(&receives), Payload::new("a content"));
        receives.turn(Mode::HoldsItems);
        let unreadable = tokio::spawn(async move {
            match cut {
                Some(cut) => receiver.accept(incoming(cut)).await,
                None => receiver.intake().accept_undecrypted(content, no_key.into()).await,
            }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let engine = builder().journal(Arc::clone(&storage) as _).keep_external_pages(true);
        let engine = engine.build().unwrap();
        engine.accept(page(2, false)).await.unwrap();
        let _pull = engine.resume(&id()).await.unwrap();
        receives.turn(Mode::Works);
        assert_eq!(unreadable.await.unwrap().unwrap(), Accepted::Quarantined);
        let state = storage.pull(&id()).await.unwrap().unwrap();
        assert_eq!(state.doubts().len(), 1, "{state:?}");
    }
}

/// The first page of a pull may have come before a process listened, and its last page comes right after the start.
#[tokio::test(start_paused = true)]
async fn e3_an_external_pull_is_given_the_idle_timeout_from_the_start() {
    let idle = timing().idle_timeout;
    for (age, quiet) in [(0, idle), (40, idle - Duration::from_secs(40)), (61, timing().settle)] {
        for worker in [false, true] {
            let engine = builder().adopt(!worker).keep_external_pages(worker).build().unwrap();
            tokio::time::sleep(Duration::from_secs(age)).await;
            engine.accept(page(2, false)).await.unwrap();
            let pull = followed(&engine, worker).await;
            let evidence = pull.outcome().await.unwrap().status.evidence().unwrap();
            let found = Duration::from_millis(evidence.quiet_ms.unwrap());
            assert!(found.abs_diff(quiet) < Duration::from_millis(10), "{age}: {evidence:?}");
            assert_eq!(evidence.refused_callbacks, 0);
        }
    }
}

/// A callback that was refused may have been the first page of a pull whose last page comes then.
#[tokio::test(start_paused = true)]
async fn e3_a_refusal_counts_against_the_pull_that_is_adopted_soon() {
    let idle = timing().idle_timeout;
    for (before, refusals) in [(Duration::from_millis(1), 1), (idle * 2, 0)] {
        for worker in [false, true] {
            let refused = Arc::new(RefusalCount::default());
            let engine = builder().adopt(!worker).keep_external_pages(worker);
            let engine = engine.refusals(Arc::clone(&refused) as _).build().unwrap();
            // The start itself no longer matters.
            tokio::time::sleep(idle).await;
            refused.note();
            tokio::time::sleep(before).await;
            engine.accept(page(2, false)).await.unwrap();
            let pull = followed(&engine, worker).await;
            let evidence = pull.outcome().await.unwrap().status.evidence().unwrap();
            assert_eq!(evidence.refused_callbacks, refusals);
            let least = if refusals > 0 { idle - before } else { timing().settle };
            assert!(evidence.quiet_ms >= Some(least.as_millis() as u64), "{evidence:?}");
            assert!(evidence.quiet_ms <= Some(least.as_millis() as u64 + 10), "{evidence:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_items_without_a_name_make_few_notes() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = adopting(&journal);
    for number in 0..300 {
        let content = Payload::new(format!("content {number}"));
        engine.intake().accept_undecrypted(content, "no key opens it".into()).await.unwrap();
    }
    engine.accept(page(2, false)).await.unwrap();
    assert_eq!(journal.pull(&id()).await.unwrap().unwrap().notes.len(), 256 + 1 + 1);
    let outcome = engine.adopted().await.unwrap().outcome().await.unwrap();
    assert!(!outcome.status.is_complete(), "{}", outcome.status);
}
