//! The database of a journal: its tables, and opening it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use qopen_journal::{Backend, JournalError, Opened, Report};

use super::value::{away, failed};
use super::{PostgresJournal, SCHEMA};
use crate::database::Database;
use crate::error::DatabaseError;

/// A database for a journal, by its URL. `Display` shows host and database: no user, no password.
#[derive(Clone, Debug)]
pub struct PostgresBackend {
    database: Database,
}

impl PostgresBackend {
    /// The database of a `postgres://` URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`JournalError::Fatal`], if the URL cannot be used; the error never quotes it.
    pub fn new(url: &str) -> Result<Self, JournalError> {
        Ok(Self { database: Database::new(url).map_err(away)? })
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn is_shared(&self) -> bool {
        true
    }

    async fn exists(&self) -> Result<bool, JournalError> {
        match self.database.check(&SCHEMA).await {
            Err(DatabaseError::Schema { found: 0, .. }) => Ok(false),
            checked => checked.map(|()| true).map_err(away),
        }
    }

    async fn migrate(&self) -> Result<usize, JournalError> {
        let database = &self.database;
        database.check_session().await.map_err(away)?;
        let steps = database.migrate(&SCHEMA).await.map_err(away)?;
        // Tables that were restored into another cluster have that cluster's transaction numbers.
        let mut client = database.client().await.map_err(away)?;
        let transaction = client.transaction().await.map_err(failed)?;
        let moved = "SELECT looked FROM qopen_journal.spotter
         WHERE pg_snapshot_xmax(looked) > pg_snapshot_xmax(pg_current_snapshot()) FOR UPDATE";
        if transaction.execute(moved, &[]).await.map_err(failed)? > 0 {
            let mend = "UPDATE qopen_journal.page SET xid = DEFAULT;
             UPDATE qopen_journal.pull SET notes = true, counted = NULL;
             UPDATE qopen_journal.age SET swept = pg_snapshot_xmin(pg_current_snapshot());
             UPDATE qopen_journal.spotter SET looked = pg_current_snapshot()";
            transaction.batch_execute(mend).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(steps)
    }

    async fn open(&self) -> Result<Opened, JournalError> {
        let journal = PostgresJournal::new(self.database.clone()).await?;
        Ok(Opened::new(Arc::new(journal), Report::default()))
    }
}

impl fmt::Display for PostgresBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database.name())
    }
}
