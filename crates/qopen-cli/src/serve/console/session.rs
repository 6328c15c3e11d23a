//! Sessions of the console, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A session ends after this time without a request.
pub(super) const IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// A session ends this time after the login.
pub(super) const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// Maximum number of sessions. A further login ends the one that was used longest ago.
const MOST: usize = 256;

/// A text of 32 random bytes, which is never shown in logs.
#[derive(Clone)]
pub(super) struct Random(String);

impl Random {
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// Identifies a session without being its cookie: lookups tell nothing about the cookie by their time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionKey([u8; 32]);

impl SessionKey {
    fn of(cookie: &str) -> Self {
        Self(Sha256::digest(cookie.as_bytes()).into())
    }
}

struct Session {
    csrf: Random,
    began: Instant,
    used: Instant,
}

impl Session {
    fn end(&self) -> Instant {
        (self.began + LONGEST).min(self.used + IDLE)
    }
}

/// All sessions. None survives the process.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, and returns its cookie.
    pub(super) fn begin(&self, now: Instant) -> Result<Random, getrandom::Error> {
        let (cookie, csrf) = (Random::new()?, Random::new()?);
        let mut all = self.lock();
        all.retain(|_, it| now < it.end());
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, it)| it.used).map(|(key, _)| *key)
        {
            all.remove(&oldest);
        }
        all.insert(SessionKey::of(cookie.as_str()), Session { csrf, began: now, used: now });
        Ok(cookie)
    }

    /// Returns the session of a cookie with its CSRF token, and notes that it is used.
    pub(super) fn find(&self, cookie: &str, now: Instant) -> Option<(SessionKey, Random)> {
        let key = SessionKey::of(cookie);
        let mut all = self.lock();
        let session = all.get_mut(&key)?;
        if now >= session.end() {
            all.remove(&key);
            return None;
        }
        session.used = session.used.max(now);
        Some((key, session.csrf.clone()))
    }

    /// Whether the session has not ended. Open streams ask, which does not prolong it.
    pub(super) fn is_live(&self, key: SessionKey, now: Instant) -> bool {
        self.lock().get(&key).is_some_and(|it| now < it.end())
    }

    pub(super) fn end(&self, key: SessionKey) {
        self.lock().remove(&key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_session_ends_when_idle_and_after_the_longest_time() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let second = Duration::from_secs(1);
        let cookie = sessions.begin(start).unwrap();
        let (key, csrf) = sessions.find(cookie.as_str(), start).unwrap();
        assert!(!csrf.is(cookie.as_str()));
        // Open streams do not prolong it.
        assert!(sessions.is_live(key, start + IDLE - second));
        assert!(!sessions.is_live(key, start + IDLE));
        assert!(sessions.find(cookie.as_str(), start + IDLE).is_none());
        assert!(sessions.find(cookie.as_str(), start).is_none(), "an ended session stays so");

        let cookie = sessions.begin(start).unwrap();
        let mut now = start;
        while now + IDLE / 2 < start + LONGEST {
            now += IDLE / 2;
            assert!(sessions.find(cookie.as_str(), now).is_some());
        }
        assert!(sessions.find(cookie.as_str(), start + LONGEST).is_none());
    }

    #[test]
    fn an_ended_or_made_up_session_is_not_found() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = sessions.begin(now).unwrap();
        let (key, csrf) = sessions.find(cookie.as_str(), now).unwrap();
        for other in ["", "x", csrf.as_str(), &cookie.as_str()[1..]] {
            assert!(sessions.find(other, now).is_none(), "{other}");
        }
        sessions.end(key);
        assert!(sessions.find(cookie.as_str(), now).is_none());
    }

    #[test]
    fn i11_the_longest_unused_session_makes_room() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let at = |number: usize| now + Duration::from_millis(number as u64);
        let cookies: Vec<_> = (0..MOST).map(|it| sessions.begin(at(it)).unwrap()).collect();
        sessions.find(cookies[0].as_str(), at(MOST)).unwrap();
        sessions.begin(at(MOST + 1)).unwrap();
        assert_eq!(sessions.lock().len(), MOST);
        assert!(sessions.find(cookies[0].as_str(), at(MOST + 2)).is_some());
        assert!(sessions.find(cookies[1].as_str(), at(MOST + 2)).is_none());
    }
}
