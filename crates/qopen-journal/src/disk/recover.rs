//! Recovery: finds every whole record on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use qopen_types::Digest;

use super::at::{At, unavailable};
use super::frame::{Body, HEADER};
use super::index::{Entry, Index};
use super::loss;
use super::scan::{Hole, Scan};
use super::segment::Location;
use super::segment::{self, FORMAT, NoOpening, Opening, Stream};
use super::shared::Shared;
use crate::report::{Damage, Report};
use crate::{JournalError, PullId};

impl Report {
    fn add(&mut self, number: u32, bytes: &[u8], scan: &Scan) {
        self.segments += 1;
        self.records += scan.records.len() as u64;
        self.bytes += bytes.len() as u64;
        let file = format!("{number:08}.log");
        let damage = |at: u32, end: u32, unfinished| Damage {
            file: file.clone(),
            offset: u64::from(at),
            bytes: u64::from(end - at),
            unfinished,
        };
        // A file that was just made may be empty; nothing is lost with it.
        if scan.opening.is_err() && bytes.iter().any(|byte| *byte != 0) {
            self.damage.push(damage(0, segment::START, false));
        }
        let holes = scan.holes.iter().map(|hole| damage(hole.at, hole.end, hole.unfinished));
        self.damage.extend(holes);
    }
}

/// The initial state of a journal.
pub(super) struct Loaded {
    pub(super) index: Index,
    pub(super) report: Report,
    /// Pages that are lost, each with its pull, where that is news.
    pub(super) lost: Vec<(PullId, Digest)>,
    /// The last batches of segments that were not closed in order.
    pub(super) unclosed: Vec<Unclosed>,
    /// The newest segment of each stream, and its end.
    pub(super) last: BTreeMap<Stream, (u32, u32)>,
}

/// The records that were written last to a segment, together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unclosed {
    pub(super) segment: u32,
    /// Where they begin.
    pub(super) batch: u32,
    /// Their end, if only whole records lie in between.
    pub(super) end: Option<u32>,
}

/// Reads every segment.
pub(super) fn load(folder: &Path) -> Result<Loaded, JournalError> {
    let mut index = Index::default();
    let mut report = Report::default();
    let mut holes: Vec<(u32, Hole)> = Vec::new();
    let numbers = numbers(folder)?;
    // Each says where the one before it ends.
    let mut ends = BTreeMap::new();
    for number in &numbers {
        if let Ok(opening) = Opening::read(&beginning(folder, *number)?) {
            ends.insert(opening.previous, opening.previous_end);
        }
    }
    let (mut unclosed, mut last) = (Vec::new(), BTreeMap::new());
    let mut followed = BTreeSet::new();
    for number in numbers {
        let bytes = bytes(folder, number)?;
        let promised = ends.get(&number).copied();
        let mut scan = Scan::of(&bytes, number, promised);
        let batch = scan.last_batch(bytes.len());
        if let Some(promised) = promised {
            // What failed to be written was refused, even if it is there after all.
            scan.cut(promised);
        }
        if let (Ok(opening), false) = (scan.opening, scan.records.is_empty())
            && !opening.secures
        {
            // A record here proves that the previous segment was durable.
            followed.insert(opening.previous);
        }
        if let Some(batch) = batch.filter(|batch| *batch < scan.end) {
            let whole = scan.holes.iter().all(|hole| hole.at < batch || hole.at >= scan.end);
            let end = whole.then_some(scan.end);
            unclosed.push(Unclosed { segment: number, batch, end });
        }
        let stream = scan.opening.map_or(Stream::Pages, |opening| opening.stream);
        last.insert(stream, (number, promised.unwrap_or(scan.end).max(segment::START)));
        if let Err(NoOpening::Format(found)) = scan.opening {
            return Err(JournalError::UnknownFormat { found, known: FORMAT });
        }
        report.add(number, &bytes, &scan);
        index.segments.insert(number, promised.unwrap_or(scan.end));
        for (offset, header) in &scan.records {
            // The scan has checked it.
            let start = *offset as usize + HEADER;
            let body = Body::of(header, &bytes[start..start + header.body as usize]);
            index.next_seq = index.next_seq.max(header.seq + 1);
            if let Some(entry) = body.and_then(|body| Entry::of(header, &body)) {
                let length = u32::try_from(header.length()).unwrap_or(u32::MAX);
                index.apply(header, entry, Location { segment: number, offset: *offset, length });
            }
        }
        holes.extend(scan.holes.into_iter().map(|hole| (number, hole)));
    }
    let lost = holes.iter().flat_map(|(number, hole)| index.blame(*number, hole)).collect();
    report.pulls = index.summary().pulls;
    for damage in &report.damage {
        match damage.unfinished {
            true => tracing::info!(%damage, "the journal was not closed"),
            false => tracing::error!(%damage, "the journal is damaged"),
        }
    }
    unclosed.retain(|it| !followed.contains(&it.segment));
    Ok(Loaded { index, report, lost, unclosed, last })
}

