//! The writing thread: many appends, one sync.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen_types::Digest;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::at::{At, unavailable};
use super::compaction::Compaction;
use super::frame::Kind;
use super::log::{BATCH, Log, Record};
use super::reserve;
use super::segment::Stream;
use crate::{Appended, JournalError, PullId};

/// Fewer appends than this wait for more to share their sync, if others come at the same time: a
/// sync costs as much as several appends.
const FEW: usize = 4;

/// How long they wait.
const GATHER: Duration = Duration::from_millis(1);

/// Syncs after a shared one for which an append is not believed to be alone.
const COMPANY: u32 = 8;

/// Interval of probing writes while the storage is unhealthy and no append comes.
const PROBE: Duration = Duration::from_secs(2);

/// Appends that share a sync.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    bytes: usize,
}

/// The jobs of the thread.
pub(super) enum Job {
    Append(Box<Append>),
    Compact { share: u8, reply: oneshot::Sender<Result<u64, JournalError>> },
}

pub(super) struct Append {
    pub(super) record: Record,
    /// The condition: every stored record that it voids has a smaller number than this.
    pub(super) below: Option<u64>,
    pub(super) reply: oneshot::Sender<Result<Appended, JournalError>>,
}

impl Append {
    /// Whether compaction can free space after it.
    fn makes_room(&self) -> bool {
        matches!(self.record.frame.header().kind, Kind::Forgotten | Kind::Released | Kind::Taken)
    }

    /// The identity of a record that is stored at most once.
    fn name(&self) -> Option<(Kind, Option<PullId>, Digest)> {
        let header = self.record.frame.header();
        let once = matches!(header.kind, Kind::Page | Kind::Quarantined | Kind::Event);
        once.then(|| (header.kind, self.record.entry.pull.clone(), header.digest))
    }
}

/// The thread's state: the log, and the compactions that were asked for.
pub(super) struct Writer {
    log: Log,
    /// The first one is in progress.
    compactions: VecDeque<Compaction>,
}

impl Writer {
    pub(super) fn new(log: Log) -> Self {
        Self { log, compactions: VecDeque::new() }
    }

