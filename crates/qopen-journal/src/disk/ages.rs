//! The ages of a journal on disk: kept in a file of their own, and lost without harm.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use qopen_types::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::age::{Ages, Observer};

/// The file of ages. It may be deleted: everything is then as young as possible.
const FILE: &str = "ages.json";

/// The content of the file. With a wrong digest it counts as lost: a flipped bit must make nothing
/// old.
#[derive(Serialize, Deserialize)]
struct Kept {
    ages: Value,
    digest: Digest,
}

impl Kept {
    fn new(ages: &Ages) -> serde_json::Result<Self> {
        let ages = serde_json::to_value(ages)?;
        let digest = Self::digest_of(&ages);
        Ok(Self { ages, digest })
    }

    /// The ages that those bytes hold, if they are as they were written.
    fn read(bytes: &[u8]) -> Option<Ages> {
        let Self { ages, digest } = serde_json::from_slice(bytes).ok()?;
        (Self::digest_of(&ages) == digest).then(|| serde_json::from_value(ages).ok())?
    }

    fn digest_of(ages: &Value) -> Digest {
        Digest::of(ages.to_string().as_bytes())
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    ages: Ages,
    /// Once the time was counted in which no process had the journal.
    observer: Option<Observer>,
}

impl Watch {
    /// The ages of the journal in this folder.
    pub(super) fn of(folder: &Path) -> Self {
        let read = fs::read(folder.join(FILE)).ok();
        let ages = read.and_then(|bytes| Kept::read(&bytes)).unwrap_or_default();
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
        self.observer = Some(self.ages.observe(self.observer, wall, keep, now));
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
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&beside)?.write_all(&serde_json::to_vec(&Kept::new(&self.ages)?)?)?;
        fs::rename(beside, path)
    }
}
