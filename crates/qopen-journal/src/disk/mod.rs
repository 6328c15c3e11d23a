//! The journal on disk: a folder of segments, written by one thread of one process.

mod ages;
mod allocate;
mod at;
mod compaction;
mod events;
mod examine;
mod expiry;
mod faults;
mod folder;
mod frame;
mod index;
mod lock;
mod log;
mod loss;
mod one;
mod options;
mod outbox;
mod places;
mod read;
mod recover;
mod reserve;
mod scan;
mod segment;
mod shared;
mod writer;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use qopen_types::{Digest, MarkId, RobotId};
use tokio::sync::{mpsc, oneshot};

use crate::claims::{Claims, SingleProcess};
use crate::pack::LARGE;
use crate::{
    Appended, Durability, Expired, Journal, JournalError, JournalStats, JournalSummary,
    Maintenance, Note, Noted, PageRecord, Payload, PullId, PullOutline, PullState, Quarantined,
    Report,
};
use at::{At, stopped, too_large, unavailable};
#[cfg(feature = "faults")]
pub use faults::Faults;
use frame::{Frame, Kind};
use index::Entry;
use lock::Lock;
use log::{Log, Record};
pub use options::DiskOptions;
use recover::Loaded;
use shared::Shared;
use writer::{Append, Job, Writer};

/// Pulls whose states are copied at once.
const PART: usize = 1000;

/// Appends that may wait for the writing thread before their callers wait too.
const QUEUE: usize = 1024;

/// A journal in a folder. What it has kept survives the process and the machine, as far as the disk
/// keeps what it was told to.
///
/// One thread writes. Appends that come while the disk is busy share the next sync. If several come
/// at once, fewer than four wait up to 1 ms for more; a lone append does not wait. At most 1,024
/// appends wait; beyond that their callers wait. Payloads are packed (LZ4). Memory holds the digest
/// and the place of each page and the facts of each pull, and nothing that grows with the payloads.
/// The process keeps up to 16 MiB for packing, and each journal up to 8 MiB for the next write.
///
/// When the disk is full, read-only or gone, appends fail with [`JournalError::Unavailable`], and
/// succeed again when it is back. Dropping the journal waits for the work in flight.
pub struct DiskJournal {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    report: Report,
    claims: Claims,
    /// Dropped last.
    lock: Mutex<Lock>,
}

impl DiskOptions {
    /// Opens the journal in a folder, or creates it. Reads and checks everything that is stored,
    /// once. Blocks meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Locked`], if another process has it open; [`JournalError::UnknownFormat`],
    /// if a later version wrote it; [`JournalError::Unavailable`], if the folder cannot be used.
    pub fn open(self, folder: impl Into<PathBuf>) -> Result<DiskJournal, JournalError> {
        DiskJournal::open_with(folder.into(), self)
    }
}

