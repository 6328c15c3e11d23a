//! The database of a journal: its tables, and opening it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use qopen_journal::{Backend, Examined, JournalError, Opened, Report, doubt_unfinished_pulls};

use super::value::{away, failed};
use super::{PostgresJournal, SCHEMA, home};
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

    /// Also counts that the database was restored from a dump of `pg_dump`: against every pull that is not complete, as
    /// [`doubt_unfinished_pulls`](qopen_journal::doubt_unfinished_pulls) does.
    async fn migrate(&self) -> Result<usize, JournalError> {
        let database = &self.database;
        database.check_session().await.map_err(away)?;
        let steps = database.migrate(&SCHEMA).await.map_err(away)?;
        let Some(doubted) = settle(database).await? else { return Ok(steps) };
        tracing::info!(
            pulls = doubted,
            "the journal was restored from a backup: pages that were acknowledged after the backup are missing, so \
             that no unfinished pull is complete until the item in quarantine is released"
        );
        Ok(steps + 1)
    }

    async fn examine(&self) -> Result<Examined, JournalError> {
        self.database.check_session().await.map_err(away)?;
        let client = self.database.read_only().await.map_err(away)?;
        let upgrade = SCHEMA.examine(&client).await.map_err(away)?;
        let mut examined = Examined::default();
        if upgrade.found.is_some() {
            let pulls = "SELECT count(*) FROM qopen_journal.pull";
            let pulls: i64 = client.query_one(pulls, &[]).await.map_err(failed)?.get(0);
            examined.report.pulls = pulls.unsigned_abs();
        }
        examined.is_restored = match upgrade.found {
            None => false,
            Some(_) if upgrade.is_nothing() => home::is_restored(&client).await.map_err(failed)?,
            // An earlier version has no home.
            Some(_) => home::is_ahead(&client).await.map_err(failed)?,
        };
        examined.upgrade = Some(upgrade);
        Ok(examined)
    }

    async fn open(&self) -> Result<Opened, JournalError> {
        let journal = PostgresJournal::new(self.database.clone()).await?;
        Ok(Opened::new(Arc::new(journal), Report::default()))
    }
}

/// Counts the restoration of the journal, if it was restored. Returns the number of pulls that are not complete because
/// of it.
async fn settle(database: &Database) -> Result<Option<u64>, JournalError> {
    let client = database.client().await.map_err(away)?;
    let is_new = home::is_unknown(&client).await.map_err(failed)?;
    if !is_new && !home::is_restored(&client).await.map_err(failed)? {
        return Ok(None);
    }
    let mut locked = database.connect(None).await.map_err(away)?;
    home::lock(&locked).await.map_err(failed)?;
    let doubted = match home::is_restored(&locked).await.map_err(failed)? {
        false => None,
        true => {
            home::mend(&mut locked).await.map_err(failed)?;
            let journal = PostgresJournal::use_tables(database.clone(), &client).await?;
            Some(doubt_unfinished_pulls(&journal).await?)
        }
    };
    home::note(&locked).await.map_err(failed)?;
    Ok(doubted)
}

impl fmt::Display for PostgresBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database.name())
    }
}
