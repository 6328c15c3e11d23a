//! The table of accounts: from fingerprint to winning content, at little more than 32 bytes each.
//!
//! It grows by linear hashing: shards are split one at a time, so that an insertion moves at most
//! one shard's accounts, whatever the table's size.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::key::{ContentDigest, Fingerprint};

/// The lowest bit of a stored content: other contents were seen.
const CONFLICT: u128 = 1;

/// Accounts per shard, on average, at which one shard is split.
const SHARD: usize = 2048;

/// The result of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The account is new.
    New,
    /// The account has the same content.
    Same,
    /// The account had another content, which this one replaces.
    Replaced,
    /// The account has another content, which wins.
    Kept,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Winners {
    shards: Vec<Shard>,
    len: usize,
    conflicts: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The fingerprint; zero in an empty slot.
    id: u128,
    /// The content, with [`CONFLICT`].
    content: u128,
}

#[derive(Clone, Debug, Default)]
struct Shard {
    slots: Vec<Slot>,
    len: usize,
}

impl Winners {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Accounts of which more than one content was seen.
    pub(crate) fn conflicts(&self) -> usize {
        self.conflicts
    }

    pub(crate) fn get(&self, id: Fingerprint) -> Option<ContentDigest> {
        let shard = self.shards.get(self.shard_of(id.0))?;
        shard.find(id.0).ok().map(|at| ContentDigest(shard.slots[at].content & !CONFLICT))
    }

    /// Whether more than one content of the account was seen.
    pub(crate) fn is_conflicting(&self, id: Fingerprint) -> bool {
        let shard = self.shards.get(self.shard_of(id.0));
        let slot = shard.and_then(|shard| Some(&shard.slots[shard.find(id.0).ok()?]));
        slot.is_some_and(|slot| slot.content & CONFLICT != 0)
    }

    /// Reads the places of accounts that are inserted next. The table is larger than the caches: here
    /// the processor waits for several places at once, and in the insertions for one after another.
    pub(crate) fn look_ahead(&self, ids: impl Iterator<Item = Fingerprint>) {
        let place = |id: Fingerprint| {
            let shard = self.shards.get(self.shard_of(id.0))?;
            shard.slots.get(shard.home(id.0)).map(|slot| slot.id)
        };
        core::hint::black_box(ids.filter_map(place).fold(0, |all, id| all ^ id));
    }

    pub(crate) fn insert(&mut self, id: Fingerprint, content: ContentDigest) -> Inserted {
        self.insert_raw(id.0, content.0)
    }

    /// Adds every account of another table.
    pub(crate) fn merge(&mut self, other: &Self) {
        for slot in other.slots() {
            self.insert_raw(slot.id, slot.content);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fingerprint, ContentDigest)> + '_ {
        self.slots().map(|slot| (Fingerprint(slot.id), ContentDigest(slot.content & !CONFLICT)))
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.shards.iter().flat_map(|shard| &shard.slots).filter(|slot| slot.id != 0)
    }

    fn insert_raw(&mut self, id: u128, content: u128) -> Inserted {
        if self.len >= self.shards.len() * SHARD {
            self.split();
        }
        let shard = self.shard_of(id);
        let shard = &mut self.shards[shard];
        let at = match shard.find(id) {
            Ok(at) => at,
            Err(_) => {
                shard.add(Slot { id, content });
                self.len += 1;
                self.conflicts += usize::from(content & CONFLICT != 0);
                return Inserted::New;
            }
        };
        let old = shard.slots[at].content;
        let (was, is) = (old & !CONFLICT, content & !CONFLICT);
        let conflict = (old | content) & CONFLICT | u128::from(was != is);
        self.conflicts += usize::from(conflict > old & CONFLICT);
        shard.slots[at].content = was.max(is) | conflict;
        match is.cmp(&was) {
            Ordering::Equal => Inserted::Same,
            Ordering::Greater => Inserted::Replaced,
            Ordering::Less => Inserted::Kept,
        }
    }

