//! Settings of a journal on disk.

use super::faults::Faults;

/// Settings of a [`DiskJournal`](crate::DiskJournal).
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a journal is opened with them"]
pub struct DiskOptions {
    pub(super) segment_size: u32,
    pub(super) compaction_rate: u64,
    pub(super) faults: Faults,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self { segment_size: 32 << 20, compaction_rate: 64 << 20, faults: Faults::default() }
    }
}

impl DiskOptions {
    /// Sets the bytes that are preallocated at a time, from 64 KiB to 1 GiB. Default 32 MiB. A larger record
    /// gets room of its own.
    pub fn segment_size(mut self, bytes: u32) -> Self {
        self.segment_size = bytes.clamp(64 << 10, 1 << 30);
        self
    }

    /// Sets the bytes a second that [`compact`](crate::Maintenance::compact) moves at most, so that
    /// appends have the rest of the disk. Default 64 MiB.
    pub fn compaction_rate(mut self, bytes: u64) -> Self {
        self.compaction_rate = bytes.max(1);
        self
    }

    /// Storage that fails on command.
    #[cfg(feature = "faults")]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}
