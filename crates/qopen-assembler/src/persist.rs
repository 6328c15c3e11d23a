//! Saving an assembler and going on from there, in any serde format.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::assembler::Assembler;
use crate::config::Config;
use crate::input::Counters;
use crate::key::{Keyed, PullKey};
use crate::pull::{Hearing, Pull};
use crate::time::Time;
use crate::tombstone::Tombstone;

/// The version of what is saved. One that differs is refused, never guessed at.
const VERSION: u32 = 2;

/// An assembler that cannot be saved now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} events wait to be polled; they would be lost")]
#[non_exhaustive]
pub struct EventsWaiting {
    /// How many.
    pub waiting: usize,
}

/// A saved state that cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state was saved in version {found}; this crate restores version {VERSION}")]
#[non_exhaustive]
pub struct UnknownVersion {
    /// The version it was saved in.
    pub found: u32,
}

/// All that an assembler knows: its pulls, open and remembered, and its time. The settings are not
/// in it, but those of each pull are.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    now: Time,
    open: Vec<(PullKey, Pull)>,
    ended: Vec<(PullKey, Tombstone)>,
    counters: Counters,
    hearing: Hearing,
}

impl<T: Keyed> Assembler<T> {
    /// What it knows, to be kept and restored. Costs a copy of nothing: the assembler is used up.
    ///
    /// # Errors
    /// [`EventsWaiting`] and the assembler itself, when there are events: poll them first.
    pub fn save(self) -> Result<Saved, (EventsWaiting, Box<Self>)> {
        if !self.events.is_empty() {
            return Err((EventsWaiting { waiting: self.events.len() }, Box::new(self)));
        }
        Ok(Saved {
            version: VERSION,
            now: self.now,
            open: self.open.into_iter().collect(),
            ended: self.ended.into_iter().collect(),
            counters: self.counters,
            hearing: self.hearing,
        })
    }

    /// An assembler that goes on exactly as the saved one would have.
    ///
    /// # Errors
    /// [`UnknownVersion`], when it was saved by a crate whose states this one does not know.
    pub fn restore(config: Config, saved: Saved) -> Result<Self, UnknownVersion> {
        let Saved { version, now, open, ended, counters, hearing } = saved;
        if version != VERSION {
            return Err(UnknownVersion { found: version });
        }
        let mut schedule = BTreeSet::new();
        schedule.extend(open.iter().map(|(key, pull)| (pull.scheduled, key.clone())));
        schedule.extend(ended.iter().map(|(key, tombstone)| (tombstone.due(), key.clone())));
        Ok(Self {
            config,
            now,
            open: open.into_iter().collect(),
            ended: ended.into_iter().collect(),
            schedule,
            forgetting: BTreeMap::new(),
            events: VecDeque::new(),
            counters,
            hearing,
        })
    }
}
