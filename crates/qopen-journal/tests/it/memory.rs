//! What only the journal in memory does.

use qopen_journal::{Appended, Journal, JournalError, Layer, MemoryJournal, Payload, Quarantined};

use crate::support::{page, pull};

#[tokio::test]
async fn i11_the_journal_in_memory_is_bounded_and_has_room_again() {
    let journal = MemoryJournal::with_limit(10);
    journal.append(page("a", "12345")).await.unwrap();
    journal.append(page("b", "67890")).await.unwrap();
    let full = journal.append(page("b", "x")).await.unwrap_err();
    assert!(matches!(full, JournalError::Full { held: 10, limit: 10 }) && full.is_retryable());
    let item = Quarantined::new(None, Layer::Json, "why", Payload::new("x"));
    assert!(journal.quarantine(item.clone()).await.is_err());
    // A copy needs no room.
    assert_eq!(journal.append(page("a", "12345")).await.unwrap(), Appended::Duplicate);
    journal.forget(&pull("a")).await.unwrap();
    journal.quarantine(item).await.unwrap();
    journal.append(page("b", "1234")).await.unwrap();
    assert!(journal.append(page("b", "y")).await.is_err());
}

#[tokio::test]
async fn i11_i13_what_belongs_to_no_pull_is_bounded_and_none_is_lost_for_another() {
    let journal = MemoryJournal::default();
    let item = |n: u8| {
        let payload = Payload::new(format!("{n:02}").repeat(1 << 19));
        Quarantined::new(None, Layer::Json, "why", payload)
    };
    for n in 0..16 {
        journal.quarantine(item(n)).await.unwrap();
    }
    let full = journal.quarantine(item(16)).await.unwrap_err();
    assert!(matches!(full, JournalError::Full { .. }) && full.is_retryable());
    assert_eq!(journal.quarantined(None).await.unwrap().len(), 16);
    journal.release(&item(3)).await.unwrap();
    journal.quarantine(item(16)).await.unwrap();
}

#[test]
fn i10_debug_shows_no_payload() {
    let record = page("a", "canary");
    let item = Quarantined::new(None, Layer::Json, "why", Payload::new("canary"));
    assert!(!format!("{record:?} {item:?}").contains("canary"));
}
