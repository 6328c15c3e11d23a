//! Lists in PostgreSQL: filled beside the old ones, and switched in one transaction.

mod blocking;
mod changes;
mod columns;
mod commit;
mod compare;
mod forget;
mod kept;
mod published;
mod rights;
mod rows;
mod sessions;
mod statements;
mod tables;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qopen_sink::storage::unnamed;
use qopen_sink::{ListInfo, ListKind, ListWriter, Sink, SinkError};
use qopen_types::{Account, FormatChange, MarkId, PullId, RobotId, Upgrade};
use tokio::runtime::Handle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::database::Database;
use blocking::{away, bounded, failed};
pub use changes::{ChangeLines, FoundChanges, NotKept};
use columns::{COLUMN_TABLES, Columns};
use published::Published;
use rights::try_all;
use sessions::Sessions;
use statements::BEGIN;
use tables::SCHEMA;
use writer::{TAGS, Writer};

/// Lists in a PostgreSQL database, in the schema `qopen`: `robot_account` has a row for each robot and
/// account, `tag` the accounts' tags, `pull` the published list of each robot. Readers see the old list or
/// the new one (invariant I5).
///
/// `change` has the customers that changed with each of a robot's last 30 lists that were compared, `list` the
/// numbers of the last 1,000.
///
/// `pull` and `list` say what the completeness of each list rests on, in `evidence` and `basis`.
///
/// A partial list goes into `partial_robot_account` and `partial_tag`. The next complete list deletes it.
///
/// Clones share a thread and up to two idle connections.
#[derive(Clone, Debug)]
pub struct PostgresSink {
    sessions: Arc<Sessions>,
    columns: Columns,
    scratch: Option<PathBuf>,
}

impl PostgresSink {
    /// The database of a `postgres://` URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SinkError::Database`], if the URL cannot be used; the error never quotes it.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        let columns = Columns::of(Account::COLUMNS);
        let sessions = Arc::new(Sessions::new(Database::new(url).map_err(away)?));
        Ok(Self { sessions, columns, scratch: None })
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
        self.database().name().to_owned()
    }

    /// Creates the tables, or brings them to this version. Returns how many steps that took. Any number of
    /// processes may migrate at the same time. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`]; the step that failed changed nothing.
    pub fn migrate(&self) -> Result<usize, SinkError> {
        let database = self.database().clone();
        let migrate = async {
            // A connection of the pool would stay as long as the process.
            let mut client = database.connect(None).await?;
            SCHEMA.migrate(&mut client).await
        };
        let steps = self.sessions.run(|runtime| runtime.block_on(migrate).map_err(away))?;
        let columns = &self.columns;
        if columns.later().is_empty() {
            return Ok(steps);
        }
        let tables =
            self.ask_apart("adding columns", async |client| columns.add_missing(client).await)?;
        Ok(steps + tables)
    }

    /// Looks at what [`migrate`](Self::migrate) would do. Changes nothing. Blocks.
    ///
    /// # Errors
    /// [`SinkError::Database`], if the database does not answer, or a later qopen migrated it.
    pub fn examine(&self) -> Result<Upgrade, SinkError> {
        let (database, columns) = (self.database().clone(), &self.columns);
        let look = async {
            let client = database.read_only().await.map_err(away)?;
            let mut upgrade = SCHEMA.examine(&client).await.map_err(away)?;
            if upgrade.is_nothing() {
                let mut added = Vec::new();
                for table in COLUMN_TABLES {
                    let missing = columns.missing(&client, table).await.map_err(failed)?;
                    added.extend(missing.iter().map(|it| format!("column {table}.{}", it.name)));
                }
                if !added.is_empty() {
                    upgrade.change = FormatChange::Widened(added);
                }
            }
            Ok(upgrade)
        };
        self.sessions.run(|runtime| {
            runtime.block_on(bounded("looking at the tables", look)).and_then(|it| it)
        })
    }

    /// Finds the changes of the lists that followed the list of `since`, oldest first; without `since`, the changes
    /// of the last list. The list of `since` has a mark and, if it is known, a revision.
    ///
    /// Needs a tokio runtime. Takes a connection of its own.
    ///
    /// # Errors
    /// [`SinkError::Database`], if there is no connection within 10 s, and [`SinkError::TimedOut`], if a statement
    /// takes longer than 30 s.
    pub async fn changes(
        &self,
        robot_id: &RobotId,
        since: Option<(&MarkId, Option<u32>)>,
    ) -> Result<FoundChanges, SinkError> {
        changes::find(self.database(), robot_id, since).await
    }

    fn database(&self) -> &Database {
        &self.sessions.database
    }

    /// Asks a question, bounded in time.
    fn ask<T: Send>(
        &self,
        step: &'static str,
        question: impl AsyncFnOnce(&Client) -> Result<T, Error> + Send,
    ) -> Result<T, SinkError> {
        self.sessions.run(|runtime| {
            runtime.block_on(async {
                let session = self.sessions.take().await?;
                let answer = bounded(step, question(&session.client)).await?.map_err(failed)?;
                self.sessions.put_back(session);
                Ok(answer)
            })
        })
    }

    /// As [`ask`](Self::ask), on a connection whose settings the question may change.
    fn ask_apart<T: Send>(
        &self,
        step: &'static str,
        question: impl AsyncFnOnce(&Client) -> Result<T, Error> + Send,
    ) -> Result<T, SinkError> {
        self.sessions.run(|runtime| {
            runtime.block_on(async {
                let client = sessions::connect(self.database()).await?;
                bounded(step, question(&client)).await?.map_err(failed)
            })
        })
    }
}

