//! The places of records.

use std::collections::BTreeMap;

use super::segment::Location;

/// The place of every record that counts, voids apart, by segment: one segment's records are found
/// without a look at the others.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) live: BTreeMap<(u32, u32), u32>,
    pub(super) bytes: BTreeMap<u32, u64>,
}

impl Places {
    pub(super) fn add(&mut self, at: Location) {
        if self.live.insert((at.segment, at.offset), at.length).is_none() {
            *self.bytes.entry(at.segment).or_default() += u64::from(at.length);
        }
    }

    pub(super) fn remove(&mut self, at: Location) {
        if self.live.remove(&(at.segment, at.offset)).is_some()
            && let Some(bytes) = self.bytes.get_mut(&at.segment)
        {
            *bytes -= u64::from(at.length);
        }
    }

    pub(super) fn replace(&mut self, before: Option<Location>, at: Location) {
        before.into_iter().for_each(|before| self.remove(before));
        self.add(at);
    }

    pub(super) fn of(&self, segment: u32) -> impl Iterator<Item = Location> + '_ {
        let live = self.live.range((segment, 0)..=(segment, u32::MAX));
        live.map(|(&(segment, offset), &length)| Location { segment, offset, length })
    }
}