impl DiskJournal {
    /// Opens the journal in that folder with the default options. Does not count that the folder was restored from a
    /// backup: [`DiskBackend`](crate::DiskBackend) does.
    ///
    /// # Errors
    /// As [`DiskOptions::open`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        DiskOptions::default().open(folder)
    }

    fn open_with(folder: PathBuf, options: DiskOptions) -> Result<Self, JournalError> {
        folder::make(&folder).map_err(|error| unavailable(Arc::new(At::new(&folder, error))))?;
        let lock = Lock::take(&folder)?;
        let Loaded { mut index, report, lost, unclosed, last } = recover::load(&folder)?;
        let ages = ages::Watch::of(&folder);
        // A number is never given twice, also where the record that had it is gone.
        index.next_seq = index.next_seq.max(ages.next());
        let (stats, ages) = (Mutex::default(), Mutex::new(ages));
        let found = Mutex::default();
        let shared =
            Arc::new(Shared { folder, index: Mutex::new(index), stats, ages, lost: found });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let mut log = Log::new(Arc::clone(&shared), options, lost, last);
        for unclosed in unclosed {
            log.secure(unclosed).map_err(|error| unavailable(Arc::new(error)))?;
        }
        reserve::keep(&shared.folder);
        let thread = std::thread::Builder::new().name("qopen-journal".into());
        let thread = thread
            .spawn(move || Writer::new(log).run(queue))
            .map_err(|error| JournalError::Fatal(Box::new(error)))?;
        let (jobs, thread) = (Some(jobs), Some(thread));
        let (claims, lock) = (Claims::default(), Mutex::new(lock));
        Ok(Self { shared, jobs, thread, report, claims, lock })
    }

    async fn keep_note_of(
        &self,
        pull: &PullId,
        note: &Note,
        at: SystemTime,
    ) -> Result<(), JournalError> {
        let text = serde_json::to_string(note).map_err(|it| JournalError::Fatal(Box::new(it)))?;
        let frame = Frame::new(Kind::Note, Some(pull), "", Digest::of(b""), text.as_bytes());
        let frame = frame.map_err(too_large)?.noted(at);
        let entry =
            Entry { pull: Some(pull.clone()), reason: String::new(), note: Some(note.clone()) };
        self.submit_frame(frame, entry, None).await.map(drop)
    }

    /// Stores a record that makes others void, if they all have smaller numbers. Returns whether it did.
    async fn void_below(
        &self,
        kind: Kind,
        pull: Option<&PullId>,
        digest: Digest,
        number: u64,
    ) -> Result<bool, JournalError> {
        let frame = Frame::new(kind, pull, "", digest, b"").map_err(too_large)?;
        let entry = Entry { pull: pull.cloned(), ..Entry::default() };
        Ok(self.submit_frame(frame, entry, Some(number)).await? == Appended::New)
    }

    async fn write(
        &self,
        kind: Kind,
        pull: Option<&PullId>,
        reason: &str,
        digest: Digest,
        payload: Option<&Payload>,
    ) -> Result<Appended, JournalError> {
        let frame = match payload {
            // Packing it takes a while.
            Some(payload) if payload.len() >= LARGE => {
                let (pull, reason, payload) = (pull.cloned(), reason.to_owned(), payload.clone());
                let pack =
                    move || Frame::new(kind, pull.as_ref(), &reason, digest, payload.as_bytes());
                read::blocking(pack).await.ok_or_else(stopped)?
            }
            payload => {
                let payload = payload.map_or(&b""[..], Payload::as_bytes);
                Frame::new(kind, pull, reason, digest, payload)
            }
        };
        let frame = frame.map_err(too_large)?;
        let entry = Entry { pull: pull.cloned(), reason: reason.to_owned(), note: None };
        self.submit_frame(frame, entry, None).await
    }

    async fn submit_frame(
        &self,
        frame: Frame,
        entry: Entry,
        below: Option<u64>,
    ) -> Result<Appended, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Append(Box::new(Append {
            record: Record { frame, entry },
            below,
            reply,
        })))
        .await?;
        answer.await.map_err(|_| stopped())?
    }

    async fn submit(&self, job: Job) -> Result<(), JournalError> {
        match &self.jobs {
            Some(jobs) => jobs.send(job).await.map_err(|_| stopped()),
            None => Err(stopped()),
        }
    }
}

