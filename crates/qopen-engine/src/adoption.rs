//! What counts for and against a pull that another system requested, when this process takes it.

use qopen_assembler::{PullOptions, Timing};
use qopen_journal::{Journal, JournalError, Layer, Note, PageRecord, PullId, Quarantined};
use tokio::time::Instant;

use crate::classify::{Classified, classify};

/// For how long a restoration of the journal counts against external pulls: a request that was sent before this
/// process began has passed its deadline then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adoption {
    began: Instant,
    timing: Timing,
}

/// What an item in quarantine is to a pull.
enum Found {
    /// It stands for lost pages.
    Lost,
    /// A page of it, which came while no process took the pull.
    Page,
}

impl Adoption {
    /// Begins now.
    pub(crate) fn new(timing: Timing) -> Self {
        Self { began: Instant::now(), timing }
    }

    /// The assembler's options for an adopted pull.
    pub(crate) fn options(&self) -> PullOptions {
        PullOptions::default().timing(self.timing)
    }

    /// Looks for the pull in quarantine, before anything is kept of it: notes what counts against it, and keeps its
    /// pages. Returns whether there was anything.
    ///
    /// Items stay in quarantine: they may count against other pulls, too. The same call may be repeated.
    pub(crate) async fn take_in(
        &self,
        journal: &dyn Journal,
        pull: &PullId,
    ) -> Result<bool, JournalError> {
        let items = journal.quarantined(None).await?;
        if items.is_empty() {
            return Ok(false);
        }
        let is_recent = self.began.elapsed() < self.timing.deadline;
        let named = pull.clone();
        let look = move || -> Vec<(Found, Quarantined)> {
            let found = items.into_iter().filter_map(|it| Some((found(&it, &named)?, it)));
            found.filter(|(found, _)| is_recent || !matches!(found, Found::Lost)).collect()
        };
        // There may be many, and each is read.
        let found = tokio::task::spawn_blocking(look).await;
        // It ends early only when the runtime does.
        let found = found.map_err(|error| JournalError::Unavailable(error.into()))?;
        let any = !found.is_empty();
        for (found, item) in found {
            match found {
                Found::Page => {
                    journal.append(PageRecord::new(pull.clone(), item.payload)).await.map(drop)
                }
                Found::Lost => {
                    journal.note(pull, Note::Doubted { item: item.digest(), lost: true }).await
                }
            }?;
        }
        Ok(any)
    }
}

fn found(item: &Quarantined, pull: &PullId) -> Option<Found> {
    if item.layer == Layer::Lost {
        return Some(Found::Lost);
    }
    match classify(item.payload.as_bytes()) {
        Classified::Page(page) => (page.pull == *pull).then_some(Found::Page),
        _ => None,
    }
}