    /// Shards are numbered as linear hashing does: those below the split point use one more bit.
    fn shard_of(&self, id: u128) -> usize {
        let count = self.shards.len().max(1);
        let level = count.ilog2();
        // The high half chooses the shard, the low half the slot in it.
        #[allow(clippy::cast_possible_truncation, reason = "masked to fewer bits than usize has")]
        let bits = |n: u32| ((id >> 64) as u64 & ((1_u64 << n) - 1)) as usize;
        let wide = bits(level + 1);
        if wide < count { wide } else { bits(level) }
    }

    /// Adds one shard, and moves its accounts there, all from one other shard.
    fn split(&mut self) {
        let new = self.shards.len();
        self.shards.push(Shard::default());
        if new == 0 {
            return;
        }
        let from = new - (1 << new.ilog2());
        let old = core::mem::take(&mut self.shards[from]);
        let stays = |id: u128| self.shard_of(id) == from;
        let (mut kept, mut moved) = (Vec::new(), Vec::new());
        for slot in old.slots.into_iter().filter(|slot| slot.id != 0) {
            if stays(slot.id) { kept.push(slot) } else { moved.push(slot) }
        }
        self.shards[from] = Shard::of(&kept);
        self.shards[new] = Shard::of(&moved);
    }
}

/// The same accounts with the same contents and conflicts.
impl PartialEq for Winners {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self.slots().all(|slot| {
                let shard = &other.shards[other.shard_of(slot.id)];
                shard.find(slot.id).is_ok_and(|at| shard.slots[at].content == slot.content)
            })
    }
}

impl Shard {
    fn of(slots: &[Slot]) -> Self {
        let mut shard = Self::with_room_for(slots.len());
        slots.iter().for_each(|slot| shard.put(*slot));
        shard
    }

    /// A shard with room for `len` accounts, and at least three more.
    fn with_room_for(len: usize) -> Self {
        // At most 7/8 full, with room for most of what comes before the next split.
        let slots = (len + len * 3 / 4 + 4) * 8 / 7;
        Self { slots: vec![Slot::default(); slots], len: 0 }
    }

    /// The slot at which the search for an account begins.
    #[allow(clippy::cast_possible_truncation, reason = "a fraction of the size fits it")]
    fn home(&self, id: u128) -> usize {
        ((u128::from(id as u64) * self.slots.len() as u128) >> 64) as usize
    }

    /// The account's slot, or the free slot where it would go.
    fn find(&self, id: u128) -> Result<usize, usize> {
        let size = self.slots.len();
        if size == 0 {
            return Err(0);
        }
        let mut at = self.home(id);
        loop {
            match self.slots[at].id {
                0 => return Err(at),
                found if found == id => return Ok(at),
                _ => at = if at + 1 == size { 0 } else { at + 1 },
            }
        }
    }

    fn add(&mut self, slot: Slot) {
        if (self.len + 1) * 8 > self.slots.len() * 7 {
            let mut larger = Self::with_room_for(self.len);
            self.slots.iter().filter(|slot| slot.id != 0).for_each(|slot| larger.put(*slot));
            *self = larger;
        }
        self.put(slot);
    }

    /// Inserts an account that is not there yet; the shard must have room.
    fn put(&mut self, slot: Slot) {
        if let Err(at) = self.find(slot.id) {
            self.slots[at] = slot;
            self.len += 1;
        }
    }
}

#[cfg(feature = "serde")]
mod persist {
    //! A table is saved as pairs of its accounts. Loading computes their slots again.

    use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
    use serde::ser::{Serialize, SerializeSeq as _, Serializer};

    use super::Winners;

