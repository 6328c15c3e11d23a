//! The table of open connections: their peers, and how long each has been idle.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Marks a busy connection, in the field of the time since which it is idle.
const BUSY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Connections {
    began: Instant,
    /// Held for a map operation, never across an await.
    rows: Mutex<Rows>,
    /// Notifies that a connection has become idle, or has closed.
    changed: Notify,
    accepted: AtomicU64,
    refused: AtomicU64,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct Rows {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
    peers: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    /// In microseconds since the table began, or [`BUSY`].
    idle_since: AtomicU64,
    evicted: Notify,
}

/// A connection's row in the table, removed on drop.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    table: Arc<Connections>,
    connection: Arc<Connection>,
    number: u64,
    peer: IpAddr,
}

/// A request that is being read or answered. Its connection is idle again on drop.
#[derive(Debug)]
pub(super) struct BusyGuard {
    table: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            rows: Mutex::default(),
            changed: Notify::new(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Connections {
    pub(super) fn open(&self) -> u64 {
        self.rows().connections.len() as u64
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        // It reaches BUSY after half a million years.
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(BUSY - 1)
    }

    /// Whether a peer may have one more connection; counts a refusal if not.
    pub(super) fn admits(&self, peer: IpAddr, per_peer: usize) -> bool {
        let admits = self.rows().peers.get(&network(peer)).is_none_or(|has| *has < per_peer);
        if !admits {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admits
    }

    /// Adds a connection, unless its peer is at its limit.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, per_peer: usize) -> Option<ConnectionSlot> {
        let peer = network(peer);
        let idle_since = AtomicU64::new(self.now());
        let connection = Arc::new(Connection { idle_since, evicted: Notify::new() });
        let mut rows = self.rows();
        let of_peer = rows.peers.entry(peer).or_default();
        if *of_peer >= per_peer {
            return None;
        }
        *of_peer += 1;
        let number = rows.next;
        rows.next += 1;
        rows.connections.insert(number, Arc::clone(&connection));
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Some(ConnectionSlot { table: Arc::clone(self), connection, number, peer })
    }

    /// Tells the longest-idle connection to close; returns false if none is idle.
    pub(super) fn evict_idlest(&self) -> bool {
        let rows = self.rows();
        let since = |it: &&Arc<Connection>| it.idle_since.load(Ordering::Acquire);
        let Some(idlest) = rows.connections.values().min_by_key(since) else { return false };
        if since(&idlest) == BUSY {
            return false;
        }
        idlest.evicted.notify_one();
        true
    }

    /// Waits until one more connection may be open.
    pub(super) async fn make_room(&self, connections: usize) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Enabled before the look, so that no notification is lost.
            changed.as_mut().enable();
            if self.rows().connections.len() < connections {
                return;
            }
            // If none is idle, or the idle one has got a request, another one is idle soon.
            self.evict_idlest();
            changed.await;
        }
    }
}

impl ConnectionSlot {
    /// The peer of the connection: an address, or a network.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Marks the connection busy until the returned guard is dropped.
    pub(super) fn busy(&self) -> BusyGuard {
        self.connection.idle_since.store(BUSY, Ordering::Release);
        BusyGuard { table: Arc::clone(&self.table), connection: Arc::clone(&self.connection) }
    }

    /// Waits until the connection must close for another one. A connection that got a request in
    /// between stays.
    pub(super) async fn evicted(&self) {
        loop {
            self.connection.evicted.notified().await;
            if self.connection.idle_since.load(Ordering::Acquire) != BUSY {
                self.table.evicted.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // A task that waits for this connection's place must evict another one.
            self.table.changed.notify_waiters();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut rows = self.table.rows();
        rows.connections.remove(&self.number);
        if let Some(of_peer) = rows.peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                rows.peers.remove(&self.peer);
            }
        }
        drop(rows);
        self.table.changed.notify_waiters();
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.connection.idle_since.store(self.table.now(), Ordering::Release);
        self.table.changed.notify_waiters();
    }
}

/// The peer that an address counts as: the owner of an IPv6 network has all of its addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_a_peer_is_an_address_or_a_network() {
        let table = Arc::new(Connections::default());
        let enter = |peer: &str| {
            let peer = peer.parse().unwrap();
            table.admits(peer, 2).then(|| table.enter(peer, 2)).flatten()
        };
        let held = [enter("192.0.2.1"), enter("::ffff:192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        let also = [enter("2001:db8::1"), enter("2001:db8::ffff:1")];
        assert!(also.iter().all(Option::is_some));
        assert!(enter("2001:db8::2").is_none());
        assert!(enter("2001:db8:0:1::2").is_some());
        assert_eq!((table.open(), table.refused(), table.accepted()), (4, 2, 6));
        drop(held);
        assert!(enter("192.0.2.1").is_some());
        drop(also);
        assert_eq!((table.open(), table.rows().peers.len()), (0, 0));
    }

    #[test]
    fn the_idlest_goes_and_a_busy_one_stays() {
        let table = Arc::new(Connections::default());
        assert!(!table.evict_idlest(), "there is none");
        let peer = "192.0.2.1".parse().unwrap();
        let slots: Vec<_> = (0..3).filter_map(|_| table.enter(peer, 9)).collect();
        for (at, slot) in slots.iter().enumerate() {
            slot.connection.idle_since.store(at as u64, Ordering::Release);
        }
        let first = slots[0].busy();
        assert!(table.evict_idlest());
        assert_eq!(Arc::strong_count(&slots[1].connection), 2);
        let woken = |slot: &ConnectionSlot| {
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            let mut evicted = std::pin::pin!(slot.evicted());
            evicted.as_mut().poll(&mut context).is_ready()
        };
        assert_eq!([woken(&slots[0]), woken(&slots[1]), woken(&slots[2])], [false, true, false]);
        let others = [slots[1].busy(), slots[2].busy()];
        assert!(!table.evict_idlest(), "all are busy");
        drop((first, others));
        assert!(table.evict_idlest());
    }
}
