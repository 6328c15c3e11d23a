//! Giving back room, a little at a time, between what is appended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::index::Location;
use super::segment::{self, START};
use super::writer::{Writer, fitting};
use super::{At, unavailable};
use crate::JournalError;

/// Maximum bytes moved in one step, unless a single record is larger. An append waits for one step at most.
const STEP: usize = 1 << 20;

/// What is wanted is moved out of every segment of which at least that share, in percent, is not, and
/// those are deleted.
pub(super) struct Compaction {
    share: u8,
    reply: oneshot::Sender<Result<u64, JournalError>>,
    /// Segments that are still to be looked at, once it has begun.
    left: Option<VecDeque<u32>>,
    at: Option<Segment>,
    freed: u64,
    /// Nothing is moved before.
    due: Instant,
}

/// A segment that is being emptied.
struct Segment {
    number: u32,
    /// What is still to be moved.
    wanted: VecDeque<Location>,
    /// Bytes that are freed with it.
    dead: u64,
}

impl Compaction {
    pub(super) fn new(share: u8, reply: oneshot::Sender<Result<u64, JournalError>>) -> Self {
        Self { share, reply, left: None, at: None, freed: 0, due: Instant::now() }
    }

    /// When it goes on.
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}

impl Writer {
    /// Does the next step of the compaction that is under way, if there is one and it is time.
    pub(super) fn compact_a_little(&mut self) {
        let Some(mut compaction) = self.compactions.pop_front() else { return };
        if compaction.due > Instant::now() {
            return self.compactions.push_front(compaction);
        }
        match self.step(&mut compaction) {
            Ok(Some(moved)) => {
                let rate = self.options.compaction_rate;
                compaction.due =
                    Instant::now() + Duration::from_micros(moved.saturating_mul(1_000_000) / rate);
                self.compactions.push_front(compaction);
            }
            // Whoever asked may have gone.
            Ok(None) => {
                segment::keep_reserve(&self.shared.folder);
                drop(compaction.reply.send(Ok(compaction.freed)));
            }
            Err(error) => drop(compaction.reply.send(Err(error))),
        }
    }

    /// Gives the bytes that were moved; `None` where all is done.
    fn step(&mut self, compaction: &mut Compaction) -> Result<Option<u64>, JournalError> {
        let failed = |error: At| unavailable(Arc::new(error));
        let left = match &mut compaction.left {
            Some(left) => left,
            None => {
                self.note_lost()?;
                self.seal_all();
                let mut all: Vec<u32> = self.shared.index().segments.keys().copied().collect();
                // First those of which nothing is wanted: on a full disk they make room for the others.
                all.sort_by_cached_key(|number| self.shared.index().bytes_of(*number) > 0);
                compaction.left.insert(all.into())
            }
        };
        let Some(mut segment) = compaction.at.take() else {
            let Some(number) = left.pop_front() else {
                self.seal_all();
                return Ok(None);
            };
            compaction.at = self.to_be_emptied(number, compaction.share).map_err(failed)?;
            return Ok(Some(0));
        };
        let path = segment::path_of(&self.shared.folder, segment.number);
        {
            // Records deleted since the listing are not moved.
            let index = self.shared.index();
            segment.wanted.retain(|at| index.is_live(*at));
        }
        let wanted = segment.wanted.make_contiguous();
        if wanted.is_empty() {
            let at = |error| failed(At::new(path.clone(), error));
            std::fs::remove_file(&path).map_err(at)?;
            // In this order also after a power cut: what makes others void must not go before them.
            segment::sync_folder(&self.shared.folder).map_err(at)?;
            self.shared.index().drop_segment(segment.number);
            compaction.freed += segment.dead;
            return Ok(Some(0));
        }
        let some = fitting(wanted, STEP);
        let moved = self.move_some(&path, &wanted[..some]).map_err(failed)?;
        segment.wanted.drain(..some);
        compaction.at = Some(segment);
        Ok(Some(moved))
    }

    /// A segment, where enough of it is not wanted.
    fn to_be_emptied(&self, number: u32, share: u8) -> Result<Option<Segment>, At> {
        let path = segment::path_of(&self.shared.folder, number);
        let size = std::fs::metadata(&path).map_err(|error| At::new(path, error))?.len();
        let wanted = self.shared.index().wanted(number);
        let live: u64 = wanted.iter().map(|at| u64::from(at.length)).sum();
        let dead = size.saturating_sub(live + u64::from(START));
        let stays = dead == 0 && live > 0 || dead * 100 < size * u64::from(share);
        Ok((!stays).then(|| Segment { number, wanted: wanted.into(), dead }))
    }
}
