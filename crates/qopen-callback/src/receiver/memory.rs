//! Memory for bodies: bounded, shared fairly, and taken from bodies that stall.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Bodies above this many bytes are verified and decrypted outside the threads that serve
/// connections.
pub(super) const LARGE: usize = 256 * 1024;

/// Time that a body waits for room.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time without a byte after which a body may have to give way.
const STALLED: Duration = Duration::from_millis(200);

/// The memory of all bodies, in bytes. Unverified bodies have one half, of which bodies above
/// [`LARGE`] have at most three quarters, and so has each peer. Verified bodies have the other
/// half.
#[derive(Debug)]
pub(super) struct Memory {
    unverified: usize,
    verified: usize,
    /// Held for a map operation, never across an await.
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    unverified: usize,
    /// Of these, bytes of bodies above [`LARGE`].
    large: usize,
    verified: usize,
    peers: BTreeMap<Option<IpAddr>, usize>,
    readings: BTreeMap<u64, Row>,
    next: u64,
}

#[derive(Debug)]
struct Row {
    peer: Option<IpAddr>,
    held: usize,
    /// Whether all of it is here: it waits for this side alone.
    is_whole: bool,
    progressed: Instant,
    gives_way: Arc<Notify>,
}

/// The error of a body that found no room.
#[derive(Debug)]
pub(super) struct NoRoom;

/// A body that is being read. Its memory is returned on drop.
#[derive(Debug)]
pub(super) struct Reading {
    memory: Arc<Memory>,
    number: u64,
    gives_way: Arc<Notify>,
}

