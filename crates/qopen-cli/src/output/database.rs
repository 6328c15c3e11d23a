//! Databases of lists.

use std::path::Path;
use std::sync::Arc;

use qopen::postgres::PostgresSink;
use qopen::sink::{Sink, SinkError, shown_path};
use qopen::sqlite::SqliteSink;

use crate::database;
use crate::exit::Failure;
use crate::values::sqlite::SqliteFile;

/// A database of lists.
#[derive(Clone, Debug)]
pub(crate) enum ListDatabase {
    Postgres(PostgresSink),
    Sqlite(SqliteSink),
}

impl ListDatabase {
    /// Returns the database at a place; `None` if the place is a file or a folder. Nothing is opened yet.
    pub(crate) fn at(out: &Path) -> Result<Option<Self>, Failure> {
        let file = SqliteFile::of(out);
        if let Some(file) = file.map_err(|why| Failure::usage(format!("the output: {why}")))? {
            let sink = SqliteSink::new(file.path);
            let sink = match file.wait {
                Some(wait) => sink.busy_timeout(wait),
                None => sink,
            };
            return Ok(Some(Self::Sqlite(sink)));
        }
        let Some(url) = database::of(out) else { return Ok(None) };
        let sink = PostgresSink::new(url);
        let sink = sink.map_err(|error| Failure::usage_of("the output", &error))?;
        Ok(Some(Self::Postgres(sink)))
    }

    pub(crate) fn in_folder(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Postgres(sink) => Self::Postgres(sink.in_folder(folder)),
            Self::Sqlite(sink) => Self::Sqlite(sink.in_folder(folder)),
        }
    }

    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        match self {
            Self::Postgres(sink) => Arc::new(sink.clone()),
            Self::Sqlite(sink) => Arc::new(sink.clone()),
        }
    }

    /// The database as messages and journals name it.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Postgres(sink) => sink.location(),
            Self::Sqlite(sink) => sink.location(),
        }
    }

    /// Creates or updates the tables. Returns the number of steps.
    pub(crate) fn migrate(&self) -> Result<usize, SinkError> {
        match self {
            Self::Postgres(sink) => sink.migrate(),
            Self::Sqlite(sink) => sink.migrate(),
        }
    }

    /// Finds failures before the pages come.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let checked = self.sink().check();
        let Err(error) = checked else { return Ok(()) };
        let what = match (self, &error) {
            (Self::Postgres(sink), SinkError::Database(_) | SinkError::TimedOut { .. }) => format!(
                "lists cannot be published to {}; is the database up, and is --out right?",
                sink.location()
            ),
            (Self::Sqlite(_), SinkError::NoFolder { .. }) | (Self::Postgres(_), _) => {
                return Err(Failure::usage_of("the output", &error));
            }
            (Self::Sqlite(sink), _) => {
                format!("lists cannot be published to {}", shown_path(sink.path()))
            }
        };
        Err(Failure::output(&what, &error))
    }
}
