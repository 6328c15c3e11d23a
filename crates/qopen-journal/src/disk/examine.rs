//! Looking at a journal without opening it, and telling a copy.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use qopen_types::{FormatChange, Upgrade};

use super::at::{At, unavailable};
use super::{DiskJournal, lock, recover, segment};
use crate::{Examined, JournalError, Report};

impl DiskJournal {
    /// Looks at the journal in a folder, without opening it: writes nothing, and keeps no lock.
    pub(crate) fn examine(folder: &Path) -> Result<Examined, JournalError> {
        let written = u64::from(segment::FORMAT);
        if !folder.exists() {
            let upgrade = Some(Upgrade::new(None, written, FormatChange::Made));
            return Ok(Examined { upgrade, ..Examined::default() });
        }
        let seen = lock::look(folder)?;
        let found = recover::earliest_format(folder)?.map(u64::from);
        let change = match found {
            None => FormatChange::Made,
            Some(found) if found == written => FormatChange::None,
            Some(_) => FormatChange::WrittenOn,
        };
        let report = match &seen.holder {
            // The end of a log that is being written looks like damage.
            Some(_) => Report::default(),
            None => recover::load(folder)?.report,
        };
        let upgrade = Some(Upgrade::new(found, written, change));
        Ok(Examined { upgrade, report, holder: seen.holder, is_restored: seen.is_copy })
    }

    /// Whether the folder is a copy of a journal's, which has not been [settled](Self::settle).
    pub(crate) fn is_copy(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_copy
    }

    /// Notes that the copy is the journal from now on.
    pub(crate) fn settle(&self) -> Result<(), JournalError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error| unavailable(Arc::new(At::new(lock::path(&self.shared.folder), error)));
        lock.settle().map_err(failed)
    }

    /// The result of the check at opening.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}