    /// Runs until all callers are gone. A lone append does not wait. Appends that come while the
    /// disk is busy, or a moment after one another, share the next sync.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        self.note_lost();
        // Without a timer, the thread waits for the next job.
        let clock = Builder::new_current_thread().enable_time().build().ok();
        let mut since_company = u32::MAX;
        while let Some(next) = self.next(&mut jobs, clock.as_ref()) {
            if self.log.owes_losses() && self.log.shared.stats().healthy {
                self.note_lost();
            }
            if let Some(job) = next {
                let mut batch = Batch::default();
                self.take(job, &mut batch);
                self.drain(&mut jobs, &mut batch);
                if batch.appends.len() < FEW && since_company < COMPANY {
                    std::thread::sleep(GATHER);
                    self.drain(&mut jobs, &mut batch);
                }
                since_company = match batch.appends.len() {
                    0 | 1 => since_company.saturating_add(1),
                    _ => 0,
                };
                self.commit(batch.appends);
            } else if self.compactions.is_empty() {
                self.log.probe();
            }
            if let Some(compaction) = self.compactions.pop_front()
                && let Some(compaction) = compaction.go_on(&mut self.log)
            {
                self.compactions.push_front(compaction);
            }
        }
        if self.log.owes_losses() {
            self.note_lost();
        }
        self.log.seal_all();
    }

    fn note_lost(&mut self) {
        if let Err(error) = self.log.note_lost() {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "that pages are lost cannot be noted yet");
        }
    }

    /// The next job; `Some(None)` if it is time for other work.
    fn next(&self, jobs: &mut mpsc::Receiver<Job>, clock: Option<&Runtime>) -> Option<Option<Job>> {
        let due = match self.compactions.front() {
            Some(compaction) => compaction.due().saturating_duration_since(Instant::now()),
            None if !self.log.shared.stats().healthy => PROBE,
            None => return jobs.blocking_recv().map(Some),
        };
        if let Ok(job) = jobs.try_recv() {
            return Some(Some(job));
        }
        let Some(clock) = clock else { return jobs.blocking_recv().map(Some) };
        match clock.block_on(async { timeout(due, jobs.recv()).await }) {
            Ok(job) => job.map(Some),
            Err(_) => Some(None),
        }
    }

    /// Takes the waiting jobs, up to the limit of a batch.
    fn drain(&mut self, jobs: &mut mpsc::Receiver<Job>, batch: &mut Batch) {
        while batch.bytes < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            self.take(job, batch);
        }
    }

    fn take(&mut self, job: Job, batch: &mut Batch) {
        match job {
            Job::Append(append) => {
                batch.bytes += append.record.frame.header().length();
                batch.appends.push(*append);
            }
            Job::Compact { share, reply } => {
                self.commit(std::mem::take(batch).appends);
                self.compactions.push_back(Compaction::new(share, reply));
            }
        }
    }

    /// Stores a batch and answers its callers, events last.
    fn commit(&mut self, batch: Vec<Append>) {
        let mut names = BTreeSet::new();
        // Pulls of which the same batch stores something: a record that forgets one would forget that too.
        let stored: BTreeSet<PullId> = match batch.iter().any(|it| it.below.is_some()) {
            true => {
                let plain = batch.iter().filter(|it| it.below.is_none());
                plain.filter_map(|it| it.record.entry.pull.clone()).collect()
            }
            false => BTreeSet::new(),
        };
        let (mut new, mut again) = (BTreeMap::<Stream, Vec<Append>>::new(), Vec::new());
        for append in batch {
            let name = append.name();
            let stream = Stream::of(append.record.frame.header().kind);
            if self.is_known(&append, &stored) {
                let _ = append.reply.send(Ok(Appended::Duplicate));
            } else if name.is_some_and(|name| !names.insert(name)) {
                again.push((stream, append.reply));
            } else {
                new.entry(stream).or_default().push(append);
            }
        }
        for (stream, mut new) in new {
            let was_healthy = self.log.shared.stats().healthy;
            let kept = match self.log.keep(records(&mut new)) {
                Err(At { error, .. })
                    if error.kind() == io::ErrorKind::StorageFull
                        && new.iter().any(Append::makes_room)
                        && reserve::release(&self.log.shared.folder) =>
                {
                    self.log.keep(records(&mut new))
                }
                kept => kept,
            };
            let answer = match kept {
                Ok(()) => Ok(()),
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    // Once for each outage.
                    match was_healthy {
                        true => tracing::error!(error = cause, "nothing can be kept"),
                        false => tracing::debug!(error = cause, "nothing can be kept"),
                    }
                    Err(Arc::new(error))
                }
            };
            let answer =
                |found| answer.as_ref().map(|()| found).map_err(|it| unavailable(it.clone()));
            // The caller may have gone; what was kept is kept.
            new.into_iter().for_each(|it| drop(it.reply.send(answer(Appended::New))));
            let again = again.extract_if(.., |(of, _)| *of == stream);
            again.for_each(|(_, reply)| drop(reply.send(answer(Appended::Duplicate))));
        }
    }

    /// Whether there is nothing to store: the record is known, or its condition fails.
    fn is_known(&self, append: &Append, stored: &BTreeSet<PullId>) -> bool {
        let index = self.log.shared.index();
        if let Some(below) = append.below {
            let digest = append.record.frame.header().digest;
            let newest = match (&append.record.entry.pull, append.record.frame.header().kind) {
                (Some(pull), _) if stored.contains(pull) => None,
                (Some(pull), _) => index.newest(pull),
                (None, Kind::Taken) => index.events.number_of(digest),
                (None, _) => index.nameless(digest),
            };
            return newest.is_none_or(|newest| newest >= below);
        }
        match append.name() {
            Some((Kind::Page, Some(pull), digest)) => index.has_page(&pull, digest),
            Some((Kind::Event, _, digest)) => index.events.has(digest),
            Some((_, pull, digest)) => index.has_item(pull.as_ref(), digest),
            None => false,
        }
    }
}

fn records(batch: &mut [Append]) -> Vec<&mut Record> {
    batch.iter_mut().map(|it| &mut it.record).collect()
}
