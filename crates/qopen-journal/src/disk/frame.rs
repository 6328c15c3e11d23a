//! The bytes of one record: a header that checks itself, and a body that it checks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_types::Digest;

use crate::PullId;
use crate::pack::{unpack, with_packed};

/// Bytes of a record's header. Records begin at multiples of [`ALIGN`].
pub(super) const HEADER: usize = 80;

/// Alignment of records' offsets.
pub(super) const ALIGN: usize = 8;

const MAGIC: [u8; 4] = *b"qjr1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Page = 1,
    Note = 2,
    Quarantined = 3,
    Released = 4,
    Forgotten = 5,
    /// A page that was stored and cannot be read any more.
    Lost = 6,
    /// An event that waits to be forwarded.
    Event = 7,
    Taken = 8,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        use Kind::{Event, Forgotten, Lost, Note, Page, Quarantined, Released, Taken};
        let all = [Page, Note, Quarantined, Released, Forgotten, Lost, Event, Taken];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The header of a record. Numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    packed: bool,
    /// Bytes of the body, without the padding up to [`ALIGN`].
    pub(super) body: u32,
    /// Bytes of the unpacked payload.
    raw: u32,
    /// The order of records, also when they were moved.
    pub(super) seq: u64,
    at: u64,
    /// The owner, readable when the body is not.
    pub(super) owner: u64,
    /// The payload's digest.
    pub(super) digest: Digest,
    /// The offset at which the records begin that were written together with this one.
    pub(super) batch: u32,
    body_check: u64,
}

impl Header {
    pub(super) fn at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.at)
    }

    /// Bytes from this record's offset to the next one's.
    pub(super) fn length(&self) -> usize {
        HEADER + (self.body as usize).next_multiple_of(ALIGN)
    }

    /// Reads the header of a record at this place; `None` if there is none, or it belongs
    /// elsewhere.
    pub(super) fn read(bytes: &[u8], place: Place) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let (said, check) = bytes.split_at(HEADER - 8);
        if said[..4] != MAGIC || check_of(said, place).to_le_bytes() != check {
            return None;
        }
        Some(Self {
            kind: Kind::of(said[4])?,
            packed: said[5] == 1,
            body: u32::from_le_bytes(part(said, 8)),
            raw: u32::from_le_bytes(part(said, 12)),
            seq: u64::from_le_bytes(part(said, 16)),
            at: u64::from_le_bytes(part(said, 24)),
            owner: u64::from_le_bytes(part(said, 32)),
            digest: Digest::from_u128(u128::from_le_bytes(part(said, 40))),
            batch: u32::from_le_bytes(part(said, 56)),
            body_check: u64::from_le_bytes(part(said, 64)),
        })
    }

    /// The body after this header; `None` if it is damaged.
    pub(super) fn body_in<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let body = record.get(HEADER..HEADER + self.body as usize)?;
        (low(Digest::of(body)) == self.body_check).then_some(body)
    }

    fn write(&self, place: Place) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&MAGIC);
        (out[4], out[5]) = (self.kind as u8, u8::from(self.packed));
        out[8..12].copy_from_slice(&self.body.to_le_bytes());
        out[12..16].copy_from_slice(&self.raw.to_le_bytes());
        out[16..24].copy_from_slice(&self.seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.at.to_le_bytes());
        out[32..40].copy_from_slice(&self.owner.to_le_bytes());
        out[40..56].copy_from_slice(&self.digest.to_u128().to_le_bytes());
        out[56..60].copy_from_slice(&self.batch.to_le_bytes());
        out[64..72].copy_from_slice(&self.body_check.to_le_bytes());
        let check = check_of(&out[..HEADER - 8], place);
        out[HEADER - 8..].copy_from_slice(&check.to_le_bytes());
        out
    }
}

/// The place of a record: its segment's number and its offset. The header's check covers it, so
/// that a block that a disk writes to the wrong place is not mistaken for a record of that place.
pub(super) type Place = (u32, u32);

