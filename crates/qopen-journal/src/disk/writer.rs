//! The thread that writes: many appends, one sync.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen_types::Digest;
use tokio::sync::{mpsc, oneshot};

use super::frame::{Body, Frame, Header, Kind};
use super::index::{Entry, Location};
use super::segment::{self, Active, Opening, START};
use super::{At, DiskOptions, Shared, too_large, unavailable};
use crate::{Appended, JournalError, PullId};

/// Bytes that are written in one go, at most, unless a single record has more.
const BATCH: usize = 8 << 20;

/// Fewer appends than this wait for more to share their sync, where others come at the same time: a
/// sync costs as much as several appends, whatever it is for.
const FEW: usize = 4;

/// How long they wait.
const GATHER: Duration = Duration::from_millis(1);

/// For how many syncs after one that several shared an append is not taken to be alone.
const COMPANY: u32 = 8;

/// Appends that share a sync.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    bytes: usize,
}

/// What the thread is asked to do.
pub(super) enum Job {
    Append(Box<Append>),
    Compact { share: u8, reply: oneshot::Sender<Result<u64, JournalError>> },
}

pub(super) struct Append {
    pub(super) frame: Frame,
    pub(super) entry: Entry,
    pub(super) reply: oneshot::Sender<Result<Appended, JournalError>>,
}

impl Append {
    /// What is stored at most once.
    fn name(&self) -> Option<(Kind, Option<PullId>, Digest)> {
        let header = self.frame.header();
        let once = matches!(header.kind, Kind::Page | Kind::Quarantined | Kind::Event);
        once.then(|| (header.kind, self.entry.pull.clone(), header.digest))
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    options: DiskOptions,
    active: Option<Active>,
    /// The newest segment that was written to, and its end.
    last: (u32, u32),
    /// The number of the next segment. None is used twice, not even where making one failed.
    next_segment: u32,
    next_seq: u64,
    /// Lost pages of which no record says so yet. Until it does, nothing is deleted.
    lost: Vec<(PullId, Digest)>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        options: DiskOptions,
        lost: Vec<(PullId, Digest)>,
    ) -> Self {
        let (last, next_seq) = {
            let index = shared.index();
            let last = index.segments.last_key_value();
            let last = last.map_or((0, START), |(number, end)| (*number, (*end).max(START)));
            (last, index.next_seq.max(1))
        };
        Self { shared, options, active: None, last, next_segment: last.0 + 1, next_seq, lost }
    }

    /// Writes once more what was written last before a process stopped without closing: it is read
    /// from memory that may never have reached the disk. From then on the segment ends before it.
    pub(super) fn secure(&mut self, last_batch: Option<(u32, u32)>) -> Result<(), At> {
        let Some((number, batch)) = last_batch else { return Ok(()) };
        let path = segment::path_of(&self.shared.folder, number);
        let wanted = self.shared.index().live(number);
        let wanted: Vec<_> = wanted.into_iter().filter(|at| at.offset >= batch).collect();
        let next = self.next_segment;
        // Until all of it is in its new place, it counts where it stands.
        self.move_out(&path, &wanted)?;
        if wanted.is_empty() {
            self.last = (number, batch);
        } else {
            segment::name_previous_end(&self.shared.folder, next, batch)?;
        }
        self.shared.index().segments.insert(number, batch);
        // What is left is what was promised; that the rest stands there is known to be nothing.
        let file = File::options().write(true).open(&path);
        let cut = file.and_then(|file| {
            file.set_len(u64::from(batch))?;
            file.sync_data()
        });
        cut.map_err(|error| At::new(path, error))
    }

    /// Notes that pages are lost, so that this outlives the place where they were lost.
    fn note_lost(&mut self) -> Result<(), JournalError> {
        let mut batch = Vec::new();
        for (pull, digest) in &self.lost {
            let frame = Frame::new(Kind::Lost, Some(pull), "", *digest, b"").map_err(too_large)?;
            let entry = Entry { pull: Some(pull.clone()), ..Entry::default() };
            // Nobody waits for the answer.
            let (reply, _) = oneshot::channel();
            batch.push(Append { frame, entry, reply });
        }
        if !batch.is_empty() {
            self.keep(&mut batch).map_err(|error| unavailable(Arc::new(error)))?;
            self.lost.clear();
        }
        Ok(())
    }

