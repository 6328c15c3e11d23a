//! The report of a journal's check.

use std::fmt;

/// A part of a segment that holds no whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The segment's file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether it is an append that was in flight when the process or the machine stopped. It was
    /// never acknowledged, so the platform sends it again.
    pub unfinished: bool,
}

/// In one sentence.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, unfinished } = self;
        let what = match unfinished {
            true => "an append that was not finished, and not acknowledged",
            false => "cannot be read any more",
        };
        write!(f, "{file}: {bytes} bytes at byte {offset}: {what}")
    }
}

/// The content of a journal on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Files.
    pub segments: u64,
    /// Whole records.
    pub records: u64,
    /// Pulls.
    pub pulls: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Damaged records, in the order of files and offsets.
    pub damage: Vec<Damage>,
    /// Pulls that are not complete, if the files are a copy of a journal's: pages that came after the copy was made are
    /// missing, which [counts](crate::doubt_unfinished_pulls) against these pulls.
    pub doubted: Option<u64>,
}
