//! Packs payloads (LZ4) if that saves space.

use std::sync::{Mutex, PoisonError};

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

/// Payloads of this many bytes or more are worth a blocking thread for packing: 256 KiB.
pub const LARGE: usize = 256 << 10;

/// Payloads shorter than this are not worth packing.
const WORTH_PACKING: usize = 512;

/// Scratches that wait for the next payload, and bytes of the largest: 16 MiB in all.
const SPARE: usize = 8;
const LARGEST: usize = 2 << 20;

/// What packing needs besides the payload. Only the bytes that it wrote for this payload are read.
#[derive(Default)]
struct Scratch {
    table: CompressTable,
    out: Vec<u8>,
}

/// Held to take or to return one, never across an await.
static SPARES: Mutex<Vec<Scratch>> = Mutex::new(Vec::new());

/// Packs a payload. Returns `None` if that saves less than an eighth: then store the payload itself.
#[must_use]
pub fn pack(payload: &[u8]) -> Option<Vec<u8>> {
    with_packed(payload, |packed| packed.map(<[u8]>::to_vec))
}

/// Packs a payload and lends the result, which is `None` as in [`pack`].
pub(crate) fn with_packed<R>(payload: &[u8], work: impl FnOnce(Option<&[u8]>) -> R) -> R {
    if payload.len() < WORTH_PACKING {
        return work(None);
    }
    let spare = SPARES.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut scratch = spare.unwrap_or_default();
    let room = get_maximum_output_size(payload.len());
    if scratch.out.len() < room {
        // Exactly as large, and zeroed by the allocator.
        scratch.out = vec![0; room];
    }
    let Scratch { table, out } = &mut scratch;
    // It fails only without room for the worst case.
    let length = compress_into_with_table(payload, out, table).ok();
    let packed = length.and_then(|length| out.get(..length));
    let result = work(packed.filter(|it| it.len() < payload.len() - payload.len() / 8));
    let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
    if spares.len() < SPARE && scratch.out.len() <= LARGEST {
        spares.push(scratch);
    }
    result
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Payloads of several lengths; the text of the first kind repeats itself.
    fn payload() -> impl Strategy<Value = (Vec<u8>, bool)> {
        let piece = prop::collection::vec(any::<u8>(), 1..60);
        let repeated = (piece, 0..100_000_usize);
        let noise = prop::collection::vec(any::<u8>(), 0..2_000);
        prop_oneof![
            repeated.prop_map(|(piece, bytes)| {
                let payload: Vec<u8> = piece.iter().copied().cycle().take(bytes).collect();
                (payload, bytes >= WORTH_PACKING)
            }),
            noise.prop_map(|payload| (payload, false)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_of_the_last_payload_is_in_the_next_one(
            payloads in prop::collection::vec(payload(), 1..8),
        ) {
            for (payload, repeats) in payloads {
                let packed = pack(&payload);
                prop_assert_eq!(packed.is_some(), repeats);
                if let Some(packed) = packed {
                    prop_assert!(packed.len() < payload.len() - payload.len() / 8);
                    prop_assert_eq!(unpack(&packed, true, payload.len()), Some(payload));
                }
            }
        }
    }

    #[test]
    fn i11_spares_are_few_and_small() {
        let large = vec![7; 4 * LARGEST];
        std::thread::scope(|scope| {
            for _ in 0..3 * SPARE {
                scope.spawn(|| with_packed(&large[..LARGE], |_| with_packed(&large, |_| ())));
            }
        });
        let spares = SPARES.lock().unwrap();
        assert!(spares.len() <= SPARE && spares.iter().all(|it| it.out.len() <= LARGEST));
        assert!(!spares.is_empty());
    }
}
