//! Where a journal is kept, and what it takes to open it there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use qopen_types::Upgrade;

use crate::{DiskJournal, JournalError, Report, Store, doubt_unfinished_pulls};

/// Where a journal is kept, before it is opened: a folder, a database. `Display` names the place in
/// messages, and never shows a password.
#[async_trait]
pub trait Backend: fmt::Debug + fmt::Display + Send + Sync {
    /// The folder on this machine, if the journal is in one.
    fn as_folder(&self) -> Option<&Path> {
        None
    }

    /// Returns whether several processes may have the journal open at once.
    fn is_shared(&self) -> bool;

    /// Returns whether there is a journal, or something in its place.
    ///
    /// # Errors
    /// [`JournalError`], if that cannot be found out.
    async fn exists(&self) -> Result<bool, JournalError>;

    /// Creates what the journal needs before it is opened, or brings it to this version. Returns how many
    /// steps that took. Any number of processes may migrate at the same time.
    ///
    /// # Errors
    /// [`JournalError`]; the same call may be repeated.
    async fn migrate(&self) -> Result<usize, JournalError> {
        Ok(0)
    }

    /// Looks at the journal without changing anything, also while a process has it open. A storage that does not say
    /// its version has no [upgrade](Examined::upgrade).
    ///
    /// # Errors
    /// [`JournalError`], if it cannot be read, or a later version wrote it.
    async fn examine(&self) -> Result<Examined, JournalError> {
        Ok(Examined::default())
    }

    /// Opens the journal.
    ///
    /// # Errors
    /// [`JournalError`], if it cannot be opened, is in use, or was written by another version.
    async fn open(&self) -> Result<Opened, JournalError>;
}

/// What is known of a journal without opening it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examined {
    /// What the first use by this version does to its format.
    pub upgrade: Option<Upgrade>,
    /// Its content and damage. Empty while a process has files of it open.
    pub report: Report,
    /// The process that has it open, if only one may.
    pub holder: Option<String>,
    /// Whether it was restored from a backup, which no process has counted yet.
    pub is_restored: bool,
}

/// A journal that was opened, and what was found then.
#[non_exhaustive]
pub struct Opened {
    /// The journal.
    pub journal: Arc<dyn Store>,
    /// What was found.
    pub report: Report,
}

impl Opened {
    /// A journal with what was found when it was opened.
    #[must_use]
    pub fn new(journal: Arc<dyn Store>, report: Report) -> Self {
        Self { journal, report }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("report", &self.report).finish_non_exhaustive()
    }
}

/// A folder of a journal on disk. Opening creates the folder if it does not exist.
#[derive(Clone, Debug)]
pub struct DiskBackend(PathBuf);

impl DiskBackend {
    /// The journal in that folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

#[async_trait]
impl Backend for DiskBackend {
    fn as_folder(&self) -> Option<&Path> {
        Some(&self.0)
    }

    fn is_shared(&self) -> bool {
        false
    }

    /// A folder of other files is no journal. What cannot be listed may be one.
    async fn exists(&self) -> Result<bool, JournalError> {
        let is_ours = |entry: std::fs::DirEntry| {
            let name = entry.file_name();
            name == "lock" || Path::new(&name).extension().is_some_and(|it| it == "log")
        };
        let folder = self.0.clone();
        let found = tokio::task::spawn_blocking(move || match std::fs::read_dir(&folder) {
            Ok(entries) => entries.flatten().any(is_ours),
            Err(_) => folder.exists(),
        });
        found.await.map_err(|error| JournalError::Fatal(Box::new(error)))
    }

    async fn examine(&self) -> Result<Examined, JournalError> {
        let folder = self.0.clone();
        let examined = tokio::task::spawn_blocking(move || DiskJournal::examine(&folder)).await;
        examined.map_err(|error| JournalError::Fatal(Box::new(error)))?
    }

    async fn open(&self) -> Result<Opened, JournalError> {
        let folder = self.0.clone();
        let opened = tokio::task::spawn_blocking(|| DiskJournal::open(folder)).await;
        let journal = opened.map_err(|error| JournalError::Fatal(Box::new(error)))??;
        let mut report = journal.report().clone();
        let journal = Arc::new(journal);
        if journal.is_copy() {
            report.doubted = Some(doubt_unfinished_pulls(&*journal).await?);
            let settled = Arc::clone(&journal);
            let settled = tokio::task::spawn_blocking(move || settled.settle()).await;
            settled.map_err(|error| JournalError::Fatal(Box::new(error)))??;
        }
        Ok(Opened::new(journal, report))
    }
}

impl fmt::Display for DiskBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}
