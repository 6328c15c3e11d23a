//! The ages of a journal on disk: kept in a file of their own, and lost without harm.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::age::{Ages, Observer};

/// Where they are kept. It may be deleted: everything is as young as it can be then.
const FILE: &str = "ages.json";

#[derive(Debug)]
pub(super) struct Watch {
    ages: Ages,
    /// Once the time was counted in which no process had the journal.
    observer: Option<Observer>,
}

impl Watch {
    /// What the journal in that folder knows.
    pub(super) fn of(folder: &Path) -> Self {
        let read = fs::read(folder.join(FILE)).ok();
        let ages = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { ages, observer: None }
    }

    /// The number that every record from now on must have at least.
    pub(super) fn next(&self) -> u64 {
        self.ages.next()
    }

    /// The number below which every record is at least that old; `next` is the next record's.
    pub(super) fn older_than(&mut self, keep: Duration, next: u64, folder: &Path) -> u64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Instant::now();
        self.observer = Some(match self.observer {
            Some(observer) => self.ages.passed(wall, observer, now),
            None => self.ages.opened(wall, keep, now),
        });
        let number = self.ages.older_than(keep, next);
        if let Err(error) = self.save(folder) {
            // Time that is not kept makes nothing older.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "how much time has passed cannot be kept");
        }
        number
    }

    fn save(&self, folder: &Path) -> std::io::Result<()> {
        let (path, beside) = (folder.join(FILE), folder.join("ages.json.new"));
        fs::write(&beside, serde_json::to_vec(&self.ages)?)?;
        fs::rename(beside, path)
    }
}
