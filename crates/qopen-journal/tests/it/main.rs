//! What every journal must do, run on each there is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use futures_util::TryStreamExt as _;
use qopen_journal::{
    Appended, Durability, Journal, JournalError, MemoryJournal, Note, PageRecord, Payload, PullId,
    Quarantined,
};

fn pull(mark: &str) -> PullId {
    PullId { robot_id: "robot".parse().unwrap(), mark_id: mark.parse().unwrap() }
}

fn page(mark: &str, payload: &str) -> PageRecord {
    PageRecord::new(pull(mark), Payload::new(payload.into()))
}

async fn payloads(journal: &dyn Journal, mark: &str) -> Vec<String> {
    let pages = journal.pages(&pull(mark)).await.unwrap();
    let pages: Vec<PageRecord> = pages.try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.pull == pull(mark)));
    let mut payloads: Vec<_> = pages.iter().map(|page| page.payload.as_str().to_owned()).collect();
    payloads.sort();
    payloads
}

/// Generic over the journal, so that each implementation answers to the same.
async fn conforms(journal: &dyn Journal) {
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "2")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::Duplicate);
    // The same payload in another pull is another page.
    assert_eq!(journal.append(page("b", "1")).await.unwrap(), Appended::New);
    assert_eq!(payloads(journal, "a").await, ["1", "2"]);
    assert_eq!(payloads(journal, "nobody's").await, [""; 0]);

    let notes =
        [Note::Started { need_tag_info: true }, Note::Published { revision: 1, accounts: 3 }];
    for note in notes.clone() {
        journal.note(&pull("a"), note).await.unwrap();
    }
    assert_eq!(journal.notes(&pull("a")).await.unwrap(), notes);
    assert!(journal.notes(&pull("b")).await.unwrap().is_empty());

    let items = [
        Quarantined::new(Some(pull("a")), "why", Payload::new("x".into())),
        Quarantined::new(None, "why", Payload::new("y".into())),
    ];
    for item in items.iter().chain(&items) {
        journal.quarantine(item.clone()).await.unwrap();
    }
    assert_eq!(journal.quarantined().await.unwrap(), items);

    // A stream shows what was there when it was asked for.
    let early = journal.pages(&pull("a")).await.unwrap();
    journal.forget(&pull("a")).await.unwrap();
    assert_eq!(early.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert_eq!(payloads(journal, "a").await, [""; 0]);
    assert!(journal.notes(&pull("a")).await.unwrap().is_empty());
    assert_eq!(journal.quarantined().await.unwrap(), items[1..]);
    assert_eq!(payloads(journal, "b").await, ["1"]);
    journal.forget(&pull("a")).await.unwrap();
}

#[tokio::test]
async fn the_journal_in_memory_conforms() {
    let journal = MemoryJournal::default();
    conforms(&journal).await;
    assert_eq!(journal.durability(), Durability::Memory);
}

#[tokio::test]
async fn i11_the_journal_in_memory_is_bounded_and_has_room_again() {
    let journal = MemoryJournal::with_limit(10);
    journal.append(page("a", "12345")).await.unwrap();
    journal.append(page("b", "67890")).await.unwrap();
    let full = journal.append(page("b", "x")).await.unwrap_err();
    assert!(matches!(full, JournalError::Full { held: 10, limit: 10 }) && full.is_retryable());
    let item = Quarantined::new(None, "why", Payload::new("x".into()));
    assert!(journal.quarantine(item.clone()).await.is_err());
    // A copy needs no room.
    assert_eq!(journal.append(page("a", "12345")).await.unwrap(), Appended::Duplicate);
    journal.forget(&pull("a")).await.unwrap();
    journal.quarantine(item).await.unwrap();
    journal.append(page("b", "1234")).await.unwrap();
    assert!(journal.append(page("b", "y")).await.is_err());
}

#[tokio::test]
async fn i11_what_belongs_to_no_pull_is_bounded_and_the_oldest_goes() {
    let journal = MemoryJournal::default();
    for n in 0..40 {
        let payload = Payload::new(format!("{n:02}").repeat(1 << 19));
        journal.quarantine(Quarantined::new(None, "why", payload)).await.unwrap();
    }
    let left = journal.quarantined().await.unwrap();
    assert_eq!(left.len(), 16);
    assert!(left[0].payload.as_str().starts_with("24"));
}

#[test]
fn i10_debug_shows_no_payload() {
    let record = page("a", "canary");
    let item = Quarantined::new(None, "why", Payload::new("canary".into()));
    assert!(!format!("{record:?} {item:?}").contains("canary"));
}
