//! Opens callbacks: from a verified envelope to an opened callback.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use qopen_types::{CallbackEnvelope, EventType, PayloadText, Reading, Readings};

use crate::crypto::{self, Padding};
use crate::error::OpenError;
use crate::keys::Keyring;
use crate::policy::{TimestampAge, TimestampPolicy};
use crate::verify::VerifiedEnvelope;

/// A callback that was verified and decrypted. Only a verified envelope makes one (invariant I8).
#[derive(Clone)]
pub struct OpenedCallback {
    payload: Vec<u8>,
    matched_key: usize,
    timestamp_age: TimestampAge,
    signed_at: Option<u64>,
    readings: Readings,
}

impl Keyring {
    /// Decrypts the content of a verified envelope with the first pair of keys that fits. Use it
    /// for content that was kept because no key fitted when it came.
    ///
    /// # Errors
    /// [`OpenError`]: `Base64`, `Length`, `Padding`.
    pub fn decrypt(&self, encoding_content: &str) -> Result<(Vec<u8>, Readings), OpenError> {
        let mut failure = OpenError::Padding;
        for keys in &self.keys {
            match decrypt(encoding_content, &keys.aes) {
                Ok(opened) => return Ok(opened),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Verifies and decrypts. `now` is the time in seconds since the Unix epoch.
    ///
    /// The payload may be any bytes: it is not checked to be JSON.
    ///
    /// # Errors
    /// [`OpenError`], any variant.
    pub fn open(
        &self,
        body: &[u8],
        now: u64,
        timestamps: TimestampPolicy,
    ) -> Result<OpenedCallback, OpenError> {
        self.verify(body)?.open(now, timestamps)
    }

    /// Encrypts and signs a payload with the first pair of keys, as the platform does.
    #[must_use]
    pub fn seal(&self, payload: &str, nonce: &str, timestamp: u64) -> CallbackEnvelope {
        let content = self.encrypt(payload.as_bytes(), Padding::Pkcs7);
        self.sign(content, nonce, timestamp.to_string())
    }

    /// Encrypts bytes with the first pair of keys. Returns base64: the content of an envelope.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8], padding: Padding) -> String {
        STANDARD.encode(crypto::encrypt(&self.sealing().aes, plaintext, padding))
    }

    /// Signs a content with the first pair of keys, without encrypting it.
    #[must_use]
    pub fn sign(
        &self,
        encoding_content: String,
        nonce: &str,
        timestamp: String,
    ) -> CallbackEnvelope {
        let token = self.sealing().token.expose();
        let signature = crypto::sign([&self.app_key, token, nonce, &timestamp, &encoding_content]);
        CallbackEnvelope::new(
            self.app_key.clone(),
            nonce.to_owned(),
            timestamp,
            crypto::hex(signature).map(char::from).iter().collect(),
            encoding_content,
        )
    }
}

impl VerifiedEnvelope<'_> {
    /// Decrypts the content. `now` is the time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`OpenError`]: `Stale` and `TimestampUnreadable` if the policy refuses them, `Base64`,
    /// `Length`, `Padding`.
    pub fn open(&self, now: u64, timestamps: TimestampPolicy) -> Result<OpenedCallback, OpenError> {
        let timestamp_age = self.timestamp_age(now, timestamps);
        match timestamp_age {
            TimestampAge::Stale { away } if timestamps.refuse => {
                return Err(OpenError::Stale { away });
            }
            TimestampAge::Unreadable if timestamps.refuse => {
                return Err(OpenError::TimestampUnreadable);
            }
            _ => {}
        }
        let mut failure = OpenError::Signature;
        for (matched_key, keys) in self.matched() {
            match decrypt(&self.encoding_content, &keys.aes) {
                Ok((payload, readings)) => {
                    let (signed_at, readings) = (self.signed_at, readings.union(self.readings));
                    return Ok(OpenedCallback {
                        payload,
                        matched_key,
                        timestamp_age,
                        signed_at,
                        readings,
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Decodes, decrypts and removes the padding.
fn decrypt(encoding_content: &str, key: &[u8]) -> Result<(Vec<u8>, Readings), OpenError> {
    let (mut plain, mut readings) = decoded(encoding_content).map_err(not_base64)?;
    if !crypto::decrypt(key, &mut plain) {
        return Err(OpenError::Length { bytes: plain.len() });
    }
    match crypto::padding(&plain) {
        Some(padding) => {
            plain.truncate(plain.len() - padding);
            if padding > crypto::BLOCK {
                readings.insert(Reading::WecomPadding);
            }
        }
        // Not padded, or damaged: only the text can tell.
        None if is_one_object(&plain) => readings.insert(Reading::Unpadded),
        None => return Err(OpenError::Padding),
    }
    Ok((plain, readings))
}

fn is_one_object(plain: &[u8]) -> bool {
    let object = |text: &str| {
        text.trim_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    };
    let text = PayloadText::of(plain);
    object(text.as_str()) || text.repaired().is_some_and(|text| object(text.as_str()))
}

fn not_base64(error: base64::DecodeError) -> OpenError {
    // Without `std` it is no `Error`, and its text is.
    #[cfg(not(feature = "std"))]
    let error = alloc::string::ToString::to_string(&error);
    OpenError::Base64(error.into())
}

/// Decodes base64. Whatever the fast decoder refuses goes to the standard one; then white space,
/// the URL-safe alphabet and missing padding are tolerated.
fn decoded(text: &str) -> Result<(Vec<u8>, Readings), base64::DecodeError> {
    if let Ok(bytes) = base64_simd::STANDARD.decode_to_vec(text) {
        return Ok((bytes, Readings::PLAIN));
    }
    let error = match STANDARD.decode(text) {
        Ok(bytes) => return Ok((bytes, Readings::PLAIN)),
        Err(error) => error,
    };
    let mut readings = Readings::PLAIN;
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            ' ' | '\t' | '\r' | '\n' => {
                readings.insert(Reading::Base64Space);
                continue;
            }
            '-' | '_' => {
                readings.insert(Reading::Base64Url);
                if c == '-' { '+' } else { '/' }
            }
            c => c,
        };
        plain.push(c);
    }
    let unpadded = plain.trim_end_matches('=');
    if !plain.len().is_multiple_of(4) || plain.len() - unpadded.len() > 2 {
        readings.insert(Reading::Base64Padding);
    }
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    match GeneralPurpose::new(&alphabet::STANDARD, config).decode(unpadded) {
        Ok(bytes) if !readings.is_plain() => Ok((bytes, readings)),
        _ => Err(error),
    }
}

impl OpenedCallback {
    /// The decrypted payload, byte for byte: usually JSON.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The decrypted payload, without a copy.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> PayloadText<'_> {
        PayloadText::of(&self.payload)
    }

    /// The event type that the payload names. Reads no further than necessary.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        EventType::of_bytes(&self.payload)
    }

    /// Time of the signature, in seconds since the Unix epoch by the platform's clock; `None` if
    /// the timestamp is not a number.
    #[must_use]
    pub fn signed_at(&self) -> Option<u64> {
        self.signed_at
    }

    /// Tolerated spellings that opening it needed.
    #[must_use]
    pub fn readings(&self) -> Readings {
        self.readings
    }

    /// Index of the pair that opened it, counted from 0.
    #[must_use]
    pub fn matched_key(&self) -> usize {
        self.matched_key
    }

    /// How its timestamp compared with the clock.
    #[must_use]
    pub fn timestamp_age(&self) -> TimestampAge {
        self.timestamp_age
    }
}

impl fmt::Debug for OpenedCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedCallback")
            .field("event_type", &self.event_type())
            .field("bytes", &self.payload.len())
            .field("matched_key", &self.matched_key)
            .field("timestamp_age", &self.timestamp_age)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        if let Ok(quick) = base64_simd::STANDARD.decode_to_vec(text) {
            prop_assert_eq!(Ok(quick), STANDARD.decode(text));
        }
        // What both decoders accept counts as plain, and the tolerant one accepts all of that.
        if let (Ok(strict), Ok((bytes, readings))) = (STANDARD.decode(text), super::decoded(text)) {
            prop_assert_eq!((bytes, readings.is_plain()), (strict, true));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_the_quick_decoder_takes_is_what_the_other_one_takes(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<usize>(),
            odd in prop::sample::select(vec!["", "=", "==", "A", "-", "_", " ", "\n", "\u{0}", "é", "/", "+"]),
        ) {
            let text = STANDARD.encode(bytes);
            agrees(&text)?;
            let at = at % (text.len() + 1);
            agrees(&format!("{}{odd}{}", &text[..at], &text[at..]))?;
            agrees(&format!("{}{odd}{}", &text[..at], text.get(at + odd.len()..).unwrap_or("")))?;
        }
    }
}
