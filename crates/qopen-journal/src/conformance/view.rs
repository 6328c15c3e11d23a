//! All that a journal has.

use futures_util::TryStreamExt as _;

use crate::{JournalError, PageRecord, PendingEvent, PullState, Quarantined, Store};

#[derive(Debug, PartialEq)]
pub(super) struct View {
    pulls: Vec<PullState>,
    /// The pages of each pull.
    pages: Vec<Vec<PageRecord>>,
    items: Vec<Quarantined>,
    events: Vec<PendingEvent>,
}

impl View {
    pub(super) async fn of(journal: &dyn Store) -> Result<Self, JournalError> {
        let pulls = journal.pulls().await?;
        let mut pages = Vec::new();
        for state in &pulls {
            pages.push(journal.pages(&state.pull).await?.try_collect().await?);
        }
        let items = journal.quarantined(None).await?;
        Ok(Self { pulls, pages, items, events: journal.waiting(0, usize::MAX).await? })
    }
}
