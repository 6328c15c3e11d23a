//! From a whole body to an opened callback, with signatures that are checked together under load.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::task::{JoinError, spawn_blocking, yield_now};

use super::batches::{Batches, Signed};
use super::memory::{LARGE, Reading};
use crate::verify::{Unverified, VerifiedEnvelope};
use crate::{Keyring, OpenError, OpenedCallback, RejectReason, TimestampPolicy};

/// A callback whose signature holds.
pub(super) enum Verified {
    Opened(OpenedCallback),
    Undecrypted { content: String, error: OpenError, signed_at: Option<u64> },
}

/// Opens bodies.
pub(super) struct Opener {
    timestamps: TimestampPolicy,
    small: Batches,
    /// Bodies above [`LARGE`]: as many batches at a time as there are cores.
    large: Arc<Batches>,
}

impl Opener {
    pub(super) fn new(timestamps: TimestampPolicy) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let large = Arc::new(Batches::with_slots(cores));
        Self { timestamps, small: Batches::default(), large }
    }

    /// Verifies and opens a body. The body of a dropped future keeps its memory reserved until the
    /// code that reads it is done.
    ///
    /// # Errors
    /// The runtime ends, or the code that reads the body panics.
    pub(super) async fn open(
        self: &Arc<Self>,
        ring: Arc<Keyring>,
        body: &Bytes,
        reading: &Arc<Reading>,
    ) -> Result<Result<Verified, OpenError>, JoinError> {
        if body.len() <= LARGE {
            return Ok(self.open_small(&ring, body, reading).await);
        }
        let (opener, body, reading) = (Arc::clone(self), body.clone(), Arc::clone(reading));
        spawn_blocking(move || opener.open_large(&ring, &body, &reading)).await
    }

    /// A lone body is verified at once. Under load the bodies that are ready have a turn first, and
    /// share a batch with it.
    async fn open_small(
        &self,
        ring: &Arc<Keyring>,
        body: &Bytes,
        reading: &Arc<Reading>,
    ) -> Result<Verified, OpenError> {
        let unverified = ring.unverified(body)?;
        let mut known = None;
        if self.small.may_share(reading.is_alone()) {
            for pair in 0..ring.keys.len() {
                let Some(signed) = signed(ring, pair, &unverified, body, reading) else { break };
                let Some(digest) = self.small.digest(signed).await else { break };
                if unverified.claims(digest) {
                    known = Some(pair);
                    break;
                }
            }
            if known.is_none() {
                // It is hashed once more before it is refused: after the genuine ones of its batch.
                yield_now().await;
            }
        }
        self.decrypted(ring.conclude(unverified, known)?)
    }

    fn open_large(
        &self,
        ring: &Arc<Keyring>,
        body: &Bytes,
        reading: &Arc<Reading>,
    ) -> Result<Verified, OpenError> {
        let unverified = ring.unverified(body)?;
        let mut known = None;
        let mut slot = None;
        for pair in 0..ring.keys.len() {
            let Some(signed) = signed(ring, pair, &unverified, body, reading) else { break };
            match self.large.digest_blocking(signed) {
                Ok(digest) if unverified.claims(digest) => {
                    known = Some(pair);
                    break;
                }
                Ok(_) => {}
                Err(alone) => {
                    slot = alone;
                    break;
                }
            }
        }
        let verified = ring.conclude(unverified, known);
        drop(slot);
        self.decrypted(verified?)
    }

    fn decrypted(&self, verified: VerifiedEnvelope<'_>) -> Result<Verified, OpenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match verified.open(now.as_secs(), self.timestamps) {
            Ok(opened) => Ok(Verified::Opened(opened)),
            Err(error) if error.reason() == RejectReason::Undecryptable => {
                let content = verified.encoding_content().to_owned();
                Ok(Verified::Undecrypted { content, error, signed_at: verified.signed_at() })
            }
            Err(error) => Err(error),
        }
    }
}

/// The values to hash, without a copy. `None` for the rare envelope with escapes in them.
fn signed(
    ring: &Arc<Keyring>,
    pair: usize,
    unverified: &Unverified<'_>,
    body: &Bytes,
    reading: &Arc<Reading>,
) -> Option<Signed> {
    let part = |value: &Cow<'_, str>| match value {
        Cow::Borrowed(text) => Some(body.slice_ref(text.as_bytes())),
        Cow::Owned(_) => None,
    };
    let [Some(a), Some(b), Some(c), Some(d)] = unverified.signed().map(part) else { return None };
    let values = [a, b, c, d];
    Some(Signed { ring: Arc::clone(ring), pair, values, _reading: Arc::clone(reading) })
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::super::memory::Memory;
    use super::*;
    use crate::CallbackKeys;

    const NOW: u64 = 1_763_850_000;

    fn pair(token: &str, aes: &str) -> CallbackKeys {
        CallbackKeys::new(token, &aes.into()).unwrap()
    }

    #[tokio::test]
    async fn during_a_rotation_each_body_of_a_burst_is_opened_by_the_pair_that_sealed_it() {
        let [first, second] = ["0123456789abcdef", "fedcba9876543210"];
        let pairs = [pair("old", first), pair("new", first), pair("new", second)];
        let [one, two, three] = pairs.clone();
        let ring = Arc::new(Keyring::new("app", one).with_keys(two).with_keys(three));
        let opener = Arc::new(Opener::new(TimestampPolicy::default()));
        let memory = Arc::new(Memory::new(1 << 26, 1 << 20));
        let payload = |n: usize| "p".repeat(if n.is_multiple_of(5) { LARGE + n } else { n * 40 });
        let sealed = |n: usize| {
            let keys = pairs.get(n % 4).cloned().unwrap_or_else(|| pair("forged", first));
            let envelope = Keyring::new("app", keys).seal(&payload(n), "nonce", NOW);
            let body = serde_json::to_string(&envelope).unwrap();
            // One in three has escapes: its values are not parts of the body.
            Bytes::from(if n.is_multiple_of(3) {
                body.replace(":\"nonce", ":\"\\u006eonce")
            } else {
                body
            })
        };
        let bodies: Vec<_> = (0..120).map(|n| (sealed(n), Arc::new(memory.enter(None)))).collect();
        let opening =
            bodies.iter().map(|(body, reading)| opener.open(Arc::clone(&ring), body, reading));
        for (n, opened) in join_all(opening).await.into_iter().enumerate() {
            match opened.unwrap() {
                Ok(Verified::Opened(opened)) => {
                    assert_eq!(
                        (opened.matched_key(), opened.payload()),
                        (n % 4, payload(n).as_bytes())
                    );
                }
                Err(error) => {
                    assert!(n % 4 == 3 && matches!(error, OpenError::Signature), "{n}: {error}")
                }
                Ok(Verified::Undecrypted { error, .. }) => panic!("{n}: {error}"),
            }
        }
    }
}
