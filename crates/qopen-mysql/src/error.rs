//! Errors of the server, without the data that it quotes.

use std::time::Duration;

use mysql_async::{DriverError, Error, IoError};
use qopen_sink::SinkError;

/// An error of the database, or of the way to it. Never quotes a password or a stored value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MysqlError {
    /// The URL cannot be used; the reason does not quote it.
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    /// The trusted certificates cannot be read.
    #[error("the certificates to trust (ssl-ca) cannot be used")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The connection failed, or was lost.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server has no TLS.
    #[error(
        "the server has no TLS, and the URL asks for it; set up TLS there, or add ?ssl-mode=DISABLED to the URL if the network between is trusted"
    )]
    NoTls,
    /// The server asks for a password, and none was given.
    #[error(
        "the server asks for a password, and there is none; set MYSQL_PWD, or put it into the group [client] of ~/.my.cnf"
    )]
    NoPassword,
    /// The server refused.
    #[error("the server refused: {0}")]
    Server(ServerError),
    /// The server is too old.
    #[error(
        "the server has no collation that tells every text apart; use MySQL 8.0.17 or later, or MariaDB 10.2 or later"
    )]
    TooOld,
    /// The database has a table of another program.
    #[error(
        "the database has a table {table}, which another program made; create a database for the lists, and name that one"
    )]
    OtherProgram {
        /// The table.
        table: String,
    },
    /// A later version of qopen wrote the tables.
    #[error(
        "the tables have format {found}, and this version of qopen knows {known}; use the later qopen that wrote them, restore a backup from before that, or name another database"
    )]
    Newer {
        /// The format of the tables.
        found: i64,
        /// The format that this qopen knows.
        known: i64,
    },
    /// A row is larger than the server takes.
    #[error(
        "a row of {bytes} bytes is larger than the server's max_allowed_packet of {limit} bytes; raise that setting of the server"
    )]
    TooLarge {
        /// The size of the row.
        bytes: usize,
        /// The server's limit.
        limit: usize,
    },
    /// A row was deleted or added between the comparison and the commit.
    #[error("rows of the last list were altered during the publication; publish the list again")]
    RowsAltered,
    /// The table of the order of lists has no row.
    #[error(
        "the table list_order has no row; INSERT INTO list_order SELECT 1, coalesce(max(list_order), 0) FROM pull restores it"
    )]
    NoOrder,
    /// A row has a value that its column does not have.
    #[error("a row has a value of an unexpected type")]
    Unexpected,
}

/// What a server said. Messages that may quote a stored value are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    code: u16,
    said: String,
}

impl ServerError {
    /// The server's error code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (error {})", self.said, self.code)
    }
}

/// How long a statement waits for the lock of another writer.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Access denied, with the user's name.
const DENIED: [u16; 2] = [1045, 1698];

/// Another transaction had to be rolled back, or this one: a deadlock, or a conflict between nodes of a cluster.
const DEADLOCK: u16 = 1213;

/// A key is there already.
const DUPLICATE: u16 = 1062;

/// Another transaction held a lock for too long.
const LOCKED: u16 = 1205;

/// Codes whose messages are about the server, the user or a table, and quote no value of a row: the number of
/// connections, shutdown, rights, a missing database, a full disk or table, read-only servers, memory.
const ABOUT_THE_SERVER: [u16; 28] = [
    1021, 1040, 1041, 1044, 1045, 1049, 1053, 1114, 1129, 1130, 1142, 1143, 1152, 1203, 1205, 1213,
    1226, 1227, 1251, 1286, 1290, 1524, 1698, 1792, 1820, 1836, 3118, 3159,
];

impl ServerError {
    fn of(error: &mysql_async::ServerError) -> Self {
        let code = error.code;
        let said = match code {
            1290 | 1792 | 1836 => "it is read-only; name the primary server".to_owned(),
            1044 | 1142 | 1143 | 1227 => format!(
                "{}; GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON the database gives the rights",
                error.message
            ),
            1153 => "a row is larger than its max_allowed_packet; raise that setting".to_owned(),
            1146 | 1054 => "a table or a column of the lists is missing; run `qopen migrate --out URL`".to_owned(),
            1665 => {
                "its binary log has the format STATEMENT, which cannot have these transactions; set binlog_format to ROW"
                    .to_owned()
            }
            code if ABOUT_THE_SERVER.contains(&code) => error.message.clone(),
            _ => "its log may say more".to_owned(),
        };
        Self { code, said }
    }
}

impl MysqlError {
    /// The error of the client library.
    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::Server(error) if error.code == DUPLICATE => Self::RowsAltered,
            Error::Server(error) => Self::Server(ServerError::of(&error)),
            Error::Driver(DriverError::NoClientSslFlagFromServer) => Self::NoTls,
            Error::Driver(DriverError::FromRow { .. } | DriverError::FromValue { .. }) => {
                Self::Unexpected
            }
            Error::Driver(DriverError::UnexpectedPacket { .. }) => {
                Self::Connection("the server sent something unexpected".into())
            }
            Error::Io(IoError::Io(error)) => Self::Connection(error.into()),
            Error::Io(IoError::Tls(error)) => Self::Connection(error.into()),
            other => Self::Connection(other.into()),
        }
    }

    /// Whether the server rolled the transaction back, and the same again may succeed at once.
    pub(crate) fn is_deadlock(&self) -> bool {
        matches!(self, Self::Server(it) if it.code == DEADLOCK)
    }

    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Server(it) if DENIED.contains(&it.code))
    }
}

impl From<MysqlError> for SinkError {
    fn from(error: MysqlError) -> Self {
        match error {
            MysqlError::Server(it) if it.code == LOCKED => {
                Self::TimedOut { step: "waiting for another writer of the list", limit: LOCK_WAIT }
            }
            error => Self::Database(Box::new(error)),
        }
    }
}

/// Makes an error of the client library into an error of a sink, for `map_err`.
pub(crate) fn failed(error: Error) -> SinkError {
    MysqlError::of(error).into()
}

/// Whether a step failed because of a deadlock.
pub(crate) fn is_deadlock(error: &SinkError) -> bool {
    let SinkError::Database(error) = error else { return false };
    error.downcast_ref().is_some_and(MysqlError::is_deadlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u16) -> SinkError {
        let (message, state) = ("about canary".to_owned(), "HY000".to_owned());
        failed(Error::Server(mysql_async::ServerError { code, message, state }))
    }

    #[test]
    fn an_error_says_what_to_do_and_quotes_no_value() {
        for (code, said, quotes) in [
            (1062, "publish the list again", false),
            (1064, "error 1064", false),
            (1366, "error 1366", false),
            (1406, "error 1406", false),
            (1146, "qopen migrate", false),
            (1290, "primary server", false),
            (1665, "ROW", false),
            (1142, "GRANT", true),
            (1040, "about canary", true),
        ] {
            let SinkError::Database(error) = of(code) else { panic!("{code}") };
            let text = format!("{error} {error:?}");
            assert!(text.contains(said) && text.contains("canary") == quotes, "{text}");
        }
        let said = of(1205).to_string();
        assert!(said.ends_with("took longer than 30 seconds"), "{said}");
        assert!(is_deadlock(&of(1213)) && !is_deadlock(&of(1205)));
    }
}
