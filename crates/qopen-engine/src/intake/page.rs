//! Pages: of open pulls, of pulls that the journal knows, and of external ones.

use std::sync::atomic::Ordering;

use qopen_assembler::PageDigest;
use qopen_journal::{Appended, Layer, PageRecord, Payload, PullId};
use tokio::time::Instant;

use super::state::Intake;
use super::unreadable::of_these;
use crate::accepted::{Accepted, NotKept};
use crate::classify::ClassifiedPage;
use crate::fact::Fact;
use crate::whose::{Names, counts_against};

/// Bytes of external pulls' pages that one process keeps: 64 MiB.
const MAX_EXTERNAL_BYTES: u64 = 64 << 20;

impl Intake {
    pub(super) async fn page(
        &self,
        arrived: Instant,
        page: ClassifiedPage,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let pull = page.pull.clone();
        if page.declared {
            self.adopt(&pull).await?;
        }
        let mut is_ours = self.is_ours(&pull);
        // A payload that does not declare itself a page cannot belong to an unknown pull.
        let is_taken = page.declared && self.external.keep;
        if !is_ours && !self.is_in_journal(&pull).await? && !is_taken {
            let kept = self.external_page(arrived, pull.clone(), payload.clone()).await?;
            // A process may have adopted the pull meanwhile, before the page was in quarantine.
            if kept != Accepted::Quarantined || !self.is_known_by_now(&pull).await? {
                return Ok(kept);
            }
            is_ours = self.is_ours(&pull);
        }
        self.stats.count_readings(page.readings);
        let record = PageRecord::new(pull.clone(), payload);
        let digest = PageDigest::from(record.digest);
        if is_ours {
            // Seen and not yet kept: the pull must not settle while the journal is at it.
            self.tell(arrived, Fact::Owed(pull.clone(), digest)).await?;
        }
        let appended = self.journal.append(record).await;
        match appended.map_err(NotKept::Journal)? {
            // A copy does not reach the storage.
            Appended::Duplicate => self.stats.count_duplicate(),
            _ => self.outage.kept(),
        }
        // The pull may have been resumed meanwhile, from the journal as of before.
        if !is_ours && !self.is_ours(&pull) {
            tracing::debug!(%pull, "a page came of a pull that is not open here; it is kept");
            return Ok(Accepted::Page);
        }
        self.tell(Instant::now(), Fact::Page(pull, digest, page)).await?;
        Ok(Accepted::Page)
    }

    /// A page of a pull that was not requested here. If its name resembles an open pull's, it
    /// counts against that one; otherwise the pull is external.
    async fn external_page(
        &self,
        arrived: Instant,
        named: PullId,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let open = self.open_pulls().await?;
        let ids = open.iter().map(|it| &it.pull);
        let near = counts_against(payload.as_bytes(), Names::of(&named), false, ids).pulls;
        self.stats.count_unknown_pull(named.clone(), near.first().cloned());
        tracing::debug!(pull = %named, "a page of a pull that was not started here");
        if near.is_empty() {
            if self.external.return_to_caller {
                return Ok(Accepted::External(named));
            }
            let bytes = payload.len() as u64;
            if self.external_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_EXTERNAL_BYTES
            {
                self.external_bytes.fetch_sub(bytes, Ordering::Relaxed);
                return Err(NotKept::Declined);
            }
        }
        let against = of_these(open, &near);
        let reason = format!("no pull is known here of {named}");
        self.quarantine(arrived, against, Layer::Pull, reason, payload).await
    }
}
