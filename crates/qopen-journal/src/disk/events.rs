//! The table of waiting events, by number and by digest.

use std::collections::BTreeMap;
use std::time::SystemTime;

use qopen_types::Digest;

use super::segment::Location;
use crate::Backlog;

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) digest: Digest,
    pub(super) since: SystemTime,
    pub(super) at: Location,
    pub(super) stood: Segments,
}

impl Event {
    pub(super) fn new(digest: Digest, since: SystemTime, at: Location) -> Self {
        Self { digest, since, at, stood: (at.segment, at.segment) }
    }
}

/// The first and the last segment in which something stood.
pub(super) type Segments = (u32, u32);

/// Which events wait, by number and by digest.
#[derive(Debug, Default)]
pub(super) struct Events {
    by_number: BTreeMap<u64, Event>,
    by_digest: BTreeMap<Digest, u64>,
    bytes: u64,
}

impl Events {
    /// Adds an event; also one that was moved, or that was acknowledged before and came again.
    /// Returns its earlier place.
    pub(super) fn insert(&mut self, number: u64, mut event: Event) -> Option<Location> {
        let before = self.by_digest.insert(event.digest, number);
        let before = before.and_then(|before| self.by_number.remove(&before));
        if let Some(before) = before {
            // Whatever takes this one must outlive all that is stored of it.
            let (first, last) = before.stood;
            event.stood = (first.min(event.stood.0), last.max(event.stood.1));
            self.bytes -= u64::from(before.at.length);
        }
        self.bytes += u64::from(event.at.length);
        self.by_number.insert(number, event);
        before.map(|before| before.at)
    }

    /// Removes and returns the event with this digest, if its number is below `before`.
    pub(super) fn remove(&mut self, digest: Digest, before: u64) -> Option<Event> {
        let number = *self.by_digest.get(&digest).filter(|number| **number <= before)?;
        self.by_digest.remove(&digest);
        let event = self.by_number.remove(&number)?;
        self.bytes -= u64::from(event.at.length);
        Some(event)
    }

    /// Those with a smaller number, oldest first.
    pub(super) fn before(&self, number: u64) -> impl Iterator<Item = Event> + '_ {
        self.by_number.range(..number).map(|(_, event)| *event)
    }

    pub(super) fn has(&self, digest: Digest) -> bool {
        self.by_digest.contains_key(&digest)
    }

    pub(super) fn number_of(&self, digest: Digest) -> Option<u64> {
        self.by_digest.get(&digest).copied()
    }

    pub(super) fn backlog(&self) -> Backlog {
        Backlog { events: self.by_number.len() as u64, bytes: self.bytes }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Event> {
        self.by_number.get(&number)
    }

    /// Those with a greater number, oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = (u64, Event)> + '_ {
        let later = self.by_number.range(number.saturating_add(1)..);
        later.map(|(number, event)| (*number, *event))
    }
}
