//! The records of many runs in one order.

use super::record::{HEAD, Record};
use super::run::Run;
use crate::SinkError;

/// Sorted records, one at a time. [`advance`](Self::advance) moves to the first one.
pub struct Sorted {
    runs: Vec<Run>,
    /// The runs that have a record, the one with the least record last.
    order: Vec<usize>,
    /// Whether the least record is the current one.
    is_at_record: bool,
}

impl Sorted {
    pub(super) fn new(runs: Vec<Run>) -> Result<Self, SinkError> {
        let mut sorted = Self { order: Vec::with_capacity(runs.len()), runs, is_at_record: false };
        for run in 0..sorted.runs.len() {
            sorted.step(run)?;
        }
        Ok(sorted)
    }

    /// Moves to the next record. Returns false at the end.
    ///
    /// # Errors
    /// [`SinkError`], if a run cannot be read. No record follows then.
    pub fn advance(&mut self) -> Result<bool, SinkError> {
        let moved = self.leave();
        if moved.is_err() {
            // Nothing that came after could be trusted to be whole.
            self.order.clear();
        }
        self.is_at_record = !self.order.is_empty();
        moved.map(|()| self.is_at_record)
    }

    /// The current record's key. Empty before the first record and after the last one.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        if self.is_at_record { self.record().key() } else { &[] }
    }

    /// The current record's text. Empty before the first record and after the last one.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        if self.is_at_record { self.record().text() } else { &[] }
    }

    pub(super) fn record(&self) -> Record<'_> {
        match self.order.last() {
            Some(run) => self.runs[*run].record(),
            None => Record(&[0; HEAD]),
        }
    }

    /// Moves past the current record and its copies, each of which is in another run.
    fn leave(&mut self) -> Result<(), SinkError> {
        let Some(current) = self.order.pop_if(|_| self.is_at_record) else { return Ok(()) };
        let is_copy = |next: &usize| self.runs[*next].record() == self.runs[current].record();
        let copies = self.order.iter().rev().take_while(|it| is_copy(it)).count();
        for copy in self.order.split_off(self.order.len() - copies) {
            self.step(copy)?;
        }
        self.step(current)
    }

    /// Moves a run to its next record, and puts it in its place in the order.
    fn step(&mut self, run: usize) -> Result<(), SinkError> {
        if self.runs[run].advance()? {
            let record = self.runs[run].record();
            let is_greater = |it: &usize| self.runs[*it].record().cmp(&record).is_gt();
            let place = self.order.partition_point(is_greater);
            self.order.insert(place, run);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sorted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sorted").field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}
