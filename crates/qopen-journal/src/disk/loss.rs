//! Records that are found damaged while the journal is open.
//!
//! A lost page leaves the index at once, so that it counts as lost without a restart, and is kept again when it
//! comes again.

use std::fs::File;

use qopen_types::Digest;

use super::lock;
use super::one::record;
use super::segment::{self, Location};
use super::shared::Shared;
use crate::PullId;

/// A page, or an unreadable payload in quarantine, in a segment.
pub(super) struct Stored {
    /// `None` for an item of an unknown pull.
    pub(super) pull: Option<PullId>,
    pub(super) digest: Digest,
    pub(super) at: Location,
    /// Its number, if it is in quarantine.
    pub(super) quarantined: Option<u64>,
}

/// Whether a segment was deleted, or replaced by something that is no file, while its folder is there.
pub(super) fn is_gone(shared: &Shared, segment: u32) -> bool {
    let is_file = std::fs::metadata(segment::path_of(&shared.folder, segment));
    let is_gone = match is_file {
        Ok(metadata) => !metadata.is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    // The folder of a file system that is not mounted is empty.
    is_gone && lock::path(&shared.folder).exists()
}

/// Reads all pages of a damaged segment. Marks those that are damaged as lost, and has the writer note that.
pub(super) fn examine(shared: &Shared, segment: u32) {
    let stored = shared.index().stored_in(segment);
    let mut open: Option<(u32, File)> = None;
    let is_gone = is_gone(shared, segment);
    let mut lost = Vec::new();
    for it in stored {
        let is_whole = match record(shared, &mut open, it.at) {
            Ok(bytes) => Digest::of(&bytes) == it.digest,
            Err(crate::JournalError::Damaged(_)) => false,
            // It may be readable later.
            Err(_) => !is_gone,
        };
        if !is_whole && shared.index().lose(&it) {
            lost.push((it.pull, it.digest));
        }
    }
    if lost.is_empty() {
        return;
    }
    let (pages, file) = (lost.len() as u64, segment::path_of(&shared.folder, segment));
    tracing::error!(pages, file = %file.display(), "pages are lost: the journal's file was damaged");
    let noted = lost.into_iter().filter_map(|(pull, digest)| Some((pull?, digest)));
    shared.lost().extend(noted);
}
