//! MD5 over sorted values, and AES-CBC with a fixed IV: what the platform chose.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use fast_md5::Md5;
use subtle::ConstantTimeEq;

/// Bytes of an AES block, and of the IV.
pub(crate) const BLOCK: usize = 16;

/// The signature's 16 bytes: MD5 of the five values, sorted as bytes, with nothing between them.
pub(crate) fn sign(mut values: [&str; 5]) -> [u8; 16] {
    values.sort_unstable();
    let mut hasher = Md5::new();
    for value in values {
        hasher.update(value.as_bytes());
    }
    hasher.finalize()
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: [u8; 16]) -> [u8; 32] {
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out
}

/// Whether the hexadecimal text is the signature, in a time that does not depend on where it differs.
pub(crate) fn matches(text: &str, signature: [u8; 16]) -> bool {
    text.as_bytes().ct_eq(&hex(signature)).into()
}

/// Why a ciphertext did not decrypt.
pub(crate) enum DecryptError {
    Length,
    Padding,
}

/// Decrypts in place and cuts the padding off.
pub(crate) fn decrypt(key: &[u8], buffer: &mut Vec<u8>) -> Result<(), DecryptError> {
    fn run<M: BlockModeDecrypt + KeyIvInit>(
        key: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, DecryptError> {
        let mode = M::new_from_slices(key, &key[..BLOCK]).map_err(|_| DecryptError::Length)?;
        let plain = mode.decrypt_padded::<Pkcs7>(buffer).map_err(|_| DecryptError::Padding)?;
        Ok(plain.len())
    }
    if buffer.is_empty() || !buffer.len().is_multiple_of(BLOCK) {
        return Err(DecryptError::Length);
    }
    let length = match key.len() {
        16 => run::<cbc::Decryptor<aes::Aes128>>(key, buffer)?,
        24 => run::<cbc::Decryptor<aes::Aes192>>(key, buffer)?,
        _ => run::<cbc::Decryptor<aes::Aes256>>(key, buffer)?,
    };
    buffer.truncate(length);
    Ok(())
}

/// Pads and encrypts.
pub(crate) fn encrypt(key: &[u8], plaintext: &[u8]) -> Vec<u8> {
    fn run<M: BlockModeEncrypt + KeyIvInit>(key: &[u8], buffer: &mut [u8], length: usize) {
        // The key's length chose the cipher and the buffer has room for the padding, so neither
        // step can fail; a failure would leave the text unencrypted, so it is wiped.
        let done = M::new_from_slices(key, &key[..BLOCK])
            .is_ok_and(|mode| mode.encrypt_padded::<Pkcs7>(buffer, length).is_ok());
        if !done {
            buffer.fill(0);
        }
    }
    let padded = (plaintext.len() / BLOCK + 1) * BLOCK;
    let mut buffer = Vec::with_capacity(padded);
    buffer.extend_from_slice(plaintext);
    buffer.resize(padded, 0);
    match key.len() {
        16 => run::<cbc::Encryptor<aes::Aes128>>(key, &mut buffer, plaintext.len()),
        24 => run::<cbc::Encryptor<aes::Aes192>>(key, &mut buffer, plaintext.len()),
        _ => run::<cbc::Encryptor<aes::Aes256>>(key, &mut buffer, plaintext.len()),
    }
    buffer
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};
    use proptest::prelude::*;

    /// A second MD5, by other people, in portable code.
    fn signed(mut values: [&str; 5]) -> [u8; 16] {
        values.sort_unstable();
        Md5::digest(values.concat()).into()
    }

    proptest! {
        #[test]
        fn the_signature_is_the_md5_of_the_sorted_values(
            short in prop::collection::vec("[ -~]{0,70}", 4),
            long in "[A-Za-z0-9+/]{0,300}",
            times in 1..40_usize,
        ) {
            let content = long.repeat(times);
            let values = [&*short[0], &short[1], &short[2], &short[3], &content];
            prop_assert_eq!(super::sign(values), signed(values));
        }
    }

    #[test]
    fn every_length_around_the_blocks() {
        let text = "x".repeat(300);
        for length in 0..=300 {
            let values = [&text[..length], "", "", "", ""];
            assert_eq!(super::sign(values), signed(values), "{length}");
        }
    }
}
