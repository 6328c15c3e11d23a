//! Scans a segment for its records and holes.

use super::frame::{ALIGN, Body, HEADER, Header};
use super::segment::{NoOpening, Opening, START};

/// Bytes of a segment that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) at: u32,
    pub(super) end: u32,
    /// The header, where that much can be read.
    pub(super) header: Option<Header>,
    /// Whether it can only be an append that was in flight when the process or machine stopped: it
    /// was never promised.
    pub(super) unfinished: bool,
}

/// The records and holes of a segment.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) opening: Result<Opening, NoOpening>,
    pub(super) records: Vec<(u32, Header)>,
    pub(super) holes: Vec<Hole>,
    /// The end of the last record.
    pub(super) end: u32,
}

impl Scan {
    /// Finds every whole record, whatever lies between. `promised` is the end that the next segment
    /// names, if there is one.
    pub(super) fn of(bytes: &[u8], number: u32, promised: Option<u32>) -> Self {
        let opening = Opening::read(bytes);
        let mut scan = Self { opening, records: Vec::new(), holes: Vec::new(), end: START };
        let Ok(length) = u32::try_from(bytes.len()) else { return scan };
        let mut at = START;
        while at < length {
            let rest = &bytes[at as usize..];
            let next = match Header::read(rest, (number, at)) {
                Some(header) => {
                    let body = header.body_in(rest);
                    if body.is_some_and(|body| Body::of(&header, body).is_some()) {
                        scan.records.push((at, header));
                        at += u32::try_from(header.length()).unwrap_or(length);
                        scan.end = at;
                        continue;
                    }
                    let next = next_record(bytes, number, at);
                    scan.hole(at, next.unwrap_or(length), Some(header));
                    next
                }
                None if rest.iter().all(|byte| *byte == 0) => break,
                None => {
                    let next = next_record(bytes, number, at);
                    scan.hole(at, next.unwrap_or(length), None);
                    next
                }
            };
            let Some(next) = next else { break };
            at = next;
        }
        let seen = scan.holes.last().map_or(scan.end, |hole| scan.end.max(hole.end));
        if let Some(promised) = promised.filter(|promised| *promised > seen) {
            // More was there once: the file was cut, or its end made zero.
            scan.hole(seen, promised, None);
        }
        scan.judge(bytes.len(), promised);
        scan
    }

    /// The last batch: whether its sync returned is unknown. Empty if the segment was closed in
    /// order.
    pub(super) fn last_batch(&self, length: usize) -> Option<u32> {
        self.newest_batch().filter(|_| !self.is_closed(length))
    }

    fn newest_batch(&self) -> Option<u32> {
        self.records.iter().map(|(_, header)| header.batch).max()
    }

    /// Whether a file of that length was cut to its end.
    fn is_closed(&self, length: usize) -> bool {
        self.opening.is_ok_and(|opening| length < opening.capacity as usize)
    }

    /// Forgets what was read behind the promised bytes.
    pub(super) fn cut(&mut self, promised: u32) {
        self.records.retain(|(at, _)| *at < promised);
        self.holes.retain(|hole| hole.at < promised);
        self.end = self.end.min(promised);
    }

    fn hole(&mut self, at: u32, end: u32, header: Option<Header>) {
        self.holes.push(Hole { at, end, header, unfinished: false });
    }

    /// A hole is an append in flight if nothing shows that a later one began: no record of a later
    /// batch, no later segment that begins after it, no closing in order.
    fn judge(&mut self, length: usize, promised: Option<u32>) {
        let (closed, last_batch) = (self.is_closed(length), self.newest_batch().unwrap_or(0));
        for hole in &mut self.holes {
            let open_ended = promised.map_or(!closed, |end| hole.at >= end);
            hole.unfinished = self.opening.is_ok() && open_ended && last_batch <= hole.at;
        }
    }
}

/// The next place after `at` where a header is that holds.
fn next_record(bytes: &[u8], number: u32, at: u32) -> Option<u32> {
    let mut at = at as usize + ALIGN;
    while at + HEADER <= bytes.len() {
        let place = (number, u32::try_from(at).ok()?);
        if Header::read(&bytes[at..], place).is_some() {
            return Some(place.1);
        }
        at += ALIGN;
    }
    None
}
