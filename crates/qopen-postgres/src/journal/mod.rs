//! The journal in PostgreSQL, which any number of processes share.

pub(crate) mod backend;
mod claims;
mod hint;
mod home;
mod maintenance;
mod outbox;
mod pages;
mod read;
mod renewals;
mod shared;
pub(crate) mod transaction;
mod value;
mod write;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use qopen_journal::storage::Observer;
use qopen_journal::{
    Appended, Cursor, Durability, Journal, JournalError, Note, PageRecord, PullId, PullState,
    Quarantined,
};
use qopen_types::{Digest, MarkId, RobotId, StorageId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::database::{Database, Pooled};
use crate::error::DatabaseError;
use crate::schema::Schema;
use pages::Streams;
use read::Whose;
use renewals::Renewals;
use shared::Shared;
use value::{away, bounded, bytes_of, digest_of, encode, failed, names_of, pack, pull_of};
use write::Append;

const SCHEMA: Schema = Schema::new(
    "qopen_journal",
    &[include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql"), include_str!("4.sql")],
);

/// A journal in a PostgreSQL database, in the schema `qopen_journal`. Kept pages survive what a commit
/// there survives.
///
/// Appends that come while the database is busy share the next statement and its commit. At most
/// 1,024 wait; further callers wait themselves. Payloads are packed (LZ4). While the database is away,
/// appends fail with [`JournalError::Unavailable`] within 12 s; they succeed again when it is back.
///
/// The journal must be opened and used within a tokio runtime. Its tasks end when it is dropped.
pub struct PostgresJournal {
    database: Database,
    storage: StorageId,
    appends: mpsc::Sender<Append>,
    shared: Arc<Shared>,
    /// Limits streams of pages, each of which has a connection of its own.
    streams: Arc<Streams>,
    /// Renews leases on a connection of its own.
    renewals: Renewals,
    /// The time that this process has observed.
    observer: Mutex<Option<Observer>>,
    /// Aborted when the journal is dropped.
    _tasks: JoinSet<()>,
}

impl PostgresJournal {
    /// Opens the journal in the database of a `postgres://` URL.
    /// [`PostgresBackend`](crate::PostgresBackend) creates its tables.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], if the database does not answer. [`JournalError::Fatal`], if the URL
    /// cannot be used, the database refuses, a pooler without sessions is in front of it, its tables are
    /// missing or those of another version, or the database was restored from a backup.
    pub async fn open(url: &str) -> Result<Self, JournalError> {
        let database = Database::new(url).map_err(away)?;
        Self::new(database).await
    }

    async fn new(database: Database) -> Result<Self, JournalError> {
        database.check_session().await.map_err(away)?;
        database.check(&SCHEMA).await.map_err(away)?;
        let client = database.client().await.map_err(away)?;
        if home::is_restored(&client).await.map_err(failed)? {
            return Err(away(DatabaseError::Restored));
        }
        Self::use_tables(database.clone(), &client).await
    }

    /// As [`new`](Self::new), for tables that were checked.
    async fn use_tables(database: Database, client: &Client) -> Result<Self, JournalError> {
        let storage = transaction::storage(client).await.map_err(failed)?;
        if client.query_one("SHOW fsync", &[]).await.map_err(failed)?.get::<_, &str>(0) == "off" {
            tracing::warn!(
                "the database has fsync off: what is kept there may not survive its crash"
            );
        }
        let shared: Arc<Shared> = Arc::default();
        let (appends, queue) = mpsc::channel(write::QUEUE);
        let mut tasks = JoinSet::new();
        write::spawn(&mut tasks, &database, queue, &shared);
        tasks.spawn(hint::run(database.clone(), Arc::clone(&shared)));
        let streams = Arc::default();
        let renewals = Renewals::default();
        let observer = Mutex::default();
        Ok(Self { database, storage, appends, shared, streams, renewals, observer, _tasks: tasks })
    }

    /// Held to copy it or to replace it.
    fn observer(&self) -> MutexGuard<'_, Option<Observer>> {
        self.observer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn client(&self) -> Result<Pooled, JournalError> {
        self.database.client().await.map_err(away)
    }
}

impl fmt::Debug for PostgresJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresJournal").field("database", &self.database).finish_non_exhaustive()
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        write::append(&self.appends, page).await
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        bounded(async {
            let wants = matches!(note, Note::Started(_));
            let note = encode(&note)?;
            let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
            self.client()
                .await?
                .execute(
                    "WITH work AS (
                     INSERT INTO qopen_journal.pull (robot_id, mark_id, wants, notes)
                     VALUES ($1, $2, $4, true)
                     ON CONFLICT (robot_id, mark_id) DO UPDATE
                     SET notes = true, wants = pull.wants OR excluded.wants
                 )
                 INSERT INTO qopen_journal.note (robot_id, mark_id, at, note)
                 VALUES ($1, $2, clock_timestamp(), $3::text::json)",
                    &[&robot, &mark, &note, &wants],
                )
                .await
                .map_err(failed)?;
            self.shared.hints.kept();
            Ok(())
        })
        .await
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        bounded(async {
            let names = names_of(item.pull.as_ref());
            let digest = bytes_of(item.digest());
            // PostgreSQL's texts can have any character except this.
            let reason = item.stored_reason().replace('\0', " ");
            let (unpacked, payload) = pack(item.payload).await?;
            self.client()
                .await?
                .execute(
                    "WITH work AS (
                     INSERT INTO qopen_journal.pull (robot_id, mark_id, notes)
                     SELECT $1::text, $2::text, true WHERE $1::text IS NOT NULL
                     ON CONFLICT (robot_id, mark_id) DO UPDATE SET notes = true
                 )
                 INSERT INTO qopen_journal.quarantined
                     (robot_id, mark_id, digest, reason, unpacked, payload)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                    &[&names.0, &names.1, &digest, &reason, &unpacked, &payload],
                )
                .await
                .map_err(failed)?;
            self.shared.hints.kept();
            Ok(())
        })
        .await
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        pages::pages(&self.database, &self.streams, pull).await
    }

    async fn digests(&self, pull: &PullId) -> Result<Vec<Digest>, JournalError> {
        bounded(async {
            let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
            let read = "SELECT digest FROM qopen_journal.page WHERE robot_id = $1 AND mark_id = $2";
            let client = self.client().await?;
            let read = client.prepare_cached(read).await.map_err(failed)?;
            let rows = client.query(&read, &[&robot, &mark]).await.map_err(failed)?;
            rows.iter().map(|row| digest_of(row.get(0))).collect()
        })
        .await
    }

    async fn digests_since(
        &self,
        pull: &PullId,
        cursor: Option<&Cursor>,
    ) -> Result<(Vec<Digest>, Option<Cursor>), JournalError> {
        bounded(async { read::digests_since(&*self.client().await?, pull, cursor).await }).await
    }

    async fn pages_of(
        &self,
        pull: &PullId,
        digests: &[Digest],
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        Ok(pages::pages_of(self.database.clone(), pull.clone(), digests))
    }

    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        bounded(async {
            let states = read::states(&*self.client().await?, Whose::Pull(pull)).await?;
            Ok(states.into_iter().next())
        })
        .await
    }

    async fn facts_of(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        bounded(async { read::facts_of(&*self.client().await?, pull).await }).await
    }

    async fn knows(&self, pull: &PullId) -> Result<bool, JournalError> {
        bounded(async {
            let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
            let read = "SELECT EXISTS (
             SELECT FROM qopen_journal.pull WHERE robot_id = $1 AND mark_id = $2
         )";
            let client = self.client().await?;
            let read = client.prepare_cached(read).await.map_err(failed)?;
            Ok(client.query_one(&read, &[&robot, &mark]).await.map_err(failed)?.get(0))
        })
        .await
    }

    async fn pulls_marked(&self, mark: &MarkId) -> Result<Vec<PullState>, JournalError> {
        bounded(async {
            let client = self.client().await?;
            let read = "SELECT robot_id, mark_id FROM qopen_journal.pull WHERE mark_id = $1";
            let rows = client.query(read, &[&mark.as_str()]).await.map_err(failed)?;
            let mut states = Vec::new();
            for row in &rows {
                let pull = pull_of(row, 0, 1)?;
                states.extend(read::states(&client, Whose::Pull(&pull)).await?);
            }
            states.sort_by(|a, b| a.pull.cmp(&b.pull));
            Ok(states)
        })
        .await
    }

    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        bounded(async { read::states(&*self.client().await?, Whose::All).await }).await
    }

    async fn pulls_after(
        &self,
        after: Option<&PullId>,
        most: usize,
    ) -> Result<Vec<PullState>, JournalError> {
        bounded(async { read::after(&*self.client().await?, after, most).await }).await
    }

    async fn pulls_of(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        bounded(async { read::states(&*self.client().await?, Whose::Robot(robot)).await }).await
    }

    async fn later_pulls(&self, pull: &PullId) -> Result<Vec<PullState>, JournalError> {
        bounded(async { read::later(&*self.client().await?, pull).await }).await
    }

    async fn pulls_with_held_lists(&self, robot: &RobotId) -> Result<Vec<PullState>, JournalError> {
        bounded(async { read::held(&*self.client().await?, robot).await }).await
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        bounded(async { read::quarantined(&*self.client().await?, of).await }).await
    }

    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        bounded(async {
            let names = names_of(item.pull.as_ref());
            let digest = bytes_of(item.digest());
            self.client()
                .await?
                .execute(
                    "DELETE FROM qopen_journal.quarantined
                 WHERE coalesce(robot_id, '') = coalesce($1::text, '')
                     AND coalesce(mark_id, '') = coalesce($2::text, '') AND digest = $3",
                    &[&names.0, &names.1, &digest],
                )
                .await
                .map(drop)
                .map_err(failed)
        })
        .await
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        bounded(async {
            let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
            self.client()
                .await?
                .execute(
                    "WITH work AS (
                     DELETE FROM qopen_journal.pull WHERE robot_id = $1 AND mark_id = $2
                 ), pages AS (
                     DELETE FROM qopen_journal.page WHERE robot_id = $1 AND mark_id = $2
                 ), notes AS (
                     DELETE FROM qopen_journal.note WHERE robot_id = $1 AND mark_id = $2
                 )
                 DELETE FROM qopen_journal.quarantined WHERE robot_id = $1 AND mark_id = $2",
                    &[&robot, &mark],
                )
                .await
                .map(drop)
                .map_err(failed)
        })
        .await
    }

    fn durability(&self) -> Durability {
        Durability::ServerCommit
    }
}