    /// Stores records and takes them into the index.
    fn keep(&mut self, batch: &mut [Append]) -> Result<(), At> {
        let places = self.store(batch)?;
        let mut index = self.shared.index();
        for (append, at) in batch.iter_mut().zip(places) {
            index.apply(append.frame.header(), append.entry.take(), at);
        }
        Ok(())
    }

    /// Runs until nobody can ask any more. Whoever is alone waits for nobody; those that come while
    /// the disk is busy, or a moment after one another, share the next sync.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        if let Err(error) = self.note_lost() {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "that pages are lost cannot be noted yet");
        }
        let mut since_company = u32::MAX;
        while let Some(job) = jobs.blocking_recv() {
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
        }
        self.seal();
    }

    /// Takes what waits, up to the bound of a batch.
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
                batch.bytes += append.frame.header().length();
                batch.appends.push(*append);
            }
            Job::Compact { share, reply } => {
                self.commit(std::mem::take(batch).appends);
                // Whoever asked may have gone.
                let _ = reply.send(self.compact(share));
            }
        }
    }

    /// Stores a batch and answers.
    fn commit(&mut self, batch: Vec<Append>) {
        let mut names = BTreeSet::new();
        let (mut new, mut again) = (Vec::new(), Vec::new());
        for append in batch {
            let name = append.name();
            let known = name.as_ref().is_some_and(|(kind, pull, digest)| {
                let index = self.shared.index();
                match (kind, pull) {
                    (Kind::Page, Some(pull)) => index.has_page(pull, *digest),
                    (Kind::Event, _) => index.events.has(*digest),
                    _ => index.has_item(pull.as_ref(), *digest),
                }
            });
            if known {
                let _ = append.reply.send(Ok(Appended::Duplicate));
            } else if name.is_some_and(|name| !names.insert(name)) {
                again.push(append.reply);
            } else {
                new.push(append);
            }
        }
        if new.is_empty() {
            return;
        }
        let answer = match self.keep(&mut new) {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "nothing can be kept");
                Err(Arc::new(error))
            }
        };
        let answer = |found| answer.as_ref().map(|()| found).map_err(|it| unavailable(it.clone()));
        // Whoever asked may have gone; what was kept is kept.
        new.into_iter().for_each(|it| drop(it.reply.send(answer(Appended::New))));
        again.into_iter().for_each(|reply| drop(reply.send(answer(Appended::Duplicate))));
    }

    /// Writes the records, one after the other, and makes them durable together.
    fn store(&mut self, new: &mut [Append]) -> Result<Vec<Location>, At> {
        let total = new.iter().map(|it| it.frame.header().length()).sum();
        let mut bytes = Vec::with_capacity(total);
        let mut places = Vec::with_capacity(new.len());
        let next_seq = &mut self.next_seq;
        new.iter_mut().for_each(|append| append.frame.number(next_seq));
        let active = self.make_room(total)?;
        for append in new {
            // The batch fits into a segment, and a segment's offsets into 32 bits.
            let offset = active.end + u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            append.frame.write(&mut bytes, (active.number, offset), active.end);
            let length = u32::try_from(append.frame.header().length()).unwrap_or(u32::MAX);
            places.push(Location { segment: active.number, offset, length });
        }
        let before = Instant::now();
        let (number, done) = (active.number, active.append(&bytes));
        {
            let mut stats = self.shared.stats();
            stats.batches += 1;
            stats.waited += before.elapsed();
            stats.healthy = done.is_ok();
            if done.is_ok() {
                stats.records += places.len() as u64;
                stats.bytes += bytes.len() as u64;
            } else {
                stats.failures += 1;
            }
        }
        match done {
            Ok(()) => {
                self.last.1 = self.active.as_ref().map_or(START, |active| active.end);
                Ok(places)
            }
            Err(error) => {
                // What is on the disk now is anybody's guess: nothing more goes after it. The next
                // segment says that nothing of it was promised.
                self.seal();
                Err(At::new(segment::path_of(&self.shared.folder, number), error))
            }
        }
    }

    /// The segment that has room for so many bytes; a new one where the newest is full or failed.
    fn make_room(&mut self, bytes: usize) -> Result<&mut Active, At> {
        if self.active.as_ref().is_some_and(|active| !active.has_room_for(bytes)) {
            self.seal();
        }
        if self.active.is_none() {
            let least = u32::try_from(START as usize + bytes).unwrap_or(u32::MAX);
            let capacity = least.max(self.options.segment_size);
            let (number, (previous, previous_end)) = (self.next_segment, self.last);
            self.next_segment += 1;
            let (folder, faults) = (&self.shared.folder, &self.options.faults);
            let create = |capacity| {
                let opening = Opening { number, capacity, previous, previous_end };
                Active::create(folder, opening, faults)
            };
            // On a disk that is almost full there may be room for this much, and nothing more.
            let active = create(capacity).or_else(|error| match error.kind() {
                io::ErrorKind::StorageFull => create(least),
                _ => Err(error),
            });
            let active = active.map_err(|error| {
                let mut stats = self.shared.stats();
                (stats.failures, stats.healthy) = (stats.failures + 1, false);
                At::new(segment::path_of(folder, number), error)
            })?;
            self.shared.index().segments.insert(number, START);
            self.last = (number, START);
            self.active = Some(active);
        }
        let gone = || At::new(self.shared.folder.clone(), io::ErrorKind::NotFound.into());
        self.active.as_mut().ok_or_else(gone)
    }

    fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            active.close();
        }
    }

    /// Moves what is wanted out of every segment of which at least that share, in percent, is not,
    /// and deletes those. Gives the bytes that were freed.
    fn compact(&mut self, share: u8) -> Result<u64, JournalError> {
        let failed = |error: At| unavailable(Arc::new(error));
        self.note_lost()?;
        self.seal();
        let mut all: Vec<u32> = self.shared.index().segments.keys().copied().collect();
        // First those of which nothing is wanted: on a full disk they make room for the others.
        all.sort_by_cached_key(|number| !self.shared.index().wanted(*number).is_empty());
        let mut freed = 0;
        for number in all {
            let path = segment::path_of(&self.shared.folder, number);
            let at = |error| failed(At::new(path.clone(), error));
            let size = std::fs::metadata(&path).map_err(at)?.len();
            let wanted = self.shared.index().wanted(number);
            let live: u64 = wanted.iter().map(|at| u64::from(at.length)).sum();
            let dead = size.saturating_sub(live + u64::from(START));
            if dead == 0 && live > 0 || dead * 100 < size * u64::from(share) {
                continue;
            }
            self.move_out(&path, &wanted).map_err(failed)?;
            std::fs::remove_file(&path).map_err(at)?;
            // In this order also after a power cut: what makes others void must not go before them.
            segment::sync_folder(&self.shared.folder).map_err(at)?;
            self.shared.index().drop_segment(number);
            freed += dead;
        }
        self.seal();
        Ok(freed)
    }

    fn move_out(&mut self, path: &Path, wanted: &[Location]) -> Result<(), At> {
        let at = |error| At::new(path.to_owned(), error);
        let file = File::open(path).map_err(at)?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (n, from) in wanted.iter().enumerate() {
            let record = segment::read_record(&file, from.offset, from.length).map_err(at)?;
            let (header, entry, body) = read(&record, *from).ok_or_else(|| {
                let what =
                    format!("the record at {} is damaged; it stays where it is", from.offset);
                at(io::Error::new(io::ErrorKind::InvalidData, what))
            })?;
            let frame = Frame::moved(header, body.to_vec());
            bytes += record.len();
            // Nobody waits for the answer.
            let (reply, _) = oneshot::channel();
            batch.push(Append { frame, entry, reply });
            if bytes >= BATCH || n + 1 == wanted.len() {
                self.keep(&mut batch)?;
                batch.clear();
                bytes = 0;
            }
        }
        Ok(())
    }
}

/// A record as it was stored at that place, if it is whole.
fn read(record: &[u8], at: Location) -> Option<(Header, Entry, &[u8])> {
    let header = Header::read(record, (at.segment, at.offset))?;
    let body = header.body_in(record)?;
    let entry = Entry::of(&header, &Body::of(&header, body)?)?;
    Some((header, entry, body))
}
