//! A file of the journal that is damaged while the journal is open.

use std::fs::{self, OpenOptions};
use std::path::Path;

use futures_util::TryStreamExt as _;
use qopen_journal::{
    Appended, DiskJournal, Journal, JournalError, Layer, Maintenance as _, Outbox as _, PageRecord,
    Quarantined,
};

use crate::recovery::{runtime, segments, text};
use crate::support::{page, payload, payloads, pull};

async fn read(journal: &dyn Journal, mark: &str) -> Result<Vec<PageRecord>, JournalError> {
    journal.pages(&pull(mark)).await.unwrap().try_collect().await
}

type Harm = (&'static str, fn(&Path));

/// What people and programs do to files.
const HARMS: [Harm; 5] = [
    ("truncated", |file| {
        OpenOptions::new().write(true).open(file).unwrap().set_len(100).unwrap();
    }),
    ("emptied", |file| fs::write(file, b"").unwrap()),
    ("deleted", |file| fs::remove_file(file).unwrap()),
    ("replaced", |file| {
        fs::remove_file(file).unwrap();
        fs::write(file, vec![b'x'; 1 << 16]).unwrap();
    }),
    ("a folder", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
];

#[test]
fn damage_is_counted_when_it_is_read_and_lost_pages_are_kept_again() {
    for (harm, damage) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            for n in 0..10 {
                journal.append(page("a", &text(n))).await.unwrap();
            }
            let item = Quarantined::new(Some(pull("a")), Layer::Shape, "odd", payload("odd"));
            journal.quarantine(item).await.unwrap();
            damage(&segments(folder.path())[0]);
            let error = read(&journal, "a").await.unwrap_err();
            assert!(matches!(error, JournalError::Damaged(_)), "{harm}: {error:?}");
            let state = journal.pull(&pull("a")).await.unwrap().unwrap();
            assert_eq!(
                (state.pages, state.quarantined, state.damaged.len(), state.bytes),
                (0, 0, 11, 0),
                "{harm}"
            );
            assert_eq!(journal.summary().await.unwrap().lost, 11, "{harm}");
            assert!(read(&journal, "a").await.unwrap().is_empty(), "{harm}");
            assert!(journal.quarantined(Some(&pull("a"))).await.unwrap().is_empty(), "{harm}");
            if harm == "a folder" {
                return;
            }
            // The platform sends them again.
            for n in 0..10 {
                // A deleted file refuses one append.
                let mut kept = journal.append(page("a", &text(n))).await;
                if kept.is_err() {
                    kept = journal.append(page("a", &text(n))).await;
                }
                assert_eq!(kept.unwrap(), Appended::New, "{harm}");
            }
            let state = journal.pull(&pull("a")).await.unwrap().unwrap();
            assert_eq!((state.pages, state.damaged.len()), (10, 1), "{harm}");
            assert_eq!(payloads(&journal, "a").await.len(), 10, "{harm}");
        });
        if harm != "a folder" {
            runtime().block_on(async {
                let journal = DiskJournal::open(folder.path()).unwrap();
                let state = journal.pull(&pull("a")).await.unwrap().unwrap();
                assert_eq!((state.pages, state.damaged.len()), (10, 1), "{harm}");
            });
        }
    }
}

#[test]
fn a_lost_item_of_no_pull_fails_one_reading_and_is_kept_again() {
    let item = || Quarantined::new(None, Layer::Content, "odd", payload("odd"));
    for (harm, damage) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            journal.append(page("a", "one")).await.unwrap();
            journal.quarantine(item()).await.unwrap();
            damage(&segments(folder.path())[0]);
            let error = journal.quarantined(None).await.unwrap_err();
            assert!(matches!(error, JournalError::Damaged(_)), "{harm}: {error:?}");
            assert!(journal.quarantined(None).await.unwrap().is_empty(), "{harm}");
            assert_eq!(journal.summary().await.unwrap().lost, 1, "{harm}");
            if harm == "a folder" {
                return;
            }
            // A deleted file refuses one append.
            if journal.quarantine(item()).await.is_err() {
                journal.quarantine(item()).await.unwrap();
            }
            assert_eq!(journal.quarantined(None).await.unwrap(), [item()], "{harm}");
        });
    }
}

#[test]
fn a_check_counts_what_it_finds() {
    for (harm, damage) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            for n in 0..3 {
                journal.append(page("a", &text(n))).await.unwrap();
            }
            assert_eq!(journal.check().await.unwrap().damage, []);
            damage(&segments(folder.path())[0]);
            assert!(!journal.check().await.unwrap().damage.is_empty(), "{harm}");
            assert_eq!(journal.summary().await.unwrap().lost, 3, "{harm}");
        });
    }
}

#[test]
fn a_folder_that_is_away_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (place, away) = (folder.path().join("journal"), folder.path().join("away"));
    runtime().block_on(async {
        let journal = DiskJournal::open(&place).unwrap();
        journal.append(page("a", "one")).await.unwrap();
        fs::rename(&place, &away).unwrap();
        fs::create_dir(&place).unwrap();
        let error = read(&journal, "a").await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        fs::remove_dir(&place).unwrap();
        fs::rename(&away, &place).unwrap();
        assert_eq!(payloads(&journal, "a").await, ["one"]);
        assert_eq!(journal.summary().await.unwrap().lost, 0);
    });
}

#[test]
fn only_the_pages_of_the_damaged_part_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let journal = DiskJournal::open(folder.path()).unwrap();
        for mark in ["a", "b"] {
            for n in 0..5 {
                journal.append(page(mark, &text(n))).await.unwrap();
            }
        }
        let file = segments(folder.path()).remove(0);
        let mut bytes = fs::read(&file).unwrap();
        let at = crate::recovery::place(&bytes, &text(3));
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(read(&journal, "a").await.is_err());
        assert_eq!(read(&journal, "a").await.unwrap().len(), 4);
        assert_eq!(read(&journal, "b").await.unwrap().len(), 5);
        assert_eq!(journal.summary().await.unwrap().lost, 1);
    });
}

#[test]
fn events_in_a_damaged_file_are_skipped_and_no_pages_are_lost() {
    for (harm, damage) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            journal.put(payload("event")).await.unwrap();
            let file = segments(folder.path()).remove(0);
            journal.append(page("a", "one")).await.unwrap();
            damage(&file);
            assert_eq!(journal.waiting(0, 9).await.unwrap(), [], "{harm}");
            assert_eq!(payloads(&journal, "a").await, ["one"], "{harm}");
            assert_eq!(journal.summary().await.unwrap().lost, 0, "{harm}");
        });
    }
}
