//! Verifies callbacks: from bytes to a verified envelope, one by one or several together.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use qopen_types::{Reading, Readings};

use crate::crypto;
use crate::envelope::Envelope;
use crate::error::OpenError;
use crate::keys::{CallbackKeys, Keyring};
use crate::policy::{TimestampAge, TimestampPolicy};

/// An envelope whose signature holds. Only [`Keyring::verify`] and [`Keyring::verify_many`] make
/// one.
pub struct VerifiedEnvelope<'a> {
    pub(crate) encoding_content: Cow<'a, str>,
    timestamp: Cow<'a, str>,
    pub(crate) signed_at: Option<u64>,
    /// The first pair of keys whose token made the signature.
    matched: usize,
    pub(crate) readings: Readings,
    ring: &'a Keyring,
}

/// From here on a timestamp counts milliseconds: as seconds it would be five thousand years ahead.
const MILLISECONDS: u64 = 100_000_000_000;

/// An envelope for this app, before its signature is checked.
pub(crate) struct Unverified<'a> {
    envelope: Envelope<'a>,
    /// The signature that it claims, if that is not in lowercase.
    lowercase: Option<String>,
}

impl Keyring {
    /// Reads an envelope, and checks its app key and its signature. Decrypts nothing.
    ///
    /// # Errors
    /// [`OpenError`]: `Empty`, `NotJson`, `NotAnObject`, `MissingField`, `FieldType`, `AppKey`,
    /// `Signature`.
    pub fn verify<'a>(&'a self, body: &'a [u8]) -> Result<VerifiedEnvelope<'a>, OpenError> {
        self.conclude(self.unverified(body)?, None)
    }

    /// Verifies each body as [`verify`](Self::verify) does, and returns the results in their order.
    ///
    /// The signatures are computed together in the lanes of the machine's vectors. From about eight
    /// bodies of similar length on, that takes a fraction of the time. A body whose signature seems
    /// not to hold is verified once more on its own before it is refused.
    pub fn verify_many<'a>(
        &'a self,
        bodies: &[&'a [u8]],
    ) -> Vec<Result<VerifiedEnvelope<'a>, OpenError>> {
        let all: Vec<_> = bodies.iter().map(|body| self.unverified(body)).collect();
        let mut found = vec![None; all.len()];
        for (pair, keys) in self.keys.iter().enumerate() {
            let open: Vec<(usize, &Unverified<'_>)> = (0..)
                .zip(&all)
                .filter_map(|(at, it)| Some((at, it.as_ref().ok()?)))
                .filter(|(at, _)| found[*at].is_none())
                .collect();
            if open.len() < 2 {
                break;
            }
            let values: Vec<_> =
                open.iter().map(|(_, it)| it.values(keys).map(str::as_bytes)).collect();
            for ((at, unverified), signature) in open.iter().zip(crypto::sign_many(&values)) {
                if unverified.claims(signature) {
                    found[*at] = Some(pair);
                }
            }
        }
        let all = all.into_iter().zip(found);
        all.map(|(unverified, pair)| self.conclude(unverified?, pair)).collect()
    }

    /// Reads an envelope, and checks its app key.
    pub(crate) fn unverified<'a>(&self, body: &'a [u8]) -> Result<Unverified<'a>, OpenError> {
        let envelope = Envelope::read(body)?;
        if envelope.app_key != self.app_key {
            return Err(OpenError::AppKey);
        }
        let upper = envelope.signature.bytes().any(|byte| byte.is_ascii_uppercase());
        let lowercase = upper.then(|| envelope.signature.to_ascii_lowercase());
        Ok(Unverified { envelope, lowercase })
    }

    /// Verifies an envelope, unless a pair of keys is known to make its signature.
    pub(crate) fn conclude<'a>(
        &'a self,
        unverified: Unverified<'a>,
        known: Option<usize>,
    ) -> Result<VerifiedEnvelope<'a>, OpenError> {
        // Further pairs are tried only if the first does not fit: each costs an MD5.
        let matches = |keys| unverified.claims(crypto::sign(unverified.values(keys)));
        let matched = match known {
            Some(known) => known,
            None => self.keys.iter().position(matches).ok_or(OpenError::Signature)?,
        };
        let Unverified { envelope, lowercase } = unverified;
        let mut readings = Readings::PLAIN;
        if envelope.bom {
            readings.insert(Reading::EnvelopeBom);
        }
        if lowercase.is_some() {
            readings.insert(Reading::SignatureCase);
        }
        let Envelope { encoding_content, timestamp, .. } = envelope;
        let signed_at = timestamp.trim().parse().ok().map(|number: u64| match number {
            MILLISECONDS.. => {
                readings.insert(Reading::Milliseconds);
                number / 1000
            }
            seconds => seconds,
        });
        Ok(VerifiedEnvelope {
            encoding_content,
            timestamp,
            signed_at,
            matched,
            readings,
            ring: self,
        })
    }
}

impl<'a> Unverified<'a> {
    /// The five values that a signature by these keys covers, in any order.
    pub(crate) fn values<'k>(&'k self, keys: &'k CallbackKeys) -> [&'k str; 5] {
        let [app_key, nonce, timestamp, content] = self.signed().map(|value| &**value);
        [app_key, keys.token.expose(), nonce, timestamp, content]
    }

    /// The values of the envelope that the signature covers.
    pub(crate) fn signed(&self) -> [&Cow<'a, str>; 4] {
        let Envelope { app_key, nonce, timestamp, encoding_content, .. } = &self.envelope;
        [app_key, nonce, timestamp, encoding_content]
    }

    /// Whether the envelope claims this signature. Takes constant time.
    pub(crate) fn claims(&self, signature: [u8; 16]) -> bool {
        crypto::matches(self.lowercase.as_deref().unwrap_or(&self.envelope.signature), signature)
    }
}

impl VerifiedEnvelope<'_> {
    /// The pairs of keys whose token made the signature, with their places in the ring.
    pub(crate) fn matched(&self) -> impl Iterator<Item = (usize, &CallbackKeys)> {
        let token = &self.ring.keys[self.matched].token;
        let later = self.ring.keys.iter().enumerate().skip(self.matched);
        later.filter(move |(_, keys)| keys.token == *token)
    }

    /// How the signed timestamp compares with `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn timestamp_age(&self, now: u64, timestamps: TimestampPolicy) -> TimestampAge {
        timestamps.judge(self.signed_at, now)
    }

    /// Time of the signature, in seconds since the Unix epoch by the platform's clock; `None` if
    /// the timestamp is not a number. A timestamp in milliseconds is converted.
    #[must_use]
    pub fn signed_at(&self) -> Option<u64> {
        self.signed_at
    }

    /// The encrypted content, byte for byte.
    #[must_use]
    pub fn encoding_content(&self) -> &str {
        &self.encoding_content
    }

    /// The signed timestamp, byte for byte.
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }
}

impl fmt::Debug for VerifiedEnvelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedEnvelope")
            .field("timestamp", &self.timestamp)
            .field("bytes", &self.encoding_content.len())
            .finish_non_exhaustive()
    }
}
