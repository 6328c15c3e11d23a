//! Sorting more records than fit in memory: sorted runs in unnamed files, merged at the end.

mod record;
mod run;
mod sorted;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::SinkError;
use record::{HEAD, Place, Record, begin, common};
use run::{NewRun, RUN, Run};
pub use sorted::Sorted;

/// Bytes of records that are sorted in memory before a run is written: 32 MiB.
const MEMORY: usize = 32 << 20;

/// Runs of one level that become one run of the next level.
const FAN_IN: usize = 16;

/// Sorts records by key and text, in bounded memory, and drops copies.
///
/// A list that is written in the order of its ids is the same file whatever order the pages came
/// in, and two lists can be compared line by line. The runs are unnamed files that only this process
/// can read. `Debug` prints no record.
pub struct Sorter {
    folder: Option<PathBuf>,
    memory: usize,
    /// The records, each as [`Record`] has it.
    arena: Vec<u8>,
    places: Vec<Place>,
    /// Bytes with which all keys in the arena begin.
    common: usize,
    /// Each with its level. Later ones have the same level or a lower one.
    runs: Vec<(u8, File)>,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::with_memory(MEMORY)
    }
}

impl Sorter {
    /// A sorter that holds about this many bytes of records in memory.
    #[must_use]
    pub fn with_memory(memory: usize) -> Self {
        let (arena, places, runs) = (Vec::new(), Vec::new(), Vec::new());
        Self { folder: None, memory, arena, places, common: 0, runs }
    }

    /// Sorters for this many threads, which share the memory of a default one. [`merge`](Self::merge) puts their
    /// records together.
    #[must_use]
    pub fn share(threads: usize) -> Vec<Self> {
        let memory = MEMORY / threads.max(1);
        (0..threads.max(1)).map(|_| Self::with_memory(memory)).collect()
    }

    /// The same, with its runs in that folder. Without one they are in the system's for temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.folder = folder.map(Path::to_owned);
        self
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`SinkError`], if a run cannot be written.
    pub fn push(&mut self, key: &str, text: &[u8]) -> Result<(), SinkError> {
        let (key, at) = (key.as_bytes(), self.arena.len());
        let needed = HEAD + key.len() + text.len() + size_of::<Place>();
        let held = at + self.places.len() * size_of::<Place>();
        if at > 0 && held + needed > self.memory {
            self.write_run()?;
            return self.add(key, text);
        }
        self.add(key, text)
    }

    fn add(&mut self, key: &[u8], text: &[u8]) -> Result<(), SinkError> {
        let at = self.arena.len();
        self.common = match self.places.first() {
            Some(first) => common(Record::at(&self.arena, first.at).key(), key, self.common),
            None => key.len(),
        };
        for part in [key, text] {
            let length = u32::try_from(part.len()).map_err(|_| io::ErrorKind::InvalidInput.into());
            let length = length.map_err(SinkError::io("writing", Path::new(RUN)))?;
            self.arena.extend_from_slice(&length.to_le_bytes());
        }
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(text);
        self.places.push(Place { begin: 0, at });
        Ok(())
    }

    /// The records in the order of their keys, those of one key in the order of their texts.
    ///
    /// # Errors
    /// [`SinkError`], if a run cannot be read.
    pub fn finish(self) -> Result<Sorted, SinkError> {
        Self::merge([self])
    }

    /// The records of all of these sorters, as [`finish`](Self::finish) returns those of one.
    ///
    /// # Errors
    /// [`SinkError`], if a run cannot be read.
    pub fn merge(sorters: impl IntoIterator<Item = Self>) -> Result<Sorted, SinkError> {
        let mut runs = Vec::new();
        for mut sorter in sorters {
            sorter.sort();
            runs.extend(sorter.runs.into_iter().map(|it| Run::of_file(it.1)));
            runs.push(Run::of_memory(sorter.arena, sorter.places));
        }
        Sorted::new(runs)
    }

    fn sort(&mut self) {
        let Self { arena, places, common, .. } = self;
        for place in &mut *places {
            place.begin = begin(Record::at(arena, place.at).key(), *common);
        }
        let record = |place: &Place| Record::at(arena, place.at);
        places.sort_unstable_by(|one, other| {
            one.begin.cmp(&other.begin).then_with(|| record(one).cmp(&record(other)))
        });
        places.dedup_by(|one, other| one.begin == other.begin && record(one) == record(other));
    }

    /// Moves the records in memory to a run, and merges runs as soon as enough of them have one level. A record is
    /// thus written once for each level, and few files are open.
    fn write_run(&mut self) -> Result<(), SinkError> {
        self.sort();
        let folder = self.folder.as_deref();
        let mut out = NewRun::new(folder)?;
        for place in &self.places {
            out.push(Record::at(&self.arena, place.at))?;
        }
        self.runs.push((0, out.finish()?));
        self.arena.clear();
        self.places.clear();
        while let Some(&(level, _)) = self.runs.last() {
            let first = self.runs.partition_point(|it| it.0 > level);
            if self.runs.len() - first < FAN_IN {
                break;
            }
            let runs = self.runs.split_off(first).into_iter().map(|it| Run::of_file(it.1));
            let (mut all, mut out) = (Sorted::new(runs.collect())?, NewRun::new(folder)?);
            while all.advance()? {
                out.push(all.record())?;
            }
            self.runs.push((level + 1, out.finish()?));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sorter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (held, runs) = (self.places.len(), self.runs.len());
        f.debug_struct("Sorter").field("held", &held).field("runs", &runs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_have_the_runs_of_three_levels() {
        let mut sorter = Sorter::with_memory(1);
        let records = FAN_IN * FAN_IN + FAN_IN + 2;
        for n in 0..records {
            sorter.push(&format!("{:04}", (n * 7919) % records), b"x").unwrap();
        }
        let levels: Vec<u8> = sorter.runs.iter().map(|it| it.0).collect();
        assert_eq!(levels, [2, 1, 0]);
        let mut sorted = sorter.finish().unwrap();
        for n in 0..records {
            assert!(sorted.advance().unwrap());
            assert_eq!(sorted.key(), format!("{n:04}").as_bytes());
        }
        assert!(!sorted.advance().unwrap());
    }
}
