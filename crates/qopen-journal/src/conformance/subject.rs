//! What a case works on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;

use crate::{EndState, Journal, Note, PageRecord, Payload, PullId, Started, Store};

/// An empty journal for one case.
#[non_exhaustive]
pub struct Subject {
    /// The journal.
    pub journal: Arc<dyn Store>,
    /// The same journal, as another process has it.
    pub other: Arc<dyn Store>,
}

impl Subject {
    /// A journal that one process has to itself.
    #[must_use]
    pub fn new(journal: Arc<dyn Store>) -> Self {
        Self { other: Arc::clone(&journal), journal }
    }

    /// A journal that processes share, opened twice.
    #[must_use]
    pub fn shared(journal: Arc<dyn Store>, other: Arc<dyn Store>) -> Self {
        Self { journal, other }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// A lease that outlasts any case.
pub(super) const LONG: Duration = Duration::from_secs(600);

pub(super) fn pull(mark: &str) -> PullId {
    PullId { robot_id: "robot".parse().unwrap(), mark_id: mark.parse().unwrap() }
}

pub(super) fn payload(text: &str) -> Payload {
    Payload::new(text)
}

pub(super) fn page(mark: &str, text: &str) -> PageRecord {
    PageRecord::new(pull(mark), payload(text))
}

pub(super) fn started() -> Note {
    let second = Duration::from_secs(1);
    Note::Started(Started::new(second, second, second))
}

pub(super) fn ended() -> Note {
    Note::Ended {
        status: EndState::Complete,
        why: "quiet".into(),
        accounts: 3,
        pages: 2,
        evidence: None,
        reason: None,
    }
}

/// The pages of a pull as texts, in the order in which they were kept.
pub(super) async fn payloads(journal: &dyn Journal, mark: &str) -> Vec<String> {
    let pages = journal.pages(&pull(mark)).await.unwrap();
    let pages: Vec<PageRecord> = pages.try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.pull == pull(mark)));
    pages.iter().map(|page| page.payload.text().as_str().to_owned()).collect()
}
