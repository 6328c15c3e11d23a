//! A journal that was restored from a backup.

use std::path::Path;

use qopen_journal::{
    Backend as _, DiskBackend, EndState, Journal as _, Layer, MemoryJournal, Note, Opened, Store,
    doubt_unfinished_pulls,
};

use crate::support::{page, payload, pull};

fn ended(status: EndState) -> Note {
    let (why, evidence, reason) = (String::new(), None, None);
    Note::Ended { status, why, accounts: 1, pages: 1, evidence, reason }
}

/// Pulls that are open, incomplete, failed and complete.
async fn fill(journal: &dyn Store) {
    for mark in ["open", "incomplete", "failed", "complete"] {
        journal.append(page(mark, "a page")).await.unwrap();
    }
    journal.note(&pull("incomplete"), ended(EndState::Incomplete)).await.unwrap();
    journal.note(&pull("failed"), ended(EndState::Failed)).await.unwrap();
    journal.note(&pull("complete"), ended(EndState::Complete)).await.unwrap();
}

/// The marks of the pulls with doubts, which name the items that are in quarantine.
async fn doubted(journal: &dyn Store) -> Vec<String> {
    let items = journal.quarantined(None).await.unwrap();
    let items: Vec<_> = items.iter().map(|it| it.digest()).collect();
    let mut marks = Vec::new();
    for state in journal.pulls().await.unwrap() {
        let doubts = state.doubts();
        assert!(doubts.iter().all(|it| items.contains(it)), "{}", state.pull);
        marks.extend((!doubts.is_empty()).then(|| state.pull.mark_id.to_string()));
    }
    marks
}

#[tokio::test]
async fn e2_a_restoration_counts_against_every_pull_that_is_not_complete() {
    let journal = MemoryJournal::default();
    assert_eq!(doubt_unfinished_pulls(&journal).await.unwrap(), 0);
    let items = journal.quarantined(None).await.unwrap();
    assert_eq!((items.len(), items[0].layer), (1, Layer::Lost));
    fill(&journal).await;
    assert_eq!(doubt_unfinished_pulls(&journal).await.unwrap(), 3);
    assert_eq!(doubted(&journal).await, ["failed", "incomplete", "open"]);
    let items = journal.quarantined(None).await.unwrap();
    assert_eq!(items.len(), 1);
    assert!(items[0].reason.contains("restored from a backup"));
}

#[tokio::test]
async fn e2_the_release_of_an_earlier_restoration_does_not_count_for_the_next() {
    let journal = MemoryJournal::default();
    journal.append(page("open", "a page")).await.unwrap();
    for restoration in 1..=3 {
        assert_eq!(doubt_unfinished_pulls(&journal).await.unwrap(), 1);
        let items = journal.quarantined(None).await.unwrap();
        let [item] = &items[..] else { panic!("{items:?}") };
        let digest = item.digest();
        let state = journal.pull(&pull("open")).await.unwrap().unwrap();
        assert_eq!((state.doubts().len(), state.released().len()), (1, restoration - 1));
        assert!(state.doubts().contains(&digest) && !state.released().contains(&digest));
        journal.release(item).await.unwrap();
        let released = Note::Released { item: digest, read: false };
        journal.note(&pull("open"), released).await.unwrap();
    }
}

#[tokio::test]
async fn e2_an_interruption_between_the_item_and_its_notes_leaves_one_item() {
    let journal = MemoryJournal::default();
    journal.append(page("open", "a page")).await.unwrap();
    assert_eq!(doubt_unfinished_pulls(&journal).await.unwrap(), 1);
    // The item is there, and no pull has a note of it.
    journal.forget(&pull("open")).await.unwrap();
    fill(&journal).await;
    assert!(doubted(&journal).await.is_empty());
    assert_eq!(doubt_unfinished_pulls(&journal).await.unwrap(), 3);
    assert_eq!(doubted(&journal).await, ["failed", "incomplete", "open"]);
    assert_eq!(journal.quarantined(None).await.unwrap().len(), 1);
}

/// The lines of a lock file.
fn lock(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("lock")).unwrap();
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_lock_file_names_one_process_whatever_it_named_before() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(open(folder).await);
    let written = lock(folder);
    assert_eq!(written[0], format!("process {}", std::process::id()));
    for number in ["1", "123456789012"] {
        let earlier = [&[format!("process {number}")], &written[1..]].concat();
        std::fs::write(folder.join("lock"), earlier.join("\n") + "\n").unwrap();
        drop(open(folder).await);
        assert_eq!(lock(folder), written);
    }
}

/// Copies every file, as `cp -a` and `tar` do.
fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

async fn open(folder: &Path) -> Opened {
    DiskBackend::new(folder).open().await.unwrap()
}

#[tokio::test]
async fn e2_a_folder_that_was_copied_is_found_and_counted_once() {
    let folders = [(); 5].map(|()| tempfile::tempdir().unwrap());
    let [original, running, closed, unlocked, empty] = folders.each_ref().map(|it| it.path());
    let has_births = std::fs::metadata(original).unwrap().created().is_ok();
    let opened = open(original).await;
    fill(&*opened.journal).await;
    assert_eq!(opened.report.doubted, None);
    // While a process has the journal open, and after that.
    copy(original, running);
    drop(opened);
    copy(original, closed);
    copy(original, unlocked);
    copy(original, empty);
    std::fs::remove_file(unlocked.join("lock")).unwrap();
    std::fs::write(empty.join("lock"), "").unwrap();
    // A backup may leave lock files out, a person remove one, and a full disk keep the first process from writing one.
    counted_once(unlocked).await;
    counted_once(empty).await;
    if !has_births {
        eprintln!("SKIP: files have no time of birth here; copies of a journal are not found");
        return;
    }
    counted_once(running).await;
    counted_once(closed).await;
    let opened = open(original).await;
    assert_eq!(opened.report.doubted, None);
    assert!(doubted(&*opened.journal).await.is_empty());
}

async fn counted_once(folder: &Path) {
    assert!(DiskBackend::new(folder).examine().await.unwrap().is_restored);
    // Twice: an interruption before the end of the first opening must not hide the restoration.
    drop(qopen_journal::DiskJournal::open(folder).unwrap());
    let opened = open(folder).await;
    assert_eq!(opened.report.doubted, Some(3));
    assert_eq!(doubted(&*opened.journal).await, ["failed", "incomplete", "open"]);
    opened.journal.put(payload("an event")).await.unwrap();
    drop(opened);
    let opened = open(folder).await;
    assert_eq!(opened.report.doubted, None);
    assert_eq!(opened.journal.quarantined(None).await.unwrap().len(), 1);
}
