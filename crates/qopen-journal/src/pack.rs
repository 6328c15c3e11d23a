//! Payloads as they are stored: packed (LZ4) where that is worth it.

/// Payloads of this many bytes or more are worth a blocking thread for packing: 256 KiB.
pub const LARGE: usize = 256 << 10;

/// Payloads shorter than this are not worth packing.
const WORTH_PACKING: usize = 512;

/// Packs a payload. Returns `None` if that saves less than an eighth: then store the payload itself.
#[must_use]
pub fn pack(payload: &[u8]) -> Option<Vec<u8>> {
    (payload.len() >= WORTH_PACKING)
        .then(|| lz4_flex::block::compress(payload))
        .filter(|packed| packed.len() < payload.len() - payload.len() / 8)
}

/// Restores a payload of `length` bytes from its stored form. Returns `None` if the stored bytes are
/// damaged.
#[must_use]
pub fn unpack(stored: &[u8], packed: bool, length: usize) -> Option<Vec<u8>> {
    let bytes = match packed {
        true => lz4_flex::block::decompress(stored, length).ok()?,
        false => stored.to_vec(),
    };
    (bytes.len() == length).then_some(bytes)
}
