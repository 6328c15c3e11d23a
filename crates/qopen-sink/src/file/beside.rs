//! The files beside a list.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::SinkError;

/// Suffixes of the files beside a list in any format.
pub(super) const ALL: [&str; 5] = [PARTIAL, QUARANTINE, CHANGES, KEPT, HELD];
pub(super) const PARTIAL: &str = ".partial";
pub(super) const QUARANTINE: &str = ".quarantine.jsonl";
pub(super) const CHANGES: &str = ".changes.jsonl";
/// The changes that led to the last list, until the next one is in its place.
const KEPT: &str = ".changes.kept";
pub(super) const HELD: &str = ".held";
/// A list in JSON Lines that the format of the list in its place cannot hold.
pub(super) const OVERFLOW: &str = ".overflow.jsonl";

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The files beside one complete list.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) partial: PathBuf,
    pub(super) quarantine: PathBuf,
    pub(super) changes: PathBuf,
    pub(super) kept: PathBuf,
    pub(super) held: PathBuf,
    overflow: PathBuf,
}

impl Beside {
    /// The files beside the list at that path, in which no link is left.
    pub(super) fn of(list: &Path) -> Self {
        Self {
            partial: with_suffix(list, PARTIAL),
            quarantine: with_suffix(list, QUARANTINE),
            changes: with_suffix(list, CHANGES),
            kept: with_suffix(list, KEPT),
            held: with_suffix(list, HELD),
            overflow: with_suffix(list, OVERFLOW),
        }
    }

    /// Removes the changes, before a list without changes replaces the one that they led to.
    pub(super) fn forget_changes(&self) -> Result<(), SinkError> {
        remove(&self.changes)?;
        remove(&self.kept)
    }

    /// Puts the changes of a first list beside its place, before the list is there. A publication that ends in
    /// between leaves no changes without their list.
    pub(super) fn place_first_changes(&self, changes: NamedTempFile) -> Result<(), SinkError> {
        remove(&self.changes)?;
        place(changes, &self.kept)
    }

    /// Gives the changes of a first list their name, once the list is in its place.
    pub(super) fn name_first_changes(&self) -> Result<(), SinkError> {
        let renaming = SinkError::io("renaming", &self.kept);
        fs::rename(&self.kept, &self.changes).map_err(renaming)?;
        sync(folder(&self.changes))
    }

    /// Replaces the changes durably. The last ones are kept until the list is replaced, unless those that are
    /// kept already belong to the last list.
    pub(super) fn replace_changes(
        &self,
        changes: NamedTempFile,
        is_kept: bool,
    ) -> Result<(), SinkError> {
        if !is_kept {
            remove(&self.kept)?;
            match fs::hard_link(&self.changes, &self.kept) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Some file systems have no links.
                Err(_) if self.changes.is_file() => fs::rename(&self.changes, &self.kept)
                    .map_err(SinkError::io("renaming", &self.changes))?,
                linked => linked.map_err(SinkError::io("linking", &self.changes))?,
            }
        }
        place(changes, &self.changes)
    }

    /// Removes what a complete list in its place makes worthless.
    pub(super) fn clean(&self) -> Result<(), SinkError> {
        [&self.kept, &self.partial, &self.held].into_iter().try_for_each(|it| remove(it))?;
        match remove(&self.overflow) {
            // Only formats that need the file check that it can have its name.
            Err(SinkError::Io { source, .. })
                if source.kind() == io::ErrorKind::InvalidFilename =>
            {
                Ok(())
            }
            removed => removed,
        }
    }
}

/// Renames a file into its place, durably.
pub(super) fn place(file: NamedTempFile, target: &Path) -> Result<(), SinkError> {
    file.persist(target).map_err(|error| SinkError::io("replacing", target)(error.error))?;
    sync(folder(target))
}

/// Makes renames in a folder survive a loss of power.
fn sync(folder: &Path) -> Result<(), SinkError> {
    File::open(folder).and_then(|it| it.sync_all()).map_err(SinkError::io("syncing", folder))
}

pub(super) fn remove(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SinkError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}