    impl Serialize for Winners {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            // The length goes first, for formats that need it.
            let mut pairs = serializer.serialize_seq(Some(self.len))?;
            for slot in self.slots() {
                pairs.serialize_element(&(slot.id, slot.content))?;
            }
            pairs.end()
        }
    }

    impl<'de> Deserialize<'de> for Winners {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Pairs;
            impl<'de> Visitor<'de> for Pairs {
                type Value = Winners;

                fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str("pairs of fingerprint and content")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Winners, A::Error> {
                    let mut winners = Winners::default();
                    while let Some((id, content)) = pairs.next_element::<(u128, u128)>()? {
                        winners.insert_raw(id.max(1), content);
                    }
                    Ok(winners)
                }
            }
            deserializer.deserialize_seq(Pairs)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::key::{PullKey, Seed};

    #[test]
    fn agrees_with_a_map_over_many_splits() {
        let seed = Seed::of(&PullKey::new("r", "m"));
        let mut table = Winners::default();
        let mut model: BTreeMap<Fingerprint, (u128, bool)> = BTreeMap::new();
        for n in 0..120_000_u32 {
            let id = seed.fingerprint(&(n % 40_000).to_string());
            let content = ContentDigest::of(&(n / 7).to_le_bytes());
            let found = table.insert(id, content);
            let expected = match model.get_mut(&id) {
                None => {
                    model.insert(id, (content.0, false));
                    Inserted::New
                }
                Some((old, _)) if *old == content.0 => Inserted::Same,
                Some((old, conflict)) => {
                    *conflict = true;
                    let replaced = content.0 > *old;
                    *old = content.0.max(*old);
                    if replaced { Inserted::Replaced } else { Inserted::Kept }
                }
            };
            assert_eq!(found, expected);
        }
        assert_eq!(table.len(), 40_000);
        assert_eq!(table.conflicts(), model.values().filter(|(_, conflict)| *conflict).count());
        assert!(
            model.iter().all(|(id, (content, _))| table.get(*id).map(|it| it.0) == Some(*content))
        );
        assert_eq!(table.iter().count(), 40_000);
        assert!(table.iter().all(|(id, content)| model[&id].0 == content.0));
        assert!(model.iter().all(|(id, (_, conflict))| table.is_conflicting(*id) == *conflict));
        assert_eq!(table.get(seed.fingerprint("nobody")), None);

        let mut again = Winners::default();
        again.merge(&table);
        assert!(again == table && again.conflicts() == table.conflicts());
        again.merge(&table);
        assert!(again == table && again.conflicts() == table.conflicts());
    }

    #[test]
    fn a_shard_is_full_to_seven_eighths_and_then_grows_by_one() {
        let mut shard = Shard { slots: vec![Slot::default(); 8], len: 0 };
        for id in 1..=7 {
            shard.add(Slot { id, content: 0 });
            assert_eq!((shard.slots.len(), shard.len), (8, usize::try_from(id).unwrap()));
        }
        shard.add(Slot { id: 8, content: 0 });
        assert!(shard.len == 8 && (1..=8).all(|id| shard.find(id).is_ok()));
        for len in [0, 8, 100, 5_000] {
            let slots = Shard::with_room_for(len).slots.len();
            assert!(slots * 7 / 8 >= len + len * 3 / 4 + 3, "{slots} slots for {len}");
            assert!(slots <= len * 2 + 8, "{slots} slots for {len}");
        }
    }

    #[test]
    fn shards_stay_small_and_full() {
        let seed = Seed::of(&PullKey::new("r", "m"));
        let mut table = Winners::default();
        for n in 0..300_000_u32 {
            table.insert(seed.fingerprint(&n.to_string()), ContentDigest(0));
            if n % 50_000 == 49_999 {
                let largest = table.shards.iter().map(|shard| shard.slots.len()).max().unwrap();
                assert!(largest < 4 * SHARD, "a shard has {largest} slots");
                let slots: usize = table.shards.iter().map(|shard| shard.slots.len()).sum();
                assert!(slots * 32 <= table.len() * 72, "{} bytes each", slots * 32 / table.len());
            }
        }
    }
}