impl Sink for PostgresSink {
    /// Creates the tables if they are missing, and tries a publication without accounts, which it rolls back.
    fn check(&self) -> Result<(), SinkError> {
        let database = self.database().clone();
        let check = |runtime: &Handle| runtime.block_on(database.check_session());
        self.sessions.run(|runtime| check(runtime).map_err(away))?;
        self.migrate()?;
        unnamed(self.scratch.as_deref(), Path::new(TAGS))?;
        let suits = self.ask("looking at the database", async |client| {
            let look =
                "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
                     has_database_privilege(current_database(), 'TEMP')";
            let row = client.query_one(look, &[]).await?;
            Ok((row.get::<_, bool>(0), row.get::<_, bool>(1)))
        })?;
        let why = match suits {
            (true, _) => "it is read-only; name the primary server",
            (_, false) => {
                "the user may not make temporary tables; GRANT TEMPORARY ON DATABASE gives that right"
            }
            _ => {
                return self.ask_apart("trying to write", async |client| {
                    client.batch_execute(BEGIN).await?;
                    client.batch_execute(&self.columns.tables()).await?;
                    try_all(client, &self.columns).await?;
                    client.batch_execute("ROLLBACK").await
                });
            }
        };
        Err(SinkError::Unsuitable { why })
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let robot = robot_id.to_string();
        self.ask("looking for a list", async |client| {
            let read = "SELECT EXISTS (SELECT FROM qopen.robot_account WHERE robot_id = $1)";
            Ok(client.query_typed_one(read, &[(&robot, Type::TEXT)]).await?.get(0))
        })
    }

    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        let order: i64 = self.ask("taking a number", async |client| {
            let next = "SELECT nextval('qopen.list_order')";
            Ok(client.query_typed_one(next, &[]).await?.get(0))
        })?;
        Ok(u64::try_from(order).ok())
    }

    fn is_superseded(&self, list: &ListInfo<'_>) -> Result<bool, SinkError> {
        let robot = list.robot_id.to_string();
        let published = Published::of(list);
        self.ask("looking for a later list", async |client| {
            published.is_superseded(client, &robot).await
        })
    }

    fn place(&self) -> Option<String> {
        Some(self.location())
    }

    fn is_at(&self, location: &str) -> bool {
        location == self.location()
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn forget(&self, pulls: &[PullId]) -> Result<u64, SinkError> {
        match pulls {
            [] => Ok(0),
            _ => self.ask_apart("removing old lists", async |client| {
                forget::forget(client, pulls).await
            }),
        }
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        Ok(Box::new(Writer::begin(
            &self.sessions,
            self.columns.clone(),
            kind,
            self.scratch.as_deref(),
        )?))
    }
}
