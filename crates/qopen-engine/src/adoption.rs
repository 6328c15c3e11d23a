//! What counts for and against a pull that another system requested, when this process takes it.

use std::time::Duration;

use qopen_assembler::{PageDigest, Timing};
use qopen_journal::{Journal, JournalError, Layer, Note, PageRecord, PullId};
use tokio::time::Instant;

use crate::classify::{Classified, classify};
use crate::fact::Fact;

/// For how long a restoration of the journal counts against external pulls: a request that was sent before this
/// process began has passed its deadline then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adoption {
    began: Instant,
    deadline: Duration,
}

impl Adoption {
    /// Begins now.
    pub(crate) fn new(timing: Timing) -> Self {
        Self { began: Instant::now(), deadline: timing.deadline }
    }

    /// Looks for the pull in quarantine, before anything is kept of it: notes what stands for lost pages, and
    /// keeps pages that came while no process took the pull. Returns what the driver must be told.
    ///
    /// Items stay in quarantine: they may count against other pulls, too.
    pub(crate) async fn take_in(
        self,
        journal: &dyn Journal,
        pull: &PullId,
    ) -> Result<Vec<Fact>, JournalError> {
        let (items, mut facts) = (journal.quarantined(None).await?, Vec::new());
        let is_recent = self.began.elapsed() < self.deadline;
        for item in items.iter().filter(|it| it.layer == Layer::Lost && is_recent) {
            let item = item.digest();
            journal.note(pull, Note::Doubted { item, lost: true }).await?;
            facts.push(Fact::Owed(pull.clone(), PageDigest::from(item)));
        }
        for item in items.into_iter().filter(|it| it.layer == Layer::Pull) {
            match classify(item.payload.as_bytes()) {
                Classified::Page(page) if page.pull == *pull => {
                    let record = PageRecord::new(pull.clone(), item.payload);
                    let digest = PageDigest::from(record.digest);
                    journal.append(record).await?;
                    facts.push(Fact::Page(pull.clone(), digest, page));
                }
                _ => {}
            }
        }
        Ok(facts)
    }
}