/// Reads every segment again, up to its known end.
pub(super) fn check(shared: &Shared) -> Result<Report, JournalError> {
    let (ends, pulls) = {
        let index = shared.index();
        let ends: Vec<_> = index.segments.iter().map(|(number, end)| (*number, *end)).collect();
        (ends, index.summary().pulls)
    };
    let mut report = Report { pulls, ..Report::default() };
    for (number, end) in ends {
        let before = report.damage.len();
        match bytes(&shared.folder, number) {
            Ok(bytes) => {
                let written = &bytes[..bytes.len().min(end as usize)];
                let mut scan = Scan::of(written, number, Some(end));
                // Everything up to here was promised.
                scan.holes.iter_mut().for_each(|hole| hole.unfinished = false);
                report.add(number, written, &scan);
            }
            // Compaction may have deleted it since.
            Err(_) if !shared.index().segments.contains_key(&number) => {}
            Err(_) if loss::is_gone(shared, number) => {
                let (file, bytes) = (format!("{number:08}.log"), u64::from(end));
                report.damage.push(Damage { file, offset: 0, bytes, unfinished: false });
            }
            Err(error) => return Err(error),
        }
        if report.damage.len() > before {
            loss::examine(shared, number);
        }
    }
    Ok(report)
}

/// The earliest format of the segments; `None` without any whose beginning holds.
///
/// # Errors
/// [`JournalError::UnknownFormat`], if a later version wrote one.
pub(super) fn earliest_format(folder: &Path) -> Result<Option<u32>, JournalError> {
    let mut earliest = None;
    for number in numbers(folder)? {
        match segment::format_of(&beginning(folder, number)?) {
            Ok(format) => earliest = Some(earliest.unwrap_or(format).min(format)),
            Err(NoOpening::Format(found)) => {
                return Err(JournalError::UnknownFormat { found, known: FORMAT });
            }
            Err(NoOpening::Damaged) => {}
        }
    }
    Ok(earliest)
}

fn numbers(folder: &Path) -> Result<Vec<u32>, JournalError> {
    segment::numbers(folder).map_err(|error| unavailable(Arc::new(At::new(folder, error))))
}

fn bytes(folder: &Path, number: u32) -> Result<Vec<u8>, JournalError> {
    let path = segment::path_of(folder, number);
    std::fs::read(&path).map_err(|error| unavailable(Arc::new(At::new(path, error))))
}

fn beginning(folder: &Path, number: u32) -> Result<Vec<u8>, JournalError> {
    use std::io::Read as _;
    let path = segment::path_of(folder, number);
    let mut out = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(u64::from(segment::START)).read_to_end(&mut out))
        .map_err(|error| unavailable(Arc::new(At::new(path, error))))?;
    Ok(out)
}
