//! Where a journal is, and what it takes to open it there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{DiskJournal, JournalError, Report, Store};

/// Where a journal is: a folder, or a PostgreSQL database by its URL.
#[derive(Clone, Debug)]
pub struct Location(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Folder(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(qopen_postgres::Database),
}

/// A journal that was opened, and what was found then.
#[non_exhaustive]
pub struct Opened {
    /// The journal.
    pub journal: Arc<dyn Store>,
    /// What was found.
    pub report: Report,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Location {
    /// A folder on this machine.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Folder(path.into()))
    }

    /// A folder's path, or a `postgres://` URL.
    ///
    /// # Errors
    /// [`JournalError::Fatal`], when it is a URL that cannot be used; never quotes it.
    pub fn parse(text: &str) -> Result<Self, JournalError> {
        if !text.contains("://") {
            return Ok(Self::folder(text));
        }
        #[cfg(feature = "postgres")]
        return match qopen_postgres::Database::new(text) {
            Ok(database) => Ok(Self(Kind::Postgres(database))),
            Err(error) => Err(crate::postgres::away(error)),
        };
        #[cfg(not(feature = "postgres"))]
        Err(JournalError::Fatal("journals at a URL need the feature `postgres`".into()))
    }

    /// Whether several processes may have the journal open at once.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match &self.0 {
            Kind::Folder(_) => false,
            #[cfg(feature = "postgres")]
            Kind::Postgres(_) => true,
        }
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Folder(folder) => Some(folder),
            #[cfg(feature = "postgres")]
            Kind::Postgres(_) => None,
        }
    }

    /// Whether there is a journal, or something in its place.
    ///
    /// # Errors
    /// [`JournalError`], when that cannot be found out.
    pub async fn exists(&self) -> Result<bool, JournalError> {
        match &self.0 {
            Kind::Folder(folder) => Ok(holds_journal(folder)),
            #[cfg(feature = "postgres")]
            Kind::Postgres(database) => crate::postgres::exists(database).await,
        }
    }

    /// Opens the journal. In a folder it is made where there is none.
    ///
    /// # Errors
    /// As [`DiskJournal::open`]; for a database, [`JournalError::Unavailable`] where it cannot be
    /// reached, and [`JournalError::Fatal`] where its tables are not those of this version.
    pub async fn open(&self) -> Result<Opened, JournalError> {
        match &self.0 {
            Kind::Folder(folder) => {
                let folder = folder.clone();
                let open = move || DiskJournal::open(folder);
                let opened = tokio::task::spawn_blocking(open).await;
                let journal = opened.map_err(|error| JournalError::Fatal(Box::new(error)))??;
                let report = journal.report().clone();
                Ok(Opened { journal: Arc::new(journal), report })
            }
            #[cfg(feature = "postgres")]
            Kind::Postgres(database) => {
                let journal = crate::postgres::PostgresJournal::open(database.clone()).await?;
                Ok(Opened { journal: Arc::new(journal), report: Report::default() })
            }
        }
    }

    /// Makes its tables, or brings them to this version; gives how many steps that took. A folder
    /// needs none. Any number of processes may do so at the same time.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was changed then.
    pub async fn migrate(&self) -> Result<usize, JournalError> {
        match &self.0 {
            Kind::Folder(_) => Ok(0),
            #[cfg(feature = "postgres")]
            Kind::Postgres(database) => crate::postgres::migrate(database).await,
        }
    }
}

/// A folder of other files is no journal. What cannot be listed may be one.
fn holds_journal(folder: &Path) -> bool {
    let is_ours = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        name == "lock" || Path::new(&name).extension().is_some_and(|it| it == "log")
    };
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().any(is_ours),
        Err(_) => folder.exists(),
    }
}

/// The folder, or host and database: never a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Folder(folder) => write!(f, "{}", folder.display()),
            #[cfg(feature = "postgres")]
            Kind::Postgres(database) => f.write_str(database.name()),
        }
    }
}
