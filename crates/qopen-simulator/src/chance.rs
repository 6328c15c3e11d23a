//! Seeded chance: the same seed and purpose give the same course of events.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use serde::{Deserialize, Serialize};

/// A chance in percent; more than 100 counts as 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(u8);

impl Chance {
    /// A chance of this many percent.
    #[must_use]
    pub const fn new(percent: u8) -> Self {
        Self(percent)
    }

    /// The percentage.
    #[must_use]
    pub const fn percent(self) -> u8 {
        if self.0 > 100 { 100 } else { self.0 }
    }
}

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice for one purpose, so that one fault does not shift another's throws.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let digest = qopen_types::Digest::of(format!("{seed}/{purpose}").as_bytes());
        #[allow(clippy::cast_possible_truncation, reason = "half of a digest is as good a seed")]
        Self(ChaCha8Rng::seed_from_u64(digest.to_u128() as u64))
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias is far below anything a test could see.
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn happens(&mut self, chance: Chance) -> bool {
        self.below(100) < u64::from(chance.percent())
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            #[allow(clippy::cast_possible_truncation, reason = "below a usize")]
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
