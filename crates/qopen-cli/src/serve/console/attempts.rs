//! Limits of logins with a wrong token.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens without a wait.
const FREE: u32 = 5;

/// The longest wait, and the time after which failures are forgotten.
const LONGEST: Duration = Duration::from_secs(60);

/// Maximum number of remembered peers. A further one replaces the one that failed longest ago.
const MOST: usize = 1024;

struct Failed {
    times: u32,
    last: Instant,
}

impl Failed {
    /// Returns the time from which the next attempt is allowed: 1, 2, 4 … 60 s after the last one.
    fn next(&self) -> Instant {
        let wait = match self.times.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(more) => Duration::from_secs(1 << more.min(6)).min(LONGEST),
        };
        self.last + wait
    }
}

/// Failed logins by peer.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Failed>>);

impl Attempts {
    /// Counts an attempt as failed until [`succeeded`](Self::succeeded), so that attempts at the same time
    /// count too.
    ///
    /// # Errors
    /// The time until the next attempt.
    pub(super) fn begin(&self, peer: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = network(peer);
        if let Some(failed) = all.get(&peer) {
            let wait = failed.next().saturating_duration_since(now);
            if !wait.is_zero() {
                return Err(wait);
            }
        }
        let is_old = |it: &Failed| now.saturating_duration_since(it.last) >= LONGEST * 10;
        all.retain(|_, it| !is_old(it));
        if all.len() >= MOST
            && !all.contains_key(&peer)
            && let Some(oldest) = all.iter().min_by_key(|(_, it)| it.last).map(|(peer, _)| *peer)
        {
            all.remove(&oldest);
        }
        let failed = all.entry(peer).or_insert(Failed { times: 0, last: now });
        failed.times = failed.times.saturating_add(1);
        failed.last = now;
        Ok(())
    }

    /// Forgets the failures of a peer that gave the right token.
    pub(super) fn succeeded(&self, peer: Option<IpAddr>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&network(peer));
    }
}

/// One network of IPv6 has more addresses than can be counted.
fn network(peer: Option<IpAddr>) -> IpAddr {
    match peer.map(|it| it.to_canonical()) {
        Some(IpAddr::V6(ip)) => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)))
        }
        Some(ip) => ip,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn wrong_tokens_make_a_peer_wait_longer_and_no_other() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let a = peer("192.0.2.1");
        for _ in 0..FREE {
            attempts.begin(a, start).unwrap();
        }
        let mut now = start;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(wait);
            assert_eq!(attempts.begin(a, now), Err(wait));
            assert!(attempts.begin(peer("::ffff:192.0.2.1"), now).is_err(), "the same address");
            now += wait;
            attempts.begin(a, now).unwrap();
        }
        attempts.begin(peer("192.0.2.2"), now).unwrap();
        attempts.succeeded(a);
        attempts.begin(a, now).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer_and_peers_are_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for it in 0..FREE {
            attempts.begin(peer(&format!("2001:db8::{it}")), now).unwrap();
        }
        assert!(attempts.begin(peer("2001:db8::ffff"), now).is_err());
        attempts.begin(peer("2001:db8:0:1::"), now).unwrap();
        for it in 0..2 * MOST {
            let ip = IpAddr::from((it as u32).to_be_bytes());
            attempts.begin(Some(ip), now + Duration::from_secs(1)).unwrap();
        }
        assert_eq!(attempts.0.lock().unwrap().len(), MOST);
    }
}