fn check_of(said: &[u8], (segment, offset): Place) -> u64 {
    let mut bytes = [0; HEADER];
    bytes[..said.len()].copy_from_slice(said);
    bytes[HEADER - 8..HEADER - 4].copy_from_slice(&segment.to_le_bytes());
    bytes[HEADER - 4..].copy_from_slice(&offset.to_le_bytes());
    low(Digest::of(&bytes))
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[allow(clippy::cast_possible_truncation, reason = "half of a digest is a digest")]
fn low(digest: Digest) -> u64 {
    digest.to_u128() as u64
}

/// The number that stands for a pull in a header.
pub(super) fn owner_of(pull: Option<&PullId>) -> u64 {
    pull.map_or(0, |pull| low(Digest::of(&names(Some(pull), ""))))
}

/// A record that has no place yet.
#[derive(Debug)]
pub(super) struct Frame {
    header: Header,
    body: Vec<u8>,
}

impl Frame {
    /// Encodes a record, and packs its payload if that saves space.
    ///
    /// # Errors
    /// The number of bytes, if it is too large for a record.
    pub(super) fn new(
        kind: Kind,
        pull: Option<&PullId>,
        reason: &str,
        digest: Digest,
        payload: &[u8],
    ) -> Result<Self, usize> {
        let mut body = names(pull, reason);
        let packed = with_packed(payload, |packed| {
            let stored = packed.unwrap_or(payload);
            body.reserve_exact(stored.len());
            body.extend_from_slice(stored);
            packed.is_some()
        });
        let too_large = |_| payload.len();
        let length = u32::try_from(body.len()).map_err(too_large)?;
        // A record must fit into a segment, whose offsets are 32 bits wide.
        if length > u32::MAX / 2 {
            return Err(payload.len());
        }
        let header = Header {
            kind,
            packed,
            body: length,
            raw: u32::try_from(payload.len()).map_err(too_large)?,
            seq: 0,
            at: micros(SystemTime::now()),
            owner: owner_of(pull),
            digest,
            batch: 0,
            body_check: low(Digest::of(&body)),
        };
        Ok(Self { header, body })
    }

    /// As of that time.
    pub(super) fn noted(mut self, at: SystemTime) -> Self {
        self.header.at = micros(at);
        self
    }

    /// A record as read, for another place.
    pub(super) fn moved(header: Header, body: Vec<u8>) -> Self {
        Self { header, body }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Gives it its number, unless it has one already.
    pub(super) fn number(&mut self, next: &mut u64) {
        if self.header.seq == 0 {
            self.header.seq = *next;
            *next += 1;
        }
    }

    /// Writes it for that place, as a part of the batch that begins there.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, place: Place, batch: u32) {
        self.header.batch = batch;
        out.extend_from_slice(&self.header.write(place));
        out.extend_from_slice(&self.body);
        out.resize(out.len().next_multiple_of(ALIGN), 0);
    }
}

fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The texts before the payload, each with its length; a record of no pull has no names.
fn names(pull: Option<&PullId>, reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |text: &str| {
        // Identifiers are shorter by far; a reason may be cut.
        let mut end = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        #[allow(clippy::cast_possible_truncation, reason = "cut above")]
        out.extend_from_slice(&(end as u16).to_le_bytes());
        out.extend_from_slice(&text.as_bytes()[..end]);
    };
    put(pull.map_or("", |pull| pull.robot_id.as_str()));
    put(pull.map_or("", |pull| pull.mark_id.as_str()));
    put(reason);
    out
}

/// The fields of a body.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) pull: Option<PullId>,
    pub(super) reason: &'a str,
    payload: &'a [u8],
    header: &'a Header,
}

impl<'a> Body<'a> {
    /// Splits a checked body; `None` if this version has not written it.
    pub(super) fn of(header: &'a Header, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut text = || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            rest = after;
            std::str::from_utf8(text).ok()
        };
        let (robot, mark, reason) = (text()?, text()?, text()?);
        let pull = match (robot, mark) {
            ("", "") => None,
            _ => Some(PullId { robot_id: robot.parse().ok()?, mark_id: mark.parse().ok()? }),
        };
        Some(Self { pull, reason, payload: rest, header })
    }

    /// The unpacked payload; `None` if it is damaged.
    pub(super) fn payload(&self) -> Option<Vec<u8>> {
        unpack(self.payload, self.header.packed, self.header.raw as usize)
    }
}
