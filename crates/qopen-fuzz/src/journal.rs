//! Any bytes as the journal's newest file: what can be read of it reads the same again, and what is
//! appended to it stays.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use futures_util::TryStreamExt as _;
use qopen_journal::{
    DiskJournal, DiskOptions, Journal as _, Maintenance as _, PageRecord, Payload, PullId,
};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

pub(crate) fn pull() -> PullId {
    PullId {
        robot_id: "robot".parse().expect("it is an identifier"),
        mark_id: "mark".parse().expect("it is an identifier"),
    }
}

/// A folder in memory if the system has one: the target is the reading, not the disk.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a folder")
}

pub(crate) fn open(folder: &Path) -> Option<DiskJournal> {
    DiskOptions::default().segment_size(64 << 10).open(folder).ok()
}

pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("00000001.log")
}

/// Opens the journal, reads it, appends to it, and opens it again.
pub fn run(bytes: &[u8]) {
    let folder = folder();
    std::fs::write(file(folder.path()), bytes).expect("the file is written");
    let Some(journal) = open(folder.path()) else { return };
    let report = RUNTIME.block_on(journal.check()).expect("it was just read");
    assert!(report.records <= bytes.len() as u64);
    let before = RUNTIME.block_on(contents(&journal));
    let page = PageRecord::new(pull(), Payload::new("{\"new\":1}"));
    let kept = page.payload.as_bytes().to_vec();
    RUNTIME.block_on(journal.append(page)).expect("it is appended");
    drop(journal);
    let again = open(folder.path()).expect("it was opened before");
    let after = RUNTIME.block_on(contents(&again));
    assert!(after.contains(&(pull(), kept)), "what was kept is there");
    assert!(before.iter().all(|it| after.contains(it)), "and what was there before");
}

/// Every readable page, with its pull.
async fn contents(journal: &DiskJournal) -> Vec<(PullId, Vec<u8>)> {
    let mut all = Vec::new();
    for state in journal.pulls().await.expect("pulls are in memory") {
        let pages = journal.pages(&state.pull).await.expect("pages begin to flow");
        // The stream reports a damaged page.
        let pages: Vec<PageRecord> = pages.try_collect().await.unwrap_or_default();
        all.extend(pages.iter().map(|page| (page.pull.clone(), page.payload.as_bytes().to_vec())));
    }
    let _ = journal.quarantined(None).await;
    all
}
