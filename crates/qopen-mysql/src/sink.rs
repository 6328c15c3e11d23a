//! Lists in MySQL or MariaDB.

use std::path::{Path, PathBuf};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use qopen_sink::storage::{NewList, RECORDS, TableWriter, unnamed};
use qopen_sink::{ListInfo, ListKind, ListWriter, Sink, SinkError};
use qopen_types::{Account, PullId, RobotId, Upgrade};

use crate::blocking::{bounded, on_a_runtime};
use crate::columns::Columns;
use crate::commit::next_number;
use crate::forget::forget;
use crate::key::robot_key;
use crate::place::Place;
use crate::published::is_superseded;
use crate::rights::try_all;
use crate::schema;
use crate::server::{Server, end};
use crate::writer::Tables;

/// Lists in a MySQL or MariaDB database: `robot_account` has a row for each robot and account, `tag` the accounts' tags,
/// `pull` the published list of each robot. Readers see the old list or the new one (invariant I5), and do not delay it.
///
/// `change` has the customers that changed with each of a robot's last 30 lists that were compared, `list` the
/// numbers of the last 1,000.
///
/// `pull` and `list` say what the completeness of each list rests on, in `evidence` and `basis`.
///
/// A partial list goes into `partial_robot_account` and `partial_tag`. The next complete list deletes it.
#[derive(Clone, Debug)]
pub struct MysqlSink {
    place: Place,
    scratch: Option<PathBuf>,
}

impl MysqlSink {
    /// The database of a `mysql://` URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`MysqlError`](crate::MysqlError), if the URL cannot be used; the error never
    /// quotes it.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        let columns = Columns::of(Account::COLUMNS);
        Ok(Self { place: Place { server: Server::new(url)?, columns }, scratch: None })
    }

    /// Sets the folder for temporary data of a list. `None` means the system's folder for temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.scratch = folder.map(Path::to_owned);
        self
    }

    /// The database as messages and journals name it: host and database, no user, no password.
    #[must_use]
    pub fn location(&self) -> String {
        self.place.server.name().to_owned()
    }

    /// Creates the tables, or brings them to this version. Returns how many steps that took. Any number of processes
    /// may migrate at the same time. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`MysqlError`](crate::MysqlError), and [`SinkError::TimedOut`]. A step that failed
    /// is done again by the next call.
    pub fn migrate(&self) -> Result<usize, SinkError> {
        on_a_runtime(async || {
            let Place { server, columns } = &self.place;
            let mut connection = server.connect().await?;
            let steps = schema::prepare(&mut connection, server, columns).await;
            end(connection).await;
            steps
        })
    }

    /// Looks at what [`migrate`](Self::migrate) would do. Changes nothing. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`] with a [`MysqlError`](crate::MysqlError), if the server does not answer, or a later qopen
    /// migrated the tables.
    pub fn examine(&self) -> Result<Upgrade, SinkError> {
        on_a_runtime(async || {
            let Place { server, columns } = &self.place;
            let mut connection = server.connect().await?;
            let upgrade = schema::examine(&mut connection, columns).await;
            end(connection).await;
            upgrade
        })
    }

    /// Asks one question on a connection of its own.
    fn ask<T: Send>(
        &self,
        question: impl AsyncFnOnce(&mut Conn) -> Result<T, SinkError> + Send,
    ) -> Result<T, SinkError> {
        on_a_runtime(async || {
            let mut connection = self.place.open().await?;
            let answer = question(&mut connection).await;
            end(connection).await;
            answer
        })
    }
}

impl Sink for MysqlSink {
    /// Creates the tables if they are missing, and tries a publication without accounts, which it rolls back.
    fn check(&self) -> Result<(), SinkError> {
        unnamed(self.scratch.as_deref(), Path::new(RECORDS))?;
        self.ask(async |connection| try_all(connection, &self.place.columns).await)
    }

    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        self.ask(async |connection| Ok(u64::try_from(next_number(connection).await?).ok()))
    }

    fn is_superseded(&self, list: &ListInfo<'_>) -> Result<bool, SinkError> {
        let list = NewList::of(list);
        self.ask(async |connection| {
            bounded("looking for a later list", is_superseded(&list, connection)).await
        })
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let key = robot_key(robot_id.as_str());
        self.ask(async |connection| {
            let read = "SELECT EXISTS (SELECT 1 FROM robot_account WHERE robot_key = ?)";
            let held = connection.exec_first::<bool, _, _>(read, (key,));
            Ok(bounded("looking for a list", held).await?.unwrap_or_default())
        })
    }

    fn place(&self) -> Option<String> {
        Some(self.location())
    }

    fn is_at(&self, location: &str) -> bool {
        location == self.place.server.name()
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn forget(&self, pulls: &[PullId]) -> Result<u64, SinkError> {
        match pulls {
            [] => Ok(0),
            _ => self.ask(async |connection| forget(connection, pulls).await),
        }
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let tables = Tables(self.place.clone());
        Ok(Box::new(TableWriter::begin(tables, kind, self.scratch.clone())?))
    }
}