impl fmt::Debug for DiskJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskJournal").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has said so.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Journal for DiskJournal {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        if self.shared.index().has_page(&page.pull, page.digest) {
            return Ok(Appended::Duplicate);
        }
        let payload = Some(&page.payload);
        let appended = self.write(Kind::Page, Some(&page.pull), "", page.digest, payload).await?;
        if appended == Appended::New {
            self.claims.paged(&page.pull);
        }
        Ok(appended)
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.keep_note_of(pull, &note, SystemTime::now()).await?;
        self.claims.noted(pull, Some(&note));
        Ok(())
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        let (pull, digest) = (item.pull.as_ref(), item.digest());
        let payload = Some(&item.payload);
        self.write(Kind::Quarantined, pull, &item.stored_reason(), digest, payload).await?;
        if let Some(pull) = pull {
            self.claims.noted(pull, None);
        }
        Ok(())
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        Ok(read::pages(Arc::clone(&self.shared), pull.clone(), None))
    }

    async fn digests(&self, pull: &PullId) -> Result<Vec<Digest>, JournalError> {
        let pages = self.shared.index().pages(pull);
        Ok(pages.into_iter().map(|(_, digest)| digest).collect())
    }

    async fn pages_of(
        &self,
        pull: &PullId,
        digests: &[Digest],
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        Ok(read::pages(Arc::clone(&self.shared), pull.clone(), Some(digests)))
    }

    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        Ok(self.shared.index().state(pull))
    }

    async fn knows(&self, pull: &PullId) -> Result<bool, JournalError> {
        Ok(self.shared.index().knows(pull))
    }

    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        let mut pulls: Vec<PullState> = Vec::new();
        loop {
            // In parts: an append does not wait for all of them.
            let part = self.pulls_after(pulls.last().map(|it| &it.pull), PART).await?;
            let is_last = part.len() < PART;
            pulls.extend(part);
            if is_last {
                return Ok(pulls);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn pulls_after(
        &self,
        after: Option<&PullId>,
        most: usize,
    ) -> Result<Vec<PullState>, JournalError> {
        Ok(self.shared.index().states_after(after, most))
    }

    async fn pulls_marked(&self, mark: &MarkId) -> Result<Vec<PullState>, JournalError> {
        Ok(self.shared.index().states(|pull| pull.mark_id == *mark))
    }

    async fn outlines(&self) -> Result<Vec<PullOutline>, JournalError> {
        Ok(self.shared.index().outlines())
    }

    async fn pulls_of(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        Ok(self.shared.index().states_of(robot))
    }

    async fn open_pulls(&self) -> Result<Vec<PullState>, JournalError> {
        let index = self.shared.index();
        Ok(index.states(|pull| index.is_open(pull)))
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        read::quarantined(Arc::clone(&self.shared), of.cloned()).await
    }

    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        let (pull, digest) = (item.pull.as_ref(), item.digest());
        if self.shared.index().has_item(pull, digest) {
            self.write(Kind::Released, pull, "", digest, None).await?;
        }
        Ok(())
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        self.claims.forget(pull);
        if self.shared.index().state(pull).is_some() {
            self.write(Kind::Forgotten, Some(pull), "", Digest::of(b""), None).await?;
        }
        Ok(())
    }

    fn durability(&self) -> Durability {
        Durability::LocalFsync
    }
}

#[async_trait]
impl SingleProcess for DiskJournal {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    async fn keep_note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        self.keep_note_of(pull, &note, SystemTime::now()).await
    }
}

#[async_trait]
impl Maintenance for DiskJournal {
    fn stats(&self) -> JournalStats {
        let waiting = |jobs: &mpsc::Sender<Job>| jobs.max_capacity() - jobs.capacity();
        let queued = self.jobs.as_ref().map_or(0, waiting);
        JournalStats { queued, ..*self.shared.stats() }
    }

    async fn summary(&self) -> Result<JournalSummary, JournalError> {
        Ok(self.shared.index().summary())
    }

    async fn expire(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError> {
        self.expire_all(keep, spare).await
    }

    /// Works in steps: appends wait for at most 1 MiB of it, and it uses at most
    /// [`compaction_rate`](DiskOptions::compaction_rate) of the disk.
    async fn compact(&self, share: u8) -> Result<u64, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Compact { share: share.min(100), reply }).await?;
        answer.await.map_err(|_| stopped())?
    }

    async fn check(&self) -> Result<Report, JournalError> {
        let shared = Arc::clone(&self.shared);
        read::blocking(move || recover::check(&shared)).await.unwrap_or_else(|| Err(stopped()))
    }

    async fn restore(&self, pull: &PullId, noted: Noted) -> Result<(), JournalError> {
        self.keep_note_of(pull, &noted.note, noted.at).await
    }
}
