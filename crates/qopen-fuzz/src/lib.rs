//! The fuzz targets. Each module is a target, a function of any bytes that panics if a property
//! fails. `cargo xtask fuzz` runs them under libFuzzer; the tests here run them on the seeds and on
//! damaged copies of the seeds.

#![forbid(unsafe_code)]

pub mod assembler;
pub mod envelope;
pub mod journal;
pub mod payload;
pub mod receiver;
pub mod seeds;
pub mod vendor_page;

#[path = "../../qopen-assembler/tests/it/model.rs"]
mod model;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../qopen-assembler/tests/it/operations.rs"]
mod operations;

/// A target's name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("assembler", assembler::run),
    ("envelope", envelope::run),
    ("journal", journal::run),
    ("payload", payload::run),
    ("receiver", receiver::run),
    ("vendor_page", vendor_page::run),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies of a seed with a few bytes changed, cut, doubled or inserted; the same in every run.
    fn damaged(seed: &[u8], times: u64) -> impl Iterator<Item = Vec<u8>> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed.len() as u64;
        let mut chance = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 11).unwrap_or_default() % below.max(1)
        };
        (0..times).map(move |_| {
            let mut bytes = seed.to_vec();
            for _ in 0..=chance(4) {
                let at = chance(bytes.len());
                let to = (at + chance(20)).min(bytes.len());
                match chance(5) {
                    0 if !bytes.is_empty() => bytes[at] ^= 1 << chance(8),
                    1 => bytes.truncate(at),
                    2 => drop(bytes.drain(at..to)),
                    3 => {
                        let piece = bytes[at..to].to_vec();
                        bytes.splice(at..at, piece);
                    }
                    _ => bytes.insert(at, b"\"\\{}[]:,0\0\xff \n"[chance(13)]),
                }
            }
            bytes
        })
    }

    fn replay(name: &str, times: u64) {
        let (_, run) = TARGETS.iter().find(|(it, _)| *it == name).expect("there is such a target");
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty());
        for (_, seed) in seeds {
            run(&seed);
            damaged(&seed, times).for_each(|bytes| run(&bytes));
        }
    }

    #[test]
    fn assembler() {
        replay("assembler", 200);
    }

    #[test]
    fn envelope() {
        replay("envelope", 200);
    }

    #[test]
    fn journal() {
        replay("journal", 100);
    }

    #[test]
    fn payload() {
        replay("payload", 200);
    }

    #[test]
    fn receiver() {
        replay("receiver", 100);
    }

    #[test]
    fn vendor_page() {
        replay("vendor_page", 200);
    }
}
