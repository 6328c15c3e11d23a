//! Databases of lists.

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "mysql")]
use qopen::mysql::MysqlSink;
use qopen::postgres::PostgresSink;
use qopen::sink::{Sink, SinkError, shown_path};
use qopen::sqlite::SqliteSink;
use qopen::types::Upgrade;

use crate::database;
use crate::exit::Failure;
use crate::lang::{Phrase, THE_OUTPUT, phrase};
use crate::values::sqlite::SqliteFile;

/// A database of lists.
#[derive(Clone, Debug)]
pub(crate) enum ListDatabase {
    Postgres(PostgresSink),
    Sqlite(SqliteSink),
    #[cfg(feature = "mysql")]
    Mysql(MysqlSink),
}

impl ListDatabase {
    /// Returns the database at a place; `None` if the place is a file or a folder. Nothing is opened yet.
    pub(crate) fn at(out: &Path) -> Result<Option<Self>, Failure> {
        let file = SqliteFile::of(out);
        if let Some(file) = file.map_err(|why| Failure::usage(Phrase::about(THE_OUTPUT, why)))? {
            let sink = SqliteSink::new(file.path);
            let sink = match file.wait {
                Some(wait) => sink.busy_timeout(wait),
                None => sink,
            };
            return Ok(Some(Self::Sqlite(sink)));
        }
        let Some(url) = database::of(out) else { return Ok(None) };
        if database::is_mysql(url) {
            return Self::mysql(url).map(Some);
        }
        let sink = PostgresSink::new(url);
        let sink = sink.map_err(|error| Failure::usage_of(THE_OUTPUT, &error))?;
        Ok(Some(Self::Postgres(sink)))
    }

    #[cfg(feature = "mysql")]
    fn mysql(url: &str) -> Result<Self, Failure> {
        let sink = MysqlSink::new(url);
        sink.map(Self::Mysql).map_err(|error| Failure::usage_of(THE_OUTPUT, &error))
    }

    #[cfg(not(feature = "mysql"))]
    fn mysql(_: &str) -> Result<Self, Failure> {
        Err(Failure::usage(Phrase::about(THE_OUTPUT, database::NO_MYSQL)))
    }

    pub(crate) fn in_folder(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Postgres(sink) => Self::Postgres(sink.in_folder(folder)),
            Self::Sqlite(sink) => Self::Sqlite(sink.in_folder(folder)),
            #[cfg(feature = "mysql")]
            Self::Mysql(sink) => Self::Mysql(sink.in_folder(folder)),
        }
    }

    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        match self {
            Self::Postgres(sink) => Arc::new(sink.clone()),
            Self::Sqlite(sink) => Arc::new(sink.clone()),
            #[cfg(feature = "mysql")]
            Self::Mysql(sink) => Arc::new(sink.clone()),
        }
    }

    /// The database as messages and journals name it.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Postgres(sink) => sink.location(),
            Self::Sqlite(sink) => sink.location(),
            #[cfg(feature = "mysql")]
            Self::Mysql(sink) => sink.location(),
        }
    }

    /// Creates or updates the tables. Returns the number of steps.
    pub(crate) fn migrate(&self) -> Result<usize, SinkError> {
        match self {
            Self::Postgres(sink) => sink.migrate(),
            Self::Sqlite(sink) => sink.migrate(),
            #[cfg(feature = "mysql")]
            Self::Mysql(sink) => sink.migrate(),
        }
    }

    /// Finds failures before the pages come.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.sink().check().map_err(|error| self.failure(&error))
    }

    /// Looks at what a migration would do. Changes nothing. Blocks.
    pub(crate) fn examine(&self) -> Result<Upgrade, SinkError> {
        match self {
            Self::Postgres(sink) => sink.examine(),
            Self::Sqlite(sink) => sink.examine(),
            #[cfg(feature = "mysql")]
            Self::Mysql(sink) => sink.examine(),
        }
    }

    /// Whether a server has the database.
    pub(crate) fn is_on_a_server(&self) -> bool {
        !matches!(self, Self::Sqlite(_))
    }

    /// An error of the database, with the place.
    pub(crate) fn failure(&self, error: &SinkError) -> Failure {
        let what = match (self, error) {
            (Self::Sqlite(_), SinkError::NoFolder { .. }) => {
                return Failure::usage_of(THE_OUTPUT, error);
            }
            (Self::Sqlite(sink), _) => {
                phrase!(
                    "lists cannot be published to {place}",
                    "无法将列表发布到 {place}",
                    place = shown_path(sink.path()),
                )
            }
            (_, SinkError::Database(_) | SinkError::TimedOut { .. }) => phrase!(
                "lists cannot be published to {place}; is the database up, and is --out right?",
                "无法将列表发布到 {place}；数据库是否在运行，--out 是否正确？",
                place = self.location(),
            ),
            _ => return Failure::usage_of(THE_OUTPUT, error),
        };
        Failure::output(what, error)
    }
}
