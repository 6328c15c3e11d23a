//! MD5 over sorted values, and AES-CBC with a fixed IV: what the platform chose.

use alloc::vec::Vec;

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::ConstantTimeEq;

use crate::md5;
#[cfg(feature = "std")]
use crate::md5_lanes;

/// Bytes of an AES block, and of the IV.
pub(crate) const BLOCK: usize = 16;

/// What WeCom pads to, bytes.
const WECOM_BLOCK: usize = 32;

/// The signature's 16 bytes: MD5 of the five values, sorted as bytes and joined without a
/// separator.
pub(crate) fn sign(values: [&str; 5]) -> [u8; 16] {
    md5::digest(&sorted(values.map(str::as_bytes)))
}

/// The signatures of several envelopes, computed together.
pub(crate) fn sign_many(values: &[[&[u8]; 5]]) -> Vec<[u8; 16]> {
    let messages: Vec<_> = values.iter().copied().map(sorted).collect();
    #[cfg(feature = "std")]
    return md5_lanes::digests(&messages);
    // Without `std` it is unknown which vectors the machine has.
    #[cfg(not(feature = "std"))]
    messages.iter().map(md5::digest).collect()
}

fn sorted(mut values: [&[u8]; 5]) -> [&[u8]; 5] {
    values.sort_unstable();
    values
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

/// Whether a lowercase hexadecimal text is the signature. Takes constant time, wherever they
/// differ.
pub(crate) fn matches(text: &str, signature: [u8; 16]) -> bool {
    text.as_bytes().ct_eq(&hex(signature)).into()
}

/// Decrypts in place; the padding remains. Returns false unless the length is a whole number of
/// blocks.
pub(crate) fn decrypt(key: &[u8], buffer: &mut [u8]) -> bool {
    fn run<M: BlockModeDecrypt + KeyIvInit>(key: &[u8], buffer: &mut [u8]) -> bool {
        M::new_from_slices(key, &key[..BLOCK])
            .is_ok_and(|mode| mode.decrypt_padded::<NoPadding>(buffer).is_ok())
    }
    if buffer.is_empty() || !buffer.len().is_multiple_of(BLOCK) {
        return false;
    }
    match key.len() {
        16 => run::<cbc::Decryptor<aes::Aes128>>(key, buffer),
        24 => run::<cbc::Decryptor<aes::Aes192>>(key, buffer),
        _ => run::<cbc::Decryptor<aes::Aes256>>(key, buffer),
    }
}

/// Bytes of padding at the end, each of which is their number, 1 to 32. `None` if the end is no
/// such padding.
pub(crate) fn padding(plain: &[u8]) -> Option<usize> {
    let last = *plain.last()?;
    let length = usize::from(last);
    let padding = plain.get(plain.len().checked_sub(length)?..)?;
    let valid = (1..=WECOM_BLOCK).contains(&length) && padding.iter().all(|byte| *byte == last);
    valid.then_some(length)
}

/// How a plaintext is padded to whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// To 16 bytes (PKCS#7), as public clients of the gateway do.
    Pkcs7,
    /// To 32 bytes, as WeCom does.
    Wecom,
    /// Not padded: the plaintext is cut to whole blocks.
    None,
}

/// Pads and encrypts.
pub(crate) fn encrypt(key: &[u8], plaintext: &[u8], padding: Padding) -> Vec<u8> {
    fn run<M: BlockModeEncrypt + KeyIvInit>(key: &[u8], buffer: &mut [u8]) {
        // Neither step can fail: the key's length chose the cipher, and the buffer has whole
        // blocks. The plaintext is wiped all the same, so that no failure could leak it.
        let length = buffer.len();
        let done = M::new_from_slices(key, &key[..BLOCK])
            .is_ok_and(|mode| mode.encrypt_padded::<NoPadding>(buffer, length).is_ok());
        if !done {
            buffer.fill(0);
        }
    }
    let block = match padding {
        Padding::Wecom => WECOM_BLOCK,
        Padding::Pkcs7 | Padding::None => BLOCK,
    };
    let whole = plaintext.len() / block * block;
    let mut buffer = Vec::with_capacity(whole + block);
    if padding == Padding::None {
        buffer.extend_from_slice(&plaintext[..whole]);
    } else {
        buffer.extend_from_slice(plaintext);
        let missing = whole + block - plaintext.len();
        #[allow(clippy::cast_possible_truncation, reason = "32 at most")]
        buffer.resize(whole + block, missing as u8);
    }
    match key.len() {
        16 => run::<cbc::Encryptor<aes::Aes128>>(key, &mut buffer),
        24 => run::<cbc::Encryptor<aes::Aes192>>(key, &mut buffer),
        _ => run::<cbc::Encryptor<aes::Aes256>>(key, &mut buffer),
    }
    buffer
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};
    use proptest::prelude::*;

    /// The md-5 crate's implementation, for comparison.
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
            prop_assert_eq!(super::sign_many(&[values.map(str::as_bytes); 3]), vec![signed(values); 3]);
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
