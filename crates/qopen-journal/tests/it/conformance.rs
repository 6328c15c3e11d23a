//! The journals of this crate do what every journal must do.

use std::sync::{Arc, Mutex};

use qopen_journal::conformance::{CASES, Subject, check};
use qopen_journal::{
    DiskJournal, Durability, Journal, Maintenance as _, MemoryJournal, PendingEvent, PullState,
    Quarantined, Store,
};

use crate::support::payloads;

#[tokio::test]
async fn the_journal_in_memory_conforms() {
    check(async |_| Subject::new(Arc::new(MemoryJournal::default()))).await;
    assert_eq!(MemoryJournal::default().durability(), Durability::Memory);
}

/// All that a journal has.
#[derive(Debug, PartialEq)]
struct View {
    pulls: Vec<PullState>,
    pages: Vec<Vec<String>>,
    items: Vec<Quarantined>,
    events: Vec<PendingEvent>,
}

async fn view(journal: &dyn Store) -> View {
    let pulls = journal.pulls().await.unwrap();
    let mut pages = Vec::new();
    for state in &pulls {
        pages.push(payloads(journal, state.pull.mark_id.as_str()).await);
    }
    let items = journal.quarantined(None).await.unwrap();
    View { pulls, pages, items, events: journal.waiting(0, usize::MAX).await.unwrap() }
}

#[tokio::test]
async fn the_journal_on_disk_conforms_and_says_the_same_when_it_is_opened_again() {
    let used = Mutex::new(Vec::new());
    check(async |_| {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
        assert_eq!(journal.durability(), Durability::LocalFsync);
        used.lock().unwrap().push((folder, Arc::clone(&journal)));
        Subject::new(journal)
    })
    .await;
    let used = used.into_inner().unwrap();
    assert_eq!(used.len(), CASES.len());
    let mut pages = 0;
    for (folder, journal) in used {
        let before = view(&*journal).await;
        pages += before.pages.iter().flatten().count();
        drop(journal);
        let journal = DiskJournal::open(folder.path()).unwrap();
        assert_eq!(view(&journal).await, before);
        journal.compact(0).await.unwrap();
        drop(journal);
        let journal = DiskJournal::open(folder.path()).unwrap();
        assert_eq!(view(&journal).await, before);
        assert!(journal.report().damage.is_empty());
    }
    assert!(pages > 0);
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
