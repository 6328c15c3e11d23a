//! Small pages with short names.

use futures_util::TryStreamExt as _;
use qopen_journal::{Journal, PageRecord, Payload, PullId};

pub(crate) fn pull(mark: &str) -> PullId {
    PullId { robot_id: "robot".parse().unwrap(), mark_id: mark.parse().unwrap() }
}

pub(crate) fn payload(text: &str) -> Payload {
    Payload::new(text)
}

pub(crate) fn page(mark: &str, text: &str) -> PageRecord {
    PageRecord::new(pull(mark), payload(text))
}

/// What is kept of a pull, in the order in which it was kept.
pub(crate) async fn payloads(journal: &dyn Journal, mark: &str) -> Vec<String> {
    let pages = journal.pages(&pull(mark)).await.unwrap();
    let pages: Vec<PageRecord> = pages.try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.pull == pull(mark)));
    pages.iter().map(|page| page.payload.text().as_str().to_owned()).collect()
}
