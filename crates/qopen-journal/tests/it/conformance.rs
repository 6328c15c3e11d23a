//! The journals of this crate do what every journal must do.

use std::sync::Arc;

use qopen_journal::conformance::{CASES, Subject, check, check_durable};
use qopen_journal::{DiskJournal, Durability, Journal as _, MemoryJournal};

#[tokio::test]
async fn the_journal_in_memory_conforms() {
    check(async |_| Subject::new(Arc::new(MemoryJournal::default()))).await;
    assert_eq!(MemoryJournal::default().durability(), Durability::Memory);
}

#[tokio::test]
async fn the_journal_on_disk_conforms_and_says_the_same_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Vec::new();
    check_durable(async |case| {
        opened.push(case.name());
        let journal = DiskJournal::open(folder.path().join(case.name()))?;
        assert_eq!(journal.durability(), Durability::LocalFsync);
        assert!(journal.report().damage.is_empty());
        Ok(journal)
    })
    .await;
    let three_times = CASES.iter().flat_map(|case| [case.name(); 3]);
    assert_eq!(opened, three_times.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_journal_that_forgets_is_not_durable() {
    let forgets = async |_: &_| Ok(MemoryJournal::default());
    let failure = tokio::spawn(check_durable(forgets)).await.unwrap_err().into_panic();
    let failure = failure.downcast_ref::<String>().unwrap();
    assert!(failure.contains("\nappends_are_idempotent: "), "{failure}");
    assert!(failure.contains("after the journal was opened again"), "{failure}");
    // Nothing is left after it.
    assert!(!failure.contains("\na_forgotten_pull_has_no_claim: "), "{failure}");
}

#[tokio::test]
async fn a_failure_names_the_case() {
    // One byte is not enough for two pages.
    let small = async |_: &_| Subject::new(Arc::new(MemoryJournal::with_limit(1)) as _);
    let failure = tokio::spawn(check(small)).await.unwrap_err().into_panic();
    let failure = failure.downcast_ref::<String>().unwrap();
    assert!(failure.contains("\nappends_are_idempotent: "), "{failure}");
    assert!(!failure.contains("\na_resumed_pull_is_open: "), "{failure}");
}