/// A verified body. Its memory is returned on drop.
#[derive(Debug)]
pub(super) struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    /// Room for `memory` bytes, and for at least two bodies of the largest size.
    pub(super) fn new(memory: usize, body: usize) -> Self {
        let half = (memory / 2).max(body);
        let verified = (memory - half.min(memory)).max(body);
        Self { unverified: half, verified, state: Mutex::default(), freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Code that holds the lock cannot panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a body of this peer, which holds no memory yet.
    pub(super) fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> Reading {
        let gives_way = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let progressed = Instant::now();
        let gives = Arc::clone(&gives_way);
        let row = Row { peer, held: 0, is_whole: false, progressed, gives_way: gives };
        state.readings.insert(number, row);
        Reading { memory: Arc::clone(self), number, gives_way }
    }

    /// Three quarters, but at least one body of the largest size.
    fn share(&self) -> usize {
        self.unverified - self.unverified / 4
    }
}

impl State {
    /// Reserves more for a body, or returns the bodies that would have to give way.
    fn grow(&mut self, memory: &Memory, number: u64, to: usize) -> Result<(), Crowd> {
        let Some(row) = self.readings.get(&number) else { return Ok(()) };
        let (peer, held) = (row.peer, row.held);
        let more = to.saturating_sub(held);
        if self.unverified + more > memory.unverified {
            return Err(Crowd::All);
        }
        let was_large = if held > LARGE { held } else { 0 };
        let large = self.large - was_large + if to > LARGE { to } else { 0 };
        // A body that is alone may take the whole share.
        if to > LARGE && large > memory.share() && large > to {
            return Err(Crowd::Large);
        }
        let of_peer = self.peers.get(&peer).copied().unwrap_or(0) + more;
        if of_peer > memory.share() && of_peer > to {
            return Err(Crowd::Peer(peer));
        }
        self.unverified += more;
        self.large = large;
        self.peers.insert(peer, of_peer);
        if let Some(row) = self.readings.get_mut(&number) {
            (row.held, row.progressed) = (to, Instant::now());
        }
        Ok(())
    }

    /// The body of the crowd that stalled for longest, and for longer than this one: of two that
    /// wait for each other, one gives way.
    fn stalled(&self, crowd: Crowd, number: u64) -> Option<Arc<Notify>> {
        let progressed = self.readings.get(&number)?.progressed;
        let of_crowd = |row: &Row| match crowd {
            Crowd::All => true,
            Crowd::Large => row.held > LARGE,
            Crowd::Peer(peer) => row.peer == peer,
        };
        let stalled = |row: &&Row| {
            let waits = row.held > 0 && !row.is_whole && row.progressed < progressed;
            waits && row.progressed.elapsed() >= STALLED
        };
        let rows = self.readings.values().filter(|row| of_crowd(row)).filter(stalled);
        rows.min_by_key(|row| row.progressed).map(|row| Arc::clone(&row.gives_way))
    }

    fn leave(&mut self, number: u64) -> usize {
        let Some(row) = self.readings.remove(&number) else { return 0 };
        self.unverified -= row.held;
        if row.held > LARGE {
            self.large -= row.held;
        }
        if let Some(of_peer) = self.peers.get_mut(&row.peer) {
            *of_peer -= row.held;
            if *of_peer == 0 {
                self.peers.remove(&row.peer);
            }
        }
        row.held
    }
}

/// The bodies that hold the memory that another one lacks.
#[derive(Clone, Copy)]
enum Crowd {
    All,
    Large,
    Peer(Option<IpAddr>),
}

impl Reading {
    /// Grows the body's memory to `to` bytes. If there is none, a stalled body gives way.
    pub(super) async fn grow(&self, to: usize) -> Result<(), NoRoom> {
        let until = Instant::now() + PATIENCE;
        loop {
            let freed = self.memory.freed.notified();
            tokio::pin!(freed);
            // Enabled before the look, so that no notification is lost.
            freed.as_mut().enable();
            let stalled = {
                let mut state = self.memory.state();
                match state.grow(&self.memory, self.number, to) {
                    Ok(()) => return Ok(()),
                    Err(crowd) => state.stalled(crowd, self.number),
                }
            };
            if let Some(stalled) = &stalled {
                stalled.notify_one();
            }
            // A body that is slow now may stall in a moment.
            let look = (Instant::now() + STALLED).min(until);
            if timeout_at(look, freed).await.is_err() && Instant::now() >= until {
                return Err(NoRoom);
            }
        }
    }

    /// Notes that the body is whole: it gives way to none from now on.
    pub(super) fn complete(&self) {
        if let Some(row) = self.memory.state().readings.get_mut(&self.number) {
            row.is_whole = true;
        }
    }

    /// Waits until the body must give way to others.
    pub(super) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }

    /// Whether no other body is being read, verified or handled.
    pub(super) fn is_alone(&self) -> bool {
        let state = self.memory.state();
        state.readings.len() <= 1 && state.verified == 0
    }

    /// Moves a genuine body to the verified half. A second call moves nothing.
    pub(super) fn verified(&self) -> Result<Held, NoRoom> {
        let mut state = self.memory.state();
        let bytes = state.readings.get(&self.number).map_or(0, |row| row.held);
        if state.verified + bytes > self.memory.verified {
            return Err(NoRoom);
        }
        state.leave(self.number);
        state.verified += bytes;
        drop(state);
        self.memory.freed.notify_waiters();
        Ok(Held { memory: Arc::clone(&self.memory), bytes })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.memory.state().leave(self.number);
        self.memory.freed.notify_waiters();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.state().verified -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn room(memory: usize, body: usize) -> Arc<Memory> {
        Arc::new(Memory::new(memory, body))
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_body_that_is_verified_gives_way_to_none_and_a_stalled_one_does() {
        let room = room(4096 * KIB, 1024 * KIB);
        let whole = room.enter(None);
        whole.grow(512 * KIB).await.unwrap();
        whole.complete();
        tokio::time::advance(Duration::from_millis(1)).await;
        let stalled = room.enter(None);
        stalled.grow(1024 * KIB).await.unwrap();
        tokio::time::advance(STALLED).await;
        let page = room.enter(None);
        let gives_way = async {
            stalled.gives_way().await;
            drop(stalled);
        };
        let (grown, ()) = tokio::join!(page.grow(512 * KIB), gives_way);
        assert!(grown.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn i11_who_sends_nothing_gives_way_to_who_does() {
        let room = room(4096 * KIB, 1024 * KIB);
        // The share of one peer's large bodies: three quarters of 2 MiB.
        let slow: Vec<_> = (0..3).map(|_| room.enter(None)).collect();
        for reading in &slow {
            reading.grow(512 * KIB).await.unwrap();
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        // They have just received bytes, so the next body waits until one of them has stalled.
        let page = room.enter(None);
        let waits = async {
            tokio::select! {
                grown = page.grow(512 * KIB) => grown.is_ok(),
                () = async { slow[0].gives_way().await; tokio::time::sleep(Duration::from_secs(9)).await } => false,
            }
        };
        // The first of them was notified, and keeps its memory.
        assert!(!waits.await);
        let mut slow = slow.into_iter();
        let (first, second) = (slow.next().unwrap(), slow.next().unwrap());
        let gives_way = async {
            first.gives_way().await;
            drop(first);
        };
        let (grown, ()) = tokio::join!(page.grow(512 * KIB), gives_way);
        assert!(grown.is_ok());
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn i11_small_bodies_have_a_share_that_large_ones_cannot_take() {
        let room = room(4096 * KIB, 1024 * KIB);
        let large: Vec<_> = (0..3).map(|n| room.enter(Some([127, 0, 0, n].into()))).collect();
        for reading in &large {
            reading.grow(512 * KIB).await.unwrap();
        }
        let fourth = room.enter(Some([127, 0, 0, 9].into()));
        assert!(fourth.grow(512 * KIB).await.is_err());
        let small = room.enter(Some([127, 0, 0, 9].into()));
        assert!(small.grow(256 * KIB).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn i11_one_peer_has_three_quarters_at_most() {
        let room = room(4096 * KIB, 1024 * KIB);
        let peer = |n: u8| Some([127, 0, 0, n].into());
        let held: Vec<_> = (0..6).map(|_| room.enter(peer(1))).collect();
        for reading in &held {
            reading.grow(256 * KIB).await.unwrap();
        }
        assert!(room.enter(peer(1)).grow(256 * KIB).await.is_err());
        assert!(room.enter(peer(2)).grow(256 * KIB).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn e3_what_is_verified_does_not_wait_behind_what_is_not() {
        let room = room(4096 * KIB, 1024 * KIB);
        let page = room.enter(None);
        page.grow(200 * KIB).await.unwrap();
        let held = page.verified().unwrap();
        // The other half is full, and the page has the memory that it needs.
        let rest = room.enter(None);
        rest.grow(2048 * KIB).await.unwrap();
        let taken = |memory: &Memory| {
            let state = memory.state();
            (state.verified, state.unverified)
        };
        assert_eq!(taken(&room), (200 * KIB, 2048 * KIB));
        drop(rest);
        let next = room.enter(None);
        assert!(!next.is_alone(), "the page is not answered yet");
        drop(held);
        assert!(next.is_alone());
        drop(next);
        let state = room.state();
        assert_eq!((state.verified, state.unverified, state.large), (0, 0, 0));
        assert!(state.peers.is_empty() && state.readings.is_empty());
    }
}
