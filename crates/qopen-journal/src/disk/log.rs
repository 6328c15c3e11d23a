//! The log's open segments: records are numbered, written and made durable here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use qopen_types::Digest;

use super::at::{At, too_large, unavailable};
use super::frame::{Body, Frame, Header, Kind};
use super::index::{Entry, Index};
use super::options::DiskOptions;
use super::recover::Unclosed;
use super::segment::{self, Active, Location, Opening, START, Stream, fitting};
use super::shared::Shared;
use crate::{JournalError, PullId};

/// Maximum bytes of one write, unless a single record is larger.
pub(super) const BATCH: usize = 8 << 20;

/// A record to store, and its entry of the index.
pub(super) struct Record {
    pub(super) frame: Frame,
    pub(super) entry: Entry,
}

/// The segments that are written to. One thread owns it.
pub(super) struct Log {
    pub(super) shared: Arc<Shared>,
    pub(super) options: DiskOptions,
    active: BTreeMap<Stream, Active>,
    /// The newest segment of each stream that was written to, and its end.
    last: BTreeMap<Stream, (u32, u32)>,
    /// The number of the next segment. None is used twice, not even where making one failed.
    next_segment: u32,
    next_seq: u64,
    /// Lost pages without a record of the loss. Nothing is deleted before that record is written.
    lost: Vec<(PullId, Digest)>,
    /// Whether the last batch before a kill is being moved.
    securing: bool,
    /// The memory of the next batch: at most [`BATCH`] bytes wait for it.
    batch: Vec<u8>,
}

impl Log {
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
        Self {
            shared,
            options,
            active: BTreeMap::new(),
            last,
            next_segment,
            next_seq,
            lost,
            securing: false,
            batch: Vec::new(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.shared.folder
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.shared.index()
    }

    /// Writes the last batch of a segment that was not closed once more: it may have been read from
    /// memory that never reached the disk. It is written over itself, which takes no space. If that
    /// fails, or a hole lies between, it is moved, and the segment ends before it.
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
        // Until all of it is in its new place, its old place counts.
        self.securing = true;
        let moved = self.move_out(&path, &wanted);
        self.seal_all();
        self.securing = false;
        moved?;
        self.last.values_mut().filter(|it| it.0 == number).for_each(|it| it.1 = batch);
        self.shared.index().segments.insert(number, batch);
        segment::name_end(&self.shared.folder, number, batch)?;
        // Only promised bytes remain; the bytes behind them are known to hold nothing.
        let file = File::options().write(true).open(&path);
        let cut = file.and_then(|file| {
            file.set_len(u64::from(batch))?;
            file.sync_data()
        });
        cut.map_err(|error| At::new(path, error))
    }

    /// Whether pages are lost, and that is not noted yet.
    pub(super) fn owes_losses(&self) -> bool {
        !self.lost.is_empty() || !self.shared.lost().is_empty()
    }

    /// Notes that pages are lost, so that this outlives the place where they were lost.
    pub(super) fn note_lost(&mut self) -> Result<(), JournalError> {
        self.lost.append(&mut self.shared.lost());
        {
            // A page that came again is not lost.
            let index = self.shared.index();
            self.lost.retain(|(pull, digest)| index.is_lost(pull, *digest));
        }
        let mut batch = Vec::new();
        for (pull, digest) in &self.lost {
            let frame = Frame::new(Kind::Lost, Some(pull), "", *digest, b"").map_err(too_large)?;
            let entry = Entry { pull: Some(pull.clone()), ..Entry::default() };
            batch.push(Record { frame, entry });
        }
        if !batch.is_empty() {
            self.keep(batch.iter_mut().collect()).map_err(|error| unavailable(Arc::new(error)))?;
            self.lost.clear();
        }
        Ok(())
    }

    /// Stores records of one stream and indexes them.
    pub(super) fn keep(&mut self, mut batch: Vec<&mut Record>) -> Result<(), At> {
        let Some(first) = batch.first() else { return Ok(()) };
        let stream = Stream::of(first.frame.header().kind);
        let places = self.store(stream, &mut batch)?;
        let mut index = self.shared.index();
        for (record, at) in batch.into_iter().zip(places) {
            index.apply(record.frame.header(), record.entry.take(), at);
        }
        Ok(())
    }

    /// Writes the records, one after the other, and makes them durable together.
    fn store(&mut self, stream: Stream, new: &mut [&mut Record]) -> Result<Vec<Location>, At> {
        let total = new.iter().map(|it| it.frame.header().length()).sum();
        let mut bytes = std::mem::take(&mut self.batch);
        bytes.clear();
        bytes.reserve(total);
        let mut places = Vec::with_capacity(new.len());
        let next_seq = &mut self.next_seq;
        new.iter_mut().for_each(|record| record.frame.number(next_seq));
        let active = self.make_room(stream, total)?;
        let number = active.opening.number;
        for record in new {
            // The batch fits into a segment, and a segment's offsets into 32 bits.
            let offset = active.end + u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            record.frame.write(&mut bytes, (number, offset), active.end);
            let length = u32::try_from(record.frame.header().length()).unwrap_or(u32::MAX);
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
        if bytes.capacity() <= BATCH {
            self.batch = bytes;
        }
        match done {
            Ok(()) => {
                let end = self.active.get(&stream).map_or(START, |active| active.end);
                self.last.insert(stream, (number, end));
                Ok(places)
            }
            Err(error) => {
                // What is on the disk now is unknown, so nothing more goes after it. The next
                // segment says that nothing of it was promised.
                self.seal(stream);
                Err(At::new(segment::path_of(&self.shared.folder, number), error))
            }
        }
    }

    /// Checks whether the storage accepts writes again.
    pub(super) fn probe(&mut self) {
        let done = match self.make_room(Stream::Pages, 0) {
            Ok(active) => active.probe().is_ok(),
            Err(_) => false,
        };
        self.shared.stats().healthy = done;
        if !done {
            self.seal(Stream::Pages);
        }
    }

    /// The segment with room for this many bytes; a new one if the newest is full or failed.
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

    /// Stores records once more, at the end. Returns their bytes.
    pub(super) fn move_some(&mut self, path: &Path, some: &[Location]) -> Result<u64, At> {
        let at = |error| At::new(path.to_owned(), error);
        let file = File::open(path).map_err(at)?;
        let mut batches = BTreeMap::<Stream, Vec<Record>>::new();
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
            batches.entry(Stream::of(header.kind)).or_default().push(Record { frame, entry });
        }
        for mut batch in batches.into_values() {
            self.keep(batch.iter_mut().collect())?;
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

/// The record that was stored at this place, if it is whole.
fn read(record: &[u8], at: Location) -> Option<(Header, Entry, &[u8])> {
    let header = Header::read(record, (at.segment, at.offset))?;
    let body = header.body_in(record)?;
    let entry = Entry::of(&header, &Body::of(&header, body)?)?;
    Some((header, entry, body))
}
