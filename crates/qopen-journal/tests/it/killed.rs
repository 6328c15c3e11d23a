//! The end of the journal after a kill: the last records are written again.

use qopen_journal::{DiskJournal, DiskOptions, Faults, Journal, JournalError};
use qopen_journal::{Maintenance as _, Outbox as _};

use crate::recovery::{as_killed, runtime, segments, text};
use crate::support::{page, payload, payloads, pull};

#[test]
fn what_was_written_last_before_a_kill_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let journal = DiskJournal::open(folder.path()).unwrap();
        for n in 0..3 {
            journal.append(page("a", &text(n))).await.unwrap();
        }
        let killed = as_killed(folder.path());
        let first = std::fs::read(&segments(killed.path())[0]).unwrap();
        let next = DiskJournal::open(killed.path()).unwrap();
        // In its place, and the room behind it is given back.
        let after = std::fs::read(&segments(killed.path())[0]).unwrap();
        assert_eq!(segments(killed.path()).len(), 1);
        assert!(after.len() < first.len() && first.starts_with(&after));
        assert!(after.windows(text(2).len()).any(|it| it == text(2).as_bytes()));
        assert_eq!(payloads(&next, "a").await, [text(0), text(1), text(2)]);
        // And so on, however often.
        let again = as_killed(killed.path());
        let again = DiskJournal::open(again.path()).unwrap();
        assert_eq!(payloads(&again, "a").await, [text(0), text(1), text(2)]);
        assert!(again.report().damage.is_empty());
    });
}

/// What was killed on a full disk can be opened, read, and made smaller.
#[test]
fn a_full_disk_does_not_lock_its_owner_out() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    runtime().block_on(async {
        for n in 0..3 {
            journal.append(page("a", &text(n))).await.unwrap();
        }
        journal.append(page("b", "kept")).await.unwrap();
        journal.put(payload("an event")).await.unwrap();
        let killed = as_killed(folder.path());
        let faults = Faults::default();
        faults.fail_creates(Some(std::io::ErrorKind::StorageFull));
        let next = DiskOptions::default().faults(faults.clone()).open(killed.path()).unwrap();
        assert_eq!(payloads(&next, "a").await, [text(0), text(1), text(2)]);
        assert_eq!(next.pulls().await.unwrap().len(), 2);
        assert_eq!(next.waiting(0, 9).await.unwrap().len(), 1);
        assert!(matches!(next.append(page("a", "x")).await, Err(JournalError::Unavailable(_))));
        // A deletion has a reserve; a page does not use it.
        faults.fail_creates(None);
        faults.fill(true);
        assert!(matches!(next.append(page("a", "x")).await, Err(JournalError::Unavailable(_))));
        assert!(killed.path().join("reserve").exists());
        next.forget(&pull("a")).await.unwrap();
        faults.fill(false);
        assert!(next.compact(0).await.unwrap() > 0);
        assert!(killed.path().join("reserve").exists());
        assert_eq!(payloads(&next, "b").await, ["kept"]);
    });
}

/// Where its place cannot be written, it is moved.
#[test]
fn what_was_written_last_is_moved_where_its_place_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    runtime().block_on(async {
        for n in 0..3 {
            journal.append(page("a", &text(n))).await.unwrap();
        }
        let killed = as_killed(folder.path());
        let faults = Faults::default();
        faults.fail_again(Some(std::io::ErrorKind::Other));
        let next = DiskOptions::default().faults(faults).open(killed.path()).unwrap();
        assert_eq!(segments(killed.path()).len(), 2);
        assert_eq!(payloads(&next, "a").await, [text(0), text(1), text(2)]);
        drop(next);
        let again = DiskJournal::open(killed.path()).unwrap();
        assert_eq!(payloads(&again, "a").await, [text(0), text(1), text(2)]);
        assert!(again.report().damage.is_empty(), "{:?}", again.report());
    });
}

/// Opening a journal after a kill writes its last records once more; it may be killed at that, too.
#[test]
fn what_was_written_last_outlives_a_second_kill_while_it_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    runtime().block_on(async {
        for n in 0..5 {
            journal.append(page("a", &text(n))).await.unwrap();
        }
    });
    let mut killed = as_killed(folder.path());
    for fails_at_sync in [false, true] {
        let faults = Faults::default();
        match fails_at_sync {
            true => faults.fail_syncs(Some(std::io::ErrorKind::StorageFull)),
            false => faults.fail_writes(Some(std::io::ErrorKind::StorageFull)),
        }
        let opened = DiskOptions::default().faults(faults).open(killed.path());
        assert!(matches!(opened, Err(JournalError::Unavailable(_))));
        killed = as_killed(killed.path());
    }
    let journal = DiskJournal::open(killed.path()).unwrap();
    assert_eq!(runtime().block_on(payloads(&journal, "a")).len(), 5);
    let lost = journal.report().damage.iter().filter(|it| !it.unfinished).count();
    assert_eq!(lost, 0, "{:?}", journal.report());
    // And what comes after that is found, too.
    runtime().block_on(journal.append(page("a", "after"))).unwrap();
    let killed = as_killed(killed.path());
    let journal = DiskJournal::open(killed.path()).unwrap();
    assert_eq!(runtime().block_on(payloads(&journal, "a")).len(), 6);
}
