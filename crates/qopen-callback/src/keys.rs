//! The keys of an app's callbacks, several pairs at a time during a rotation.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "std")]
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use qopen_types::Secret;
use zeroize::Zeroizing;

/// The error of a text that is not an EncodingAESKey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAesKey {
    /// Its length is not the length of a key.
    #[error(
        "an EncodingAESKey has 16, 24, 32 or (in WeCom's form) 43 characters; this one has {actual}"
    )]
    Length {
        /// Its length in bytes.
        actual: usize,
    },
    /// It has 43 characters that are not base64.
    #[error("an EncodingAESKey of 43 characters must be base64, and this one is not")]
    NotBase64,
}

/// A callback token and its EncodingAESKey.
#[derive(Clone)]
pub struct CallbackKeys {
    pub(crate) token: Secret,
    pub(crate) aes: Zeroizing<Vec<u8>>,
}

impl CallbackKeys {
    /// Makes a pair from the two texts that the platform's console shows (protocol section 3).
    ///
    /// # Errors
    /// [`InvalidAesKey`], if the key has the wrong length or form.
    pub fn new(token: impl Into<Secret>, encoding_aes_key: &Secret) -> Result<Self, InvalidAesKey> {
        let text = encoding_aes_key.expose();
        let aes = match text.len() {
            16 | 24 | 32 => text.as_bytes().to_vec(),
            43 => wecom_base64().decode(text).map_err(|_| InvalidAesKey::NotBase64)?,
            actual => return Err(InvalidAesKey::Length { actual }),
        };
        Ok(Self { token: token.into(), aes: Zeroizing::new(aes) })
    }
}

/// WeCom's base64: without padding, and with any value in the last two bits, which do not count.
fn wecom_base64() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::STANDARD, config)
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKeys").finish_non_exhaustive()
    }
}

/// An app's key, and every pair of callback keys that is valid at present.
///
/// The first pair seals; any pair opens. To rotate without a gap, add the new pair, change the
/// platform's console, then remove the old pair.
#[derive(Clone, Debug)]
pub struct Keyring {
    pub(crate) app_key: String,
    pub(crate) keys: Vec<CallbackKeys>,
}

impl Keyring {
    /// A ring with one pair.
    #[must_use]
    pub fn new(app_key: impl Into<String>, keys: CallbackKeys) -> Self {
        Self { app_key: app_key.into(), keys: vec![keys] }
    }

    /// Adds one more pair, tried after the earlier ones.
    #[must_use]
    pub fn with_keys(mut self, keys: CallbackKeys) -> Self {
        self.keys.push(keys);
        self
    }

    /// The app's public key, which every envelope names.
    #[must_use]
    pub fn app_key(&self) -> &str {
        &self.app_key
    }

    pub(crate) fn sealing(&self) -> &CallbackKeys {
        // `new` adds the first pair, and no method removes it.
        &self.keys[0]
    }
}

/// A ring that can be replaced while callbacks arrive. Clones share it.
#[cfg(feature = "std")]
#[derive(Clone, Debug)]
pub struct SharedKeyring(Arc<RwLock<Arc<Keyring>>>);

#[cfg(feature = "std")]
impl SharedKeyring {
    /// Starts with this ring.
    #[must_use]
    pub fn new(ring: Keyring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ring))))
    }

    /// The ring at present. A later `replace` does not change the returned one.
    #[must_use]
    pub fn get(&self) -> Arc<Keyring> {
        // Held for a clone or an exchange of the pointer.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens callbacks with this ring from now on.
    pub fn replace(&self, ring: Keyring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

#[cfg(feature = "std")]
impl From<Keyring> for SharedKeyring {
    fn from(ring: Keyring) -> Self {
        Self::new(ring)
    }
}
