//! Saves an assembler and restores it, in any serde format.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::assembler::Assembler;
use crate::config::Config;
use crate::input::Counters;
use crate::key::{Keyed, PullKey};
use crate::pull::{Hearing, Pull};
use crate::time::Time;
use crate::tombstone::Tombstone;

/// The version of the saved form. Another version is an error.
const VERSION: u32 = 3;

/// The error of saving while events wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} events wait to be polled; they would be lost")]
#[non_exhaustive]
pub struct EventsWaiting {
    /// How many events wait.
    pub waiting: usize,
}

/// The error of restoring a saved state of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state was saved in version {found}; this crate restores version {VERSION}")]
#[non_exhaustive]
pub struct UnknownVersion {
    /// Its version.
    pub found: u32,
}

/// The whole state of an assembler: its pulls, open and remembered, and its time. Includes the
/// options of each pull, but not the assembler's settings.
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
    /// Returns the state, to be stored and restored. Consumes the assembler, and copies nothing.
    ///
    /// # Errors
    /// [`EventsWaiting`] and the assembler itself, if events wait: poll them first.
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

    /// Returns an assembler that continues exactly as the saved one would have.
    ///
    /// # Errors
    /// [`UnknownVersion`], if a version of this crate with another form saved it.
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
