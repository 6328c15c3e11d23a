//! Signatures that wait are computed together, in the lanes of one MD5.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::memory::Reading;
use crate::Keyring;
use crate::crypto;
use crate::md5_lanes::MOST;

/// Lone bodies between two that look for others.
const LOOK: u32 = 8;

/// The values that a signature covers, and the pair of keys to try.
pub(super) struct Signed {
    pub(super) ring: Arc<Keyring>,
    pub(super) pair: usize,
    /// The values of the envelope, as parts of the body.
    pub(super) values: [Bytes; 4],
    /// Keeps the body's memory reserved.
    pub(super) _reading: Arc<Reading>,
}

impl Signed {
    fn values(&self) -> [&[u8]; 5] {
        let [a, b, c, d] = &self.values;
        [self.ring.keys[self.pair].token.expose().as_bytes(), a, b, c, d]
    }

    fn bytes(&self) -> usize {
        self.values.iter().map(Bytes::len).sum()
    }

    /// Whether neither is four times as long as the other: the shorter one waits for the longer.
    fn is_similar(&self, other: usize) -> bool {
        self.bytes() / 4 < other && other / 4 < self.bytes()
    }
}

/// A queue of signatures to compute. The code that takes some of them out computes them at once,
/// without an await in between: no cancellation leaves one that was taken without its digest.
#[derive(Default)]
pub(super) struct Batches {
    /// Held for an operation of the queue, never across an await.
    state: Mutex<State>,
    /// Batches that blocking threads may compute at a time.
    slots: usize,
}

#[derive(Default)]
struct State {
    /// By number.
    waiting: VecDeque<Waiting>,
    next: u64,
    /// Slots in use. While one is free, nothing waits for a slot.
    used: usize,
    /// Bodies since the last batch of more than one; 0 if that was the last.
    lone: u32,
}

struct Waiting {
    number: u64,
    signed: Signed,
    done: oneshot::Sender<Turn>,
}

enum Turn {
    Digest([u8; 16]),
    Lead(Lead),
}

/// A batch that the first one of it computes.
struct Lead {
    own: Signed,
    others: Vec<Waiting>,
    _slot: Slot,
}

/// The right to compute on a blocking thread. On drop it goes to the first that waits, which
/// leads a batch.
pub(super) struct Slot(Arc<Batches>);

/// One that waits. It leaves the queue on drop.
struct Ticket<'a> {
    batches: &'a Batches,
    number: u64,
    done: oneshot::Receiver<Turn>,
}

impl Batches {
    /// A queue for blocking threads, of which as many compute at a time.
    pub(super) fn with_slots(slots: usize) -> Self {
        Self { state: Mutex::default(), slots: slots.max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Code that holds the lock cannot panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a body that is `alone` in memory should look for others that are ready. A server that
    /// reads, verifies and answers a body in one go has others ready and none in memory. So a body
    /// looks if the last one found others, and otherwise each eighth does.
    pub(super) fn may_share(&self, alone: bool) -> bool {
        let mut state = self.state();
        if !alone || state.lone == 0 {
            return true;
        }
        state.lone = state.lone % LOOK + 1;
        state.lone == LOOK
    }

    /// The MD5 of the values, computed together with those of the other ready tasks: they have one
    /// turn, and the first to wake computes all that wait. `None` if the computation failed.
    ///
    /// # Cancellation
    /// A dropped future leaves the queue, and others do not notice.
    pub(super) async fn digest(&self, signed: Signed) -> Option<[u8; 16]> {
        let (number, done) = self.state().push(signed);
        let mut ticket = Ticket { batches: self, number, done };
        tokio::task::yield_now().await;
        loop {
            // The lock is free before the computation.
            let batch = self.state().take_with(number);
            match batch {
                // A panic may be about another's body. It drops the senders, which tells all of them.
                Some(batch) => drop(catch_unwind(AssertUnwindSafe(|| compute(batch)))),
                None => break,
            }
        }
        match (&mut ticket.done).await {
            Ok(Turn::Digest(digest)) => Some(digest),
            _ => None,
        }
    }

    /// The MD5 of the values, computed together with those of other threads. Blocks while every
    /// slot is in use.
    ///
    /// # Errors
    /// With a slot if one is free: the caller computes its digest alone, and holds the slot
    /// meanwhile. Without one if the computation failed.
    pub(super) fn digest_blocking(
        self: &Arc<Self>,
        signed: Signed,
    ) -> Result<[u8; 16], Option<Slot>> {
        let done = {
            let mut state = self.state();
            if state.used < self.slots {
                state.used += 1;
                return Err(Some(Slot(Arc::clone(self))));
            }
            state.push(signed).1
        };
        match done.blocking_recv() {
            Ok(Turn::Digest(digest)) => Ok(digest),
            Ok(Turn::Lead(lead)) => lead.compute().ok_or(None),
            Err(_) => Err(None),
        }
    }
}

impl State {
    fn push(&mut self, signed: Signed) -> (u64, oneshot::Receiver<Turn>) {
        let (sender, done) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting { number, signed, done: sender });
        (number, done)
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |waiting| waiting.number).ok()
    }

    /// Takes the first ones of the queue, if this one is still in it.
    fn take_with(&mut self, number: u64) -> Option<Vec<Waiting>> {
        self.place(number)?;
        self.lone = u32::from(self.waiting.len() == 1);
        Some(self.waiting.drain(..self.waiting.len().min(MOST)).collect())
    }

    /// Takes the first one, and others of similar length.
    fn take_similar(&mut self) -> Option<(Waiting, Vec<Waiting>)> {
        let first = self.waiting.pop_front()?;
        let bytes = first.signed.bytes();
        let mut others = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at)
            && others.len() + 1 < MOST
        {
            if waiting.signed.is_similar(bytes) {
                others.extend(self.waiting.remove(at));
            } else {
                at += 1;
            }
        }
        Some((first, others))
    }
}

fn digests<'a>(all: impl Iterator<Item = &'a Signed>) -> Vec<[u8; 16]> {
    let values: Vec<_> = all.map(Signed::values).collect();
    crypto::sign_many(&values)
}

fn compute(batch: Vec<Waiting>) {
    let digests = digests(batch.iter().map(|waiting| &waiting.signed));
    finish(batch, digests);
}

fn finish(batch: Vec<Waiting>, digests: impl IntoIterator<Item = [u8; 16]>) {
    for (Waiting { signed, done, .. }, digest) in batch.into_iter().zip(digests) {
        // Before the digest is told, so that the body has one owner then.
        drop(signed);
        // One that was cancelled does not listen.
        let _ = done.send(Turn::Digest(digest));
    }
}

impl Lead {
    fn compute(self) -> Option<[u8; 16]> {
        let others = self.others.iter().map(|waiting| &waiting.signed);
        let mut digests = digests([&self.own].into_iter().chain(others)).into_iter();
        let own = digests.next();
        finish(self.others, digests);
        own
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let Some((first, others)) = state.take_similar() else {
            state.used -= 1;
            return;
        };
        drop(state);
        let lead = Lead { own: first.signed, others, _slot: Self(Arc::clone(&self.0)) };
        // A lead that cannot be sent is dropped, and hands the slot on.
        let _ = first.done.send(Turn::Lead(lead));
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.batches.state();
        let left = state.place(self.number).and_then(|at| state.waiting.remove(at));
        drop(state);
        drop(left);
    }
}

#[cfg(test)]
mod tests;
