//! A pull that has ended.

use crate::key::PageDigest;
use crate::progress::PullProgress;
use crate::pull::Pull;
use crate::time::Time;

/// What remains of an ended pull.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tombstone {
    pub(crate) pull: Pull,
    /// Whether the accounts were taken; the pages' digests remain.
    pub(crate) taken: bool,
    /// Whether pages may reopen it.
    pub(crate) revivable: bool,
    pub(crate) progress: PullProgress,
    pub(crate) expires: Time,
    /// Late pages of the next revision.
    pub(crate) late: Option<Late>,
}

/// Late pages of a completed pull that are not in its revision yet.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Late {
    pub(crate) first: Time,
    pub(crate) last: Time,
    pub(crate) page: PageDigest,
}

impl Tombstone {
    /// When the late pages so far make a revision: twice the settle time after the last of them, at
    /// most one idle timeout after the first.
    pub(crate) fn revised(&self) -> Option<Time> {
        let timing = &self.pull.options.timing;
        let late = self.late.as_ref()?;
        let quiet = timing.settle.saturating_mul(2).max(timing.idle_timeout / 6);
        Some((late.last + quiet).min(late.first + timing.idle_timeout))
    }

    /// When it is revised or forgotten.
    pub(crate) fn due(&self) -> Time {
        self.revised().map_or(self.expires, |revised| revised.min(self.expires))
    }
}
