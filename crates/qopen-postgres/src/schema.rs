//! Schema migrations.

use qopen_types::{FormatChange, Upgrade};
use tokio_postgres::{Client, GenericClient};

use crate::error::DatabaseError;

/// A schema with its migrations, oldest first. A published migration is never changed; later ones are
/// added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    name: &'static str,
    migrations: &'static [&'static str],
}

/// The number of the advisory lock for migrations of all schemas: "qopen" in ASCII.
const LOCK: i64 = 0x0071_6f70_656e;

impl Schema {
    /// A schema of that name: letters and underscores.
    #[must_use]
    pub(crate) const fn new(name: &'static str, migrations: &'static [&'static str]) -> Self {
        Self { name, migrations }
    }

    pub(crate) async fn migrate(&self, client: &mut Client) -> Result<usize, DatabaseError> {
        let Self { name, migrations } = self;
        if self.version(client).await? == migrations.len() {
            // A user without the right to create tables can still use existing ones.
            return Ok(0);
        }
        let transaction = client.transaction().await.map_err(DatabaseError::of)?;
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await
            .map_err(DatabaseError::of)?;
        let books = format!(
            "CREATE SCHEMA IF NOT EXISTS {name};
             CREATE TABLE IF NOT EXISTS {name}.migration (
                 version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now()
             );"
        );
        transaction.batch_execute(&books).await.map_err(DatabaseError::of)?;
        let found = self.version(&transaction).await?;
        let missing = self.missing(found)?;
        for (version, migration) in (found + 1..).zip(missing) {
            transaction.batch_execute(migration).await.map_err(DatabaseError::of)?;
            let version = i32::try_from(version).unwrap_or(i32::MAX);
            let note = format!("INSERT INTO {name}.migration (version) VALUES ($1)");
            transaction.execute(&note, &[&version]).await.map_err(DatabaseError::of)?;
        }
        transaction.commit().await.map_err(DatabaseError::of)?;
        Ok(missing.len())
    }

    pub(crate) async fn check(&self, client: &Client) -> Result<(), DatabaseError> {
        let found = self.version(client).await?;
        match self.missing(found)? {
            [] => Ok(()),
            _ => Err(self.other(found)),
        }
    }

    /// Refuses a schema that a later qopen migrated. A schema of an earlier version, or none, is left to the statements.
    pub(crate) async fn refuse_later(&self, client: &Client) -> Result<(), DatabaseError> {
        self.missing(self.version(client).await?).map(drop)
    }

    /// The migrations after that version.
    fn missing(&self, found: usize) -> Result<&'static [&'static str], DatabaseError> {
        self.migrations.get(found..).ok_or_else(|| self.other(found))
    }

    fn other(&self, found: usize) -> DatabaseError {
        DatabaseError::Schema { name: self.name, found, known: self.migrations.len() }
    }

    /// What [`migrate`](Self::migrate) would do. Changes nothing.
    pub(crate) async fn examine(&self, client: &Client) -> Result<Upgrade, DatabaseError> {
        let found = self.version(client).await?;
        let missing = self.missing(found)?;
        let added = missing.iter().flat_map(|migration| additions(migration));
        let change = match (found, missing) {
            (_, []) => FormatChange::None,
            (0, _) => FormatChange::Made,
            _ => FormatChange::Migrated(added.collect()),
        };
        let found = (found > 0).then_some(found as u64);
        Ok(Upgrade::new(found, self.migrations.len() as u64, change))
    }

    /// The version in the database; 0 if there is none.
    async fn version(&self, client: &impl GenericClient) -> Result<usize, DatabaseError> {
        // An error would end the transaction, if there is one.
        let is_there = format!("SELECT to_regclass('{}.migration') IS NOT NULL", self.name);
        let is_there: bool =
            client.query_one(&is_there, &[]).await.map_err(DatabaseError::of)?.get(0);
        if !is_there {
            return Ok(0);
        }
        let read = format!("SELECT coalesce(max(version), 0) FROM {}.migration", self.name);
        let version = client.query_one(&read, &[]).await.map_err(DatabaseError::of)?;
        Ok(usize::try_from(version.get::<_, i32>(0)).unwrap_or(0))
    }
}

/// What a migration adds, in words: tables, sequences and columns, in their order.
fn additions(migration: &str) -> Vec<String> {
    let code = migration.lines().map(|line| line.split("--").next().unwrap_or_default());
    let code = code.collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = code.split([' ', ',', '(', ';']).filter(|it| !it.is_empty()).collect();
    let (mut added, mut table) = (Vec::new(), "");
    for words in words.windows(3) {
        match words {
            ["CREATE", "TABLE", name] => added.push(format!("table {name}")),
            ["CREATE", "SEQUENCE", name] => added.push(format!("sequence {name}")),
            ["ALTER", "TABLE", name] => table = name,
            ["ADD", "COLUMN", name] => added.push(format!("column {table}.{name}")),
            _ => {}
        }
    }
    added
}

#[cfg(test)]
mod tests {
    use super::additions;

    #[test]
    fn a_migration_says_what_it_adds() {
        let added = |sql| additions(sql).join(", ");
        assert_eq!(added(include_str!("journal/2.sql")), "table qopen_journal.refusal");
        assert_eq!(added(include_str!("journal/4.sql")), "column qopen_journal.identity.home");
        assert_eq!(
            added(include_str!("sink/2.sql")),
            "sequence qopen.list_order, column qopen.pull.list_order"
        );
        assert_eq!(
            added(include_str!("sink/4.sql")),
            "column qopen.pull.evidence, column qopen.pull.basis, column qopen.list.list_order, \
             column qopen.list.evidence, column qopen.list.basis, column qopen.list.digest_before, \
             column qopen.list.digest"
        );
    }
}
