//! Maintenance: statistics, expiry, compaction and integrity checks.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::report::Report;
use crate::{ClaimQueue, Journal, JournalError, Noted, Outbox, PullId};

/// Counts of a journal since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalStats {
    /// Records that were written.
    pub records: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Times that the storage was waited for, each for one batch of records.
    pub batches: u64,
    /// Batches that could not be written.
    pub failures: u64,
    /// How long the storage was waited for, in all.
    pub waited: Duration,
    /// Appends that wait now.
    pub queued: usize,
    /// Whether the last batch could be written, or the storage has answered since.
    pub healthy: bool,
}

impl Default for JournalStats {
    fn default() -> Self {
        let (records, bytes, batches, failures) = (0, 0, 0, 0);
        let (waited, queued, healthy) = (Duration::ZERO, 0, true);
        Self { records, bytes, batches, failures, waited, queued, healthy }
    }
}

/// What a journal has deleted because of its age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// Pulls.
    pub pulls: Vec<PullId>,
    /// Quarantined items of no pull.
    pub items: u64,
    /// Events that waited to be forwarded.
    pub events: u64,
}

/// How much a journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalSummary {
    /// Pulls.
    pub pulls: u64,
    /// When the oldest pull was started that has not ended.
    pub oldest_open: Option<SystemTime>,
    /// Items of pulls in quarantine.
    pub quarantined: u64,
    /// Pages of pulls that the storage has lost.
    pub lost: u64,
}

/// Keeping a journal in order.
#[async_trait]
pub trait Maintenance: Journal {
    /// The counts since the journal was opened.
    fn stats(&self) -> JournalStats;

    /// How much it holds.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be read.
    async fn summary(&self) -> Result<JournalSummary, JournalError> {
        let pulls = self.pulls().await?;
        let open = pulls.iter().filter(|it| it.ended().is_none());
        Ok(JournalSummary {
            pulls: pulls.len() as u64,
            oldest_open: open.filter_map(|it| it.started()).map(|(at, _)| at).min(),
            quarantined: pulls.iter().map(|it| it.quarantined).sum(),
            lost: pulls.iter().map(|it| it.damaged.len() as u64).sum(),
        })
    }

    /// Forgets every pull without activity for `keep`, every quarantined item of no pull and every waiting
    /// event of that age, and frees their space. Skips pulls in `spare`, pulls that a worker holds, and
    /// pulls that receive something meanwhile.
    ///
    /// Ages count the time for which a process had the journal open. A gap between two processes counts for
    /// one day at most, and for half of `keep` at most. A clock that jumps ages nothing. Ages have the
    /// resolution of the calls of this method.
    ///
    /// # Errors
    /// [`JournalError`], when the storage cannot be written; what was forgotten before is.
    async fn expire(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError>;

    /// Frees the space of deleted records, if they are at least `share` percent of their storage.
    /// With 0, no deleted record is left in this journal's storage. Returns the number of freed
    /// bytes.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read or written; nothing is lost then.
    async fn compact(&self, share: u8) -> Result<u64, JournalError>;

    /// Reads everything that is stored, and reports damage.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], if the storage cannot be read.
    async fn check(&self) -> Result<Report, JournalError>;

    /// Keeps a note with the time at which another journal took it. Notifies no worker.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn restore(&self, pull: &PullId, noted: Noted) -> Result<(), JournalError>;
}

/// All traits of a journal.
pub trait Store: Outbox + Maintenance + ClaimQueue {}

impl<T: Outbox + Maintenance + ClaimQueue> Store for T {}
