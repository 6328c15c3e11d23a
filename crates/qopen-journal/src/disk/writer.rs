//! The thread that writes: many appends, one sync.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen_types::Digest;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::compaction::Compaction;
use super::frame::{Body, Frame, Header, Kind};
use super::index::{Entry, Location};
use super::recover::Unclosed;
use super::segment::{self, Active, Opening, START, Stream};
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

/// Interval of probing writes while the storage is unhealthy and no append comes.
const PROBE: Duration = Duration::from_secs(2);

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
    /// Only where everything that is stored of what it makes void has a smaller number than that.
    pub(super) below: Option<u64>,
    pub(super) reply: oneshot::Sender<Result<Appended, JournalError>>,
}

impl Append {
    /// Whether compaction can free space once it is stored.
    fn makes_room(&self) -> bool {
        matches!(self.frame.header().kind, Kind::Forgotten | Kind::Released | Kind::Taken)
    }

    /// What is stored at most once.
    fn name(&self) -> Option<(Kind, Option<PullId>, Digest)> {
        let header = self.frame.header();
        let once = matches!(header.kind, Kind::Page | Kind::Quarantined | Kind::Event);
        once.then(|| (header.kind, self.entry.pull.clone(), header.digest))
    }
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) options: DiskOptions,
    active: BTreeMap<Stream, Active>,
    /// The newest segment of each stream that was written to, and its end.
    last: BTreeMap<Stream, (u32, u32)>,
    /// The number of the next segment. None is used twice, not even where making one failed.
    next_segment: u32,
    next_seq: u64,
    /// Lost pages of which no record says so yet. Until it does, nothing is deleted.
    lost: Vec<(PullId, Digest)>,
    /// The first is under way.
    pub(super) compactions: VecDeque<Compaction>,
    /// Whether what was written last before a kill is being moved.
    securing: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        options: DiskOptions,
        lost: Vec<(PullId, Digest)>,
        last: BTreeMap<Stream, (u32, u32)>,
    ) -> Self {
        let (next_segment, next_seq) = {
            let index = shared.index();
            let last = index.segments.last_key_value().map_or(0, |(number, _)| *number);
            (last + 1, index.next_seq.max(1))
        };
        let (active, compactions) = (BTreeMap::new(), VecDeque::new());
        let securing = false;
        Self { shared, options, active, last, next_segment, next_seq, lost, compactions, securing }
    }

    /// Writes once more what was written last before a process stopped without closing: it is read
    /// from memory that may never have reached the disk. It is written over itself, which takes no
    /// room; where that fails, or something that is no record lies between, it is moved, and the
    /// segment ends before it.
    pub(super) fn secure(&mut self, unclosed: Unclosed) -> Result<(), At> {
        let Unclosed { segment: number, batch, end } = unclosed;
        let path = segment::path_of(&self.shared.folder, number);
        if let Some(end) = end {
            match segment::write_again(&path, batch, end, &self.options.faults) {
                Ok(()) => {
                    self.shared.index().segments.insert(number, end);
                    self.last.values_mut().filter(|it| it.0 == number).for_each(|it| it.1 = end);
                    return Ok(());
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the last records cannot be secured in their place");
                }
            }
        }
        let wanted = self.shared.index().live(number);
        let wanted: Vec<_> = wanted.into_iter().filter(|at| at.offset >= batch).collect();
        // Until all of it is in its new place, it counts where it stands.
        self.securing = true;
        let moved = self.move_out(&path, &wanted);
        self.seal_all();
        self.securing = false;
        moved?;
        self.last.values_mut().filter(|it| it.0 == number).for_each(|it| it.1 = batch);
        self.shared.index().segments.insert(number, batch);
        segment::name_end(&self.shared.folder, number, batch)?;
        // What is left is what was promised; that the rest stands there is known to be nothing.
        let file = File::options().write(true).open(&path);
        let cut = file.and_then(|file| {
            file.set_len(u64::from(batch))?;
            file.sync_data()
        });
        cut.map_err(|error| At::new(path, error))
    }

    /// Notes that pages are lost, so that this outlives the place where they were lost.
    pub(super) fn note_lost(&mut self) -> Result<(), JournalError> {
        let mut batch = Vec::new();
        for (pull, digest) in &self.lost {
            let frame = Frame::new(Kind::Lost, Some(pull), "", *digest, b"").map_err(too_large)?;
            let entry = Entry { pull: Some(pull.clone()), ..Entry::default() };
            // Nobody waits for the answer.
            let (reply, _) = oneshot::channel();
            batch.push(Append { frame, entry, below: None, reply });
        }
        if !batch.is_empty() {
            self.keep(&mut batch).map_err(|error| unavailable(Arc::new(error)))?;
            self.lost.clear();
        }
        Ok(())
    }

    /// Stores records of one stream and takes them into the index.
    fn keep(&mut self, batch: &mut [Append]) -> Result<(), At> {
        let Some(first) = batch.first() else { return Ok(()) };
        let stream = Stream::of(first.frame.header().kind);
        let places = self.store(stream, batch)?;
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
        // Without a timer, the thread waits for the next job.
        let clock = Builder::new_current_thread().enable_time().build().ok();
        let mut since_company = u32::MAX;
        while let Some(next) = self.next(&mut jobs, clock.as_ref()) {
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
                self.probe();
            }
            self.compact_a_little();
        }
        self.seal_all();
    }

    /// What is asked for next; `Some(None)` where it is time for something else.
    fn next(&self, jobs: &mut mpsc::Receiver<Job>, clock: Option<&Runtime>) -> Option<Option<Job>> {
        let due = match self.compactions.front() {
            Some(compaction) => compaction.due().saturating_duration_since(Instant::now()),
            None if !self.shared.stats().healthy => PROBE,
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

    /// Whether the storage takes anything again.
    fn probe(&mut self) {
        let done = match self.make_room(Stream::Pages, 0) {
            Ok(active) => active.probe().is_ok(),
            Err(_) => false,
        };
        self.shared.stats().healthy = done;
        if !done {
            self.seal(Stream::Pages);
        }
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
                self.compactions.push_back(Compaction::new(share, reply));
            }
        }
    }

    /// Stores a batch and answers: what is no event first.
    fn commit(&mut self, batch: Vec<Append>) {
        let mut names = BTreeSet::new();
        // Pulls of which the same batch stores something: a record that forgets one would forget that too.
        let stored: BTreeSet<PullId> = match batch.iter().any(|it| it.below.is_some()) {
            true => {
                let plain = batch.iter().filter(|it| it.below.is_none());
                plain.filter_map(|it| it.entry.pull.clone()).collect()
            }
            false => BTreeSet::new(),
        };
        let (mut new, mut again) = (BTreeMap::<Stream, Vec<Append>>::new(), Vec::new());
        for append in batch {
            let name = append.name();
            let stream = Stream::of(append.frame.header().kind);
            if self.is_known(&append, &stored) {
                let _ = append.reply.send(Ok(Appended::Duplicate));
            } else if name.is_some_and(|name| !names.insert(name)) {
                again.push((stream, append.reply));
            } else {
                new.entry(stream).or_default().push(append);
            }
        }
        for (stream, mut new) in new {
            let kept = match self.keep(&mut new) {
                Err(At { error, .. })
                    if error.kind() == io::ErrorKind::StorageFull
                        && new.iter().any(Append::makes_room)
                        && segment::release_reserve(&self.shared.folder) =>
                {
                    self.keep(&mut new)
                }
                kept => kept,
            };
            let answer = match kept {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "nothing can be kept"
                    );
                    Err(Arc::new(error))
                }
            };
            let answer =
                |found| answer.as_ref().map(|()| found).map_err(|it| unavailable(it.clone()));
            // Whoever asked may have gone; what was kept is kept.
            new.into_iter().for_each(|it| drop(it.reply.send(answer(Appended::New))));
            let again = again.extract_if(.., |(of, _)| *of == stream);
            again.for_each(|(_, reply)| drop(reply.send(answer(Appended::Duplicate))));
        }
    }

    /// Whether there is nothing to store: it is there already, or its condition does not hold.
    fn is_known(&self, append: &Append, stored: &BTreeSet<PullId>) -> bool {
        let index = self.shared.index();
        if let Some(below) = append.below {
            let digest = append.frame.header().digest;
            let newest = match (&append.entry.pull, append.frame.header().kind) {
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

    /// Writes the records, one after the other, and makes them durable together.
    fn store(&mut self, stream: Stream, new: &mut [Append]) -> Result<Vec<Location>, At> {
        let total = new.iter().map(|it| it.frame.header().length()).sum();
        let mut bytes = Vec::with_capacity(total);
        let mut places = Vec::with_capacity(new.len());
        let next_seq = &mut self.next_seq;
        new.iter_mut().for_each(|append| append.frame.number(next_seq));
        let active = self.make_room(stream, total)?;
        let number = active.opening.number;
        for append in new {
            // The batch fits into a segment, and a segment's offsets into 32 bits.
            let offset = active.end + u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            append.frame.write(&mut bytes, (number, offset), active.end);
            let length = u32::try_from(append.frame.header().length()).unwrap_or(u32::MAX);
            places.push(Location { segment: number, offset, length });
        }
        let before = Instant::now();
        let done = active.append(&bytes);
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
                let end = self.active.get(&stream).map_or(START, |active| active.end);
                self.last.insert(stream, (number, end));
                Ok(places)
            }
            Err(error) => {
                // What is on the disk now is anybody's guess: nothing more goes after it. The next
                // segment says that nothing of it was promised.
                self.seal(stream);
                Err(At::new(segment::path_of(&self.shared.folder, number), error))
            }
        }
    }

    /// The segment that has room for so many bytes; a new one where the newest is full or failed.
    fn make_room(&mut self, stream: Stream, bytes: usize) -> Result<&mut Active, At> {
        if self.active.get(&stream).is_some_and(|active| !active.has_room_for(bytes)) {
            self.seal(stream);
        }
        if !self.active.contains_key(&stream) {
            let least = u32::try_from(START as usize + bytes).unwrap_or(u32::MAX);
            let capacity = least.max(self.options.segment_size);
            let (previous, previous_end) = self.last.get(&stream).copied().unwrap_or((0, START));
            let number = self.next_segment;
            self.next_segment += 1;
            let (folder, faults) = (&self.shared.folder, &self.options.faults);
            let create = |capacity| {
                let secures = self.securing;
                let opening = Opening { number, capacity, stream, secures, previous, previous_end };
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
            self.last.insert(stream, (number, START));
            self.active.insert(stream, active);
        }
        let gone = || At::new(self.shared.folder.clone(), io::ErrorKind::NotFound.into());
        self.active.get_mut(&stream).ok_or_else(gone)
    }

    fn seal(&mut self, stream: Stream) {
        if let Some(active) = self.active.remove(&stream) {
            active.close();
        }
    }

    pub(super) fn seal_all(&mut self) {
        Stream::ALL.into_iter().for_each(|stream| self.seal(stream));
    }

    /// Stores records once more, at the end. Gives their bytes.
    pub(super) fn move_some(&mut self, path: &Path, some: &[Location]) -> Result<u64, At> {
        let at = |error| At::new(path.to_owned(), error);
        let file = File::open(path).map_err(at)?;
        let mut batches = BTreeMap::<Stream, Vec<Append>>::new();
        let mut bytes = 0;
        for from in some {
            let record = segment::read_record(&file, from.offset, from.length).map_err(at)?;
            let (header, entry, body) = read(&record, *from).ok_or_else(|| {
                let what =
                    format!("the record at {} is damaged; it stays where it is", from.offset);
                at(io::Error::new(io::ErrorKind::InvalidData, what))
            })?;
            let frame = Frame::moved(header, body.to_vec());
            bytes += u64::from(from.length);
            // Nobody waits for the answer.
            let (reply, _) = oneshot::channel();
            let append = Append { frame, entry, below: None, reply };
            batches.entry(Stream::of(header.kind)).or_default().push(append);
        }
        for mut batch in batches.into_values() {
            self.keep(&mut batch)?;
        }
        Ok(bytes)
    }

    fn move_out(&mut self, path: &Path, wanted: &[Location]) -> Result<(), At> {
        let mut rest = wanted;
        while !rest.is_empty() {
            let (some, later) = rest.split_at(fitting(rest, BATCH));
            self.move_some(path, some)?;
            rest = later;
        }
        Ok(())
    }
}

/// The number of leading records that fit into `bytes`; at least one.
pub(super) fn fitting(records: &[Location], bytes: usize) -> usize {
    let mut sum = 0;
    let fits = |at: &&Location| {
        sum += at.length as usize;
        sum <= bytes
    };
    records.iter().take_while(fits).count().max(1).min(records.len())
}

/// A record as it was stored at that place, if it is whole.
fn read(record: &[u8], at: Location) -> Option<(Header, Entry, &[u8])> {
    let header = Header::read(record, (at.segment, at.offset))?;
    let body = header.body_in(record)?;
    let entry = Entry::of(&header, &Body::of(&header, body)?)?;
    Some((header, entry, body))
}
