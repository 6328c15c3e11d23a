//! Packs payloads (LZ4) if that saves space.

/// Payloads of this many bytes or more are packed on a blocking thread.
pub(crate) const LARGE: usize = 256 << 10;

/// Payloads shorter than this are not worth packing.
const WORTH_PACKING: usize = 512;

/// The packed payload; `None` where packing saves less than an eighth.
pub(crate) fn pack(payload: &[u8]) -> Option<Vec<u8>> {
    (payload.len() >= WORTH_PACKING)
        .then(|| lz4_flex::block::compress(payload))
        .filter(|packed| packed.len() < payload.len() - payload.len() / 8)
}

/// Unpacks a stored payload of this length; `None` if it is damaged.
pub(crate) fn unpack(stored: &[u8], packed: bool, length: usize) -> Option<Vec<u8>> {
    let bytes = match packed {
        true => lz4_flex::block::decompress(stored, length).ok()?,
        false => stored.to_vec(),
    };
    (bytes.len() == length).then_some(bytes)
}
