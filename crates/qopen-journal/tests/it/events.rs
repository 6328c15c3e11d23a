//! Other events in the journal on disk: once they are forwarded, they are gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::{DiskJournal, Expired, Journal, Maintenance as _, Outbox};

use crate::disk::with_faults;
use crate::support::{page, payload, payloads};

#[tokio::test]
async fn what_was_handed_on_stays_gone_wherever_its_records_are_moved() {
    let folder = tempfile::tempdir().unwrap();
    let open = || DiskJournal::open(folder.path()).unwrap();
    let large = "y".repeat(100) + &(0..9_000).map(|n| format!("{n:x}")).collect::<String>();
    // Each process writes a segment of its own. The first keeps pages, the second hardly anything.
    let journal = open();
    journal.put(payload("x")).await.unwrap();
    for n in 0..50 {
        journal.append(page("a", &format!("{n}{large}"))).await.unwrap();
    }
    drop(journal);
    let journal = open();
    journal.put(payload(&large)).await.unwrap();
    for event in journal.waiting(0, 9).await.unwrap() {
        journal.ack(&event).await.unwrap();
    }
    drop(journal);
    // It comes again, and is moved behind what had taken it.
    let journal = open();
    journal.put(payload("x")).await.unwrap();
    for n in 50..99 {
        journal.append(page("a", &format!("{n}{large}"))).await.unwrap();
    }
    assert!(journal.compact(50).await.unwrap() > 0);
    drop(journal);
    let journal = open();
    let waiting = journal.waiting(0, 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    journal.ack(&waiting[0]).await.unwrap();
    drop(journal);
    for share in [0, 100] {
        let journal = open();
        assert_eq!(journal.backlog().await.unwrap().events, 0);
        journal.compact(share).await.unwrap();
    }
    assert_eq!(payloads(&open(), "a").await.len(), 99);
}

#[tokio::test]
async fn what_was_handed_on_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.append(page("a", "kept")).await.unwrap();
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    for n in 0..300 {
        journal.put(payload(&n.to_string())).await.unwrap();
    }
    while let Some(event) = journal.waiting(0, 1).await.unwrap().pop() {
        journal.ack(&event).await.unwrap();
    }
    assert!(journal.compact(0).await.unwrap() > 0);
    assert_eq!(journal.check().await.unwrap().records, 1);
    assert_eq!(journal.backlog().await.unwrap().bytes, 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_any_more_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    for text in ["first", "second", "third"] {
        journal.put(payload(text)).await.unwrap();
    }
    let file = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
    let file = file.into_iter().find(|it| it.extension().is_some_and(|it| it == "log")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|it| it == b"second").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let waiting = journal.waiting(0, 9).await.unwrap();
    assert_eq!(
        waiting.iter().map(|it| it.event.text().as_str().to_owned()).collect::<Vec<_>>(),
        ["first", "third"]
    );
    // Not more at a time than fits into memory, and always something.
    let large = "x".repeat(1 << 20);
    for n in 0..3 {
        journal.put(payload(&format!("{n}{large}"))).await.unwrap();
    }
    assert_eq!(journal.waiting(0, 99).await.unwrap().len(), 3);
    assert_eq!(journal.waiting(waiting[1].number, 99).await.unwrap().len(), 1);
}

/// An event that is acknowledged while it expires is deleted once.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_taken_while_it_expires_is_let_go_of_once() {
    let (_folder, journal, faults) = with_faults();
    journal.put(payload("event")).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    let event = journal.waiting(0, 1).await.unwrap().pop().unwrap();
    faults.hold_syncs(true);
    let before = faults.syncs();
    // It is on its way to be taken when it is found to be old.
    let taking = {
        let (journal, event) = (Arc::clone(&journal), event.clone());
        tokio::spawn(async move { journal.ack(&event).await.unwrap() })
    };
    while faults.syncs() == before {
        tokio::task::yield_now().await;
    }
    let expiring = {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move { journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap() })
    };
    while journal.stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    faults.hold_syncs(false);
    taking.await.unwrap();
    // It had been acknowledged: nothing old was left to expire.
    assert_eq!(expiring.await.unwrap(), Expired::default());
}
