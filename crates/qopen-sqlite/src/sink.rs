//! Lists in an SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use qopen_sink::storage::{NewList, RECORDS, TableWriter, absolute, location_of, unnamed};
use qopen_sink::{ListInfo, ListKind, ListWriter, Sink, SinkError};
use qopen_types::{Account, MarkId, PullId, RobotId, Upgrade};

use crate::changes::{self, FoundChanges};
use crate::columns::Columns;
use crate::commit::next_number;
use crate::error::failed;
use crate::file::DatabaseFile;
use crate::forget::forget;
use crate::published::is_superseded;
use crate::writer::Tables;

/// How long another process may hold the lock of writers.
const WAIT: Duration = Duration::from_secs(30);

/// The scheme of locations.
const SCHEME: &str = "sqlite:";

/// Lists in an SQLite file: `robot_account` has a row for each robot and account, `tag` the accounts' tags, `pull` the
/// published list of each robot. Readers see the old list or the new one (invariant I5), and do not delay it.
///
/// `change` has the customers that changed with each of a robot's last 30 lists that were compared, `list` the
/// numbers of the last 1,000.
///
/// `pull` and `list` say what the completeness of each list rests on, in `evidence` and `basis`.
///
/// A partial list goes into `partial_robot_account` and `partial_tag`. The next complete list deletes it.
#[derive(Clone, Debug)]
pub struct SqliteSink {
    file: DatabaseFile,
    scratch: Option<PathBuf>,
}

impl SqliteSink {
    /// Lists in the file at that path. The first list creates it, with mode 0600.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let columns = Columns::of(Account::COLUMNS);
        let file = DatabaseFile { path: path.into(), wait: WAIT, columns };
        Self { file, scratch: None }
    }

    /// Sets the longest time to wait while another process writes the file. Default 30 s.
    #[must_use]
    pub fn busy_timeout(mut self, wait: Duration) -> Self {
        self.file.wait = wait;
        self
    }

    /// Sets the folder for temporary data of a list. `None` means the system's folder for temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.scratch = folder.map(Path::to_owned);
        self
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Returns the file as journals note it: `sqlite:` and the absolute path.
    #[must_use]
    pub fn location(&self) -> String {
        let path = absolute(&self.file.path).unwrap_or_else(|| self.file.path.clone());
        format!("{SCHEME}{}", location_of(&path))
    }

    /// Creates the file and its tables, or brings them to this version. Returns how many steps that took. Any number of
    /// processes may migrate at the same time. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`SqliteError`](crate::SqliteError), and other [`SinkError`]s. The step that
    /// failed changed nothing.
    pub fn migrate(&self) -> Result<usize, SinkError> {
        self.file.open().map(|it| it.1)
    }

    /// Looks at what [`migrate`](Self::migrate) would do. Changes nothing: what a killed writer left unfinished is undone
    /// in a private copy of at most 64 MiB of the file, in the folder for temporary data. Blocks.
    ///
    /// SQLite shares locks between the connections of a process. Beside a connection of another sink, the file is read by
    /// a connection, too. Connections that the program opens itself are not known here: close them before.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`SqliteError`](crate::SqliteError), if the file cannot be read, a later qopen wrote
    /// it, or what a killed writer left is too large for a copy.
    pub fn examine(&self) -> Result<Upgrade, SinkError> {
        self.file.examine(self.scratch.as_deref())
    }

    /// Finds the changes of the lists that followed the list of `since`, oldest first; without `since`, the changes
    /// of the last list. The list of `since` has a mark and, if it is known, a revision. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`SqliteError`](crate::SqliteError), and [`SinkError::TimedOut`], if another
    /// process has the file for itself for longer than the busy timeout, or 10 s if that is shorter.
    pub fn changes(
        &self,
        robot_id: &RobotId,
        since: Option<(&MarkId, Option<u32>)>,
    ) -> Result<FoundChanges, SinkError> {
        changes::find(&self.file, robot_id, since)
    }
}

impl Sink for SqliteSink {
    /// Also checks that the file, if there is one, has tables that this version knows. Changes nothing.
    fn check(&self) -> Result<(), SinkError> {
        unnamed(self.scratch.as_deref(), Path::new(RECORDS))?;
        self.file.check(self.scratch.as_deref())
    }

    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        let (file, _) = self.file.open()?;
        next_number(&file, &self.file).map(|it| u64::try_from(it).ok())
    }

    fn is_superseded(&self, list: &ListInfo<'_>) -> Result<bool, SinkError> {
        let Some(file) = self.file.open_existing()? else { return Ok(false) };
        is_superseded(&NewList::of(list), &file).map_err(failed(self.file.wait))
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let Some(file) = self.file.open_existing()? else { return Ok(false) };
        let read = "SELECT EXISTS (SELECT 1 FROM robot_account WHERE robot_id = ?1)";
        let held = file.query_row(read, [robot_id.as_str()], |row| row.get(0));
        held.map_err(failed(self.file.wait))
    }

    fn place(&self) -> Option<String> {
        Some(self.location())
    }

    fn is_at(&self, location: &str) -> bool {
        let Some(path) = location.strip_prefix(SCHEME) else { return false };
        let here = absolute(&self.file.path);
        here.as_deref().map(location_of).as_deref() == Some(path)
            || absolute(Path::new(path)).is_some_and(|it| Some(it) == here)
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn forget(&self, pulls: &[PullId]) -> Result<u64, SinkError> {
        match pulls {
            [] => Ok(0),
            _ => forget(&self.file, pulls),
        }
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let tables = Tables::open(self.file.clone())?;
        Ok(Box::new(TableWriter::begin(tables, kind, self.scratch.clone())?))
    }
}
