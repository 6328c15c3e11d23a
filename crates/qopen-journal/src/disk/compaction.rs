//! Frees space, a little at a time, between appends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::at::{At, unavailable};
use super::log::Log;
use super::reserve;
use super::segment::{self, Location, START, fitting};
use crate::JournalError;

/// Maximum bytes moved in one step, unless a single record is larger. An append waits for one step at most.
const STEP: usize = 1 << 20;

/// Moves the needed records out of every segment of which at least a share, in percent, is not
/// needed, and deletes those segments.
pub(super) struct Compaction {
    share: u8,
    reply: oneshot::Sender<Result<u64, JournalError>>,
    /// Segments still to be examined, once it has begun.
    left: Option<VecDeque<u32>>,
    at: Option<Segment>,
    freed: u64,
    /// Nothing is moved before.
    due: Instant,
}

/// A segment that is being emptied.
struct Segment {
    number: u32,
    /// Records still to be moved.
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

    /// Does the next step, if it is time. Answers the caller when all is done or a step fails.
    /// Returns itself if more steps remain.
    pub(super) fn go_on(mut self, log: &mut Log) -> Option<Self> {
        if self.due > Instant::now() {
            return Some(self);
        }
        match self.step(log) {
            Ok(Some(moved)) => {
                let rate = log.options.compaction_rate;
                self.due =
                    Instant::now() + Duration::from_micros(moved.saturating_mul(1_000_000) / rate);
                return Some(self);
            }
            // The caller may have gone.
            Ok(None) => {
                reserve::keep(log.folder());
                drop(self.reply.send(Ok(self.freed)));
            }
            Err(error) => drop(self.reply.send(Err(error))),
        }
        None
    }

    /// Returns the number of moved bytes; `None` if all is done.
    fn step(&mut self, log: &mut Log) -> Result<Option<u64>, JournalError> {
        let failed = |error: At| unavailable(Arc::new(error));
        let left = match &mut self.left {
            Some(left) => left,
            None => {
                log.note_lost()?;
                log.seal_all();
                let mut all: Vec<u32> = log.index().segments.keys().copied().collect();
                // First those of which nothing is wanted: on a full disk they make room for the others.
                all.sort_by_cached_key(|number| log.index().bytes_of(*number) > 0);
                self.left.insert(all.into())
            }
        };
        let Some(mut segment) = self.at.take() else {
            let Some(number) = left.pop_front() else {
                log.seal_all();
                return Ok(None);
            };
            self.at = to_be_emptied(log, number, self.share).map_err(failed)?;
            return Ok(Some(0));
        };
        let path = segment::path_of(log.folder(), segment.number);
        {
            // Records deleted since the listing are not moved.
            let index = log.index();
            segment.wanted.retain(|at| index.is_live(*at));
        }
        let wanted = segment.wanted.make_contiguous();
        if wanted.is_empty() {
            let at = |error| failed(At::new(path.clone(), error));
            std::fs::remove_file(&path).map_err(at)?;
            // In this order also after a power cut: what makes others void must not go before them.
            segment::sync_folder(log.folder()).map_err(at)?;
            log.index().drop_segment(segment.number);
            self.freed += segment.dead;
            return Ok(Some(0));
        }
        let some = fitting(wanted, STEP);
        let moved = log.move_some(&path, &wanted[..some]).map_err(failed)?;
        segment.wanted.drain(..some);
        self.at = Some(segment);
        Ok(Some(moved))
    }
}

/// A segment, if enough of it is not needed.
fn to_be_emptied(log: &Log, number: u32, share: u8) -> Result<Option<Segment>, At> {
    let path = segment::path_of(log.folder(), number);
    let size = std::fs::metadata(&path).map_err(|error| At::new(path, error))?.len();
    let wanted = log.index().wanted(number);
    let live: u64 = wanted.iter().map(|at| u64::from(at.length)).sum();
    let dead = size.saturating_sub(live + u64::from(START));
    let stays = dead == 0 && live > 0 || dead * 100 < size * u64::from(share);
    Ok((!stays).then(|| Segment { number, wanted: wanted.into(), dead }))
}
