//! Claims: which worker has which pull, with leases, and epochs that fence slow workers.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use qopen_types::StorageId;

use crate::{Journal, JournalError, Note, PullId};

/// The name of a worker, different from every other's that ever shares a journal with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(String);

impl WorkerId {
    /// A worker's name. Any text that no other worker has.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker's right to a pull, until its lease ends or another worker claims the pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The pull.
    pub pull: PullId,
    /// Greater than the epoch of every earlier claim of the pull.
    pub epoch: i64,
}

impl Claim {
    /// A claim that a journal has made.
    #[must_use]
    pub fn new(pull: PullId, epoch: i64) -> Self {
        Self { pull, epoch }
    }
}

/// Whether a claim still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fencing {
    /// The claim counts, and the work was done.
    Held,
    /// The claim no longer counts, and nothing was done: another worker has the pull, or the claim was
    /// given back.
    Fenced,
}

/// The result of renewing a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewed {
    /// The lease is as long as asked for again.
    Held {
        /// Whether pages were kept of the pull since it was claimed or renewed last.
        pages: bool,
        /// Whether notes or quarantined items were.
        notes: bool,
    },
    /// The claim no longer counts.
    Fenced,
}

/// The queue of pulls that want a worker, and the workers' claims.
///
/// A pull wants a worker from its [start](Note::Started) until one has [completed](Self::complete) it,
/// and again whenever the journal keeps something of it: a page, a note without a claim, an item in
/// quarantine. A worker has a pull by a claim with a lease. A renewed claim lasts. Otherwise the
/// next worker claims the pull under a greater epoch, and the journal refuses what the first worker
/// does under its claim from then on.
///
/// The journal's clock measures leases. The rules are the same for a journal in this process and
/// for a server.
#[async_trait]
pub trait ClaimQueue: Journal {
    /// Claims pulls that want a worker: at most `most`, for the time of the lease.
    ///
    /// # Errors
    /// [`JournalError`]; a claim that was made all the same ends with its lease.
    async fn claim(
        &self,
        worker: &WorkerId,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<Claim>, JournalError>;

    /// Renews claims. Returns for each, in turn, whether it counts and whether there is news. A
    /// reader after that sees everything but later news.
    ///
    /// # Errors
    /// [`JournalError`]; the claims then last as long as before.
    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, JournalError>;

    /// Keeps a fact about a pull, if the claim counts.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn note_as(&self, claim: &Claim, note: Note) -> Result<Fencing, JournalError>;

    /// Ends a claim: the pull needs no worker until the journal keeps something of it. Records
    /// since the last renewal are news to the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; the claim then ends with its lease.
    async fn complete(&self, claim: &Claim) -> Result<Fencing, JournalError>;

    /// Gives a claim back before its lease ends, for the next worker.
    ///
    /// # Errors
    /// [`JournalError`]; the claim then ends with its lease.
    async fn give_back(&self, claim: &Claim) -> Result<(), JournalError>;

    /// Has some worker look at a pull, although nothing was kept of it. Unknown pulls are no error.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was promised then.
    async fn enqueue(&self, pull: &PullId) -> Result<(), JournalError>;

    /// Tells the workers of every process that a callback was refused here that may have been a
    /// page.
    ///
    /// # Errors
    /// [`JournalError`]; no worker is told then.
    async fn note_refusal(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// The number of noted refusals, of all processes. A journal of one process has none: there the
    /// receiver's own count is used.
    ///
    /// # Errors
    /// [`JournalError`], if the storage cannot be read.
    async fn noted_refusals(&self) -> Result<u64, JournalError> {
        Ok(0)
    }

    /// Waits for a hint that a worker should look, at most for `most`. A hint may come for nothing, and may
    /// be lost. One caller waits at a time.
    async fn wait(&self, most: Duration);

    /// The storage that this journal is kept in, if lists can be kept there too: a sink in the same storage
    /// can make a note under a claim in its own transaction. `None` where that is impossible.
    fn storage(&self) -> Option<StorageId> {
        None
    }
}
