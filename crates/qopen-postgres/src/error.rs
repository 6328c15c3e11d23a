//! Errors of the database, without the data that the server quotes.

use std::fmt;

use deadpool_postgres::{HookError, PoolError};
use rustls::CertificateError;
use tokio_postgres::error::SqlState;

/// An error of the database, or of the way to it. Never quotes a password or a stored value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The URL cannot be used; the reason does not quote it.
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    /// The trusted certificates cannot be read.
    #[error("the certificates to trust cannot be used")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database did not answer in time.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The database refused, or cannot be reached.
    #[error("database error")]
    Server(#[source] ServerError),
    /// The database asks for a password, and none was given.
    #[error(
        "the database asks for a password, and there is none; set PGPASSWORD, or name a file of passwords with PGPASSFILE"
    )]
    NoPassword,
    /// The database's encoding cannot hold every text.
    #[error(
        "the database's encoding is not UTF8, which cannot hold every text; create one with ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding,
    /// A connection pooler that keeps no sessions is in front of the database.
    #[error(
        "a connection pooler that keeps no sessions (pgbouncer with pool_mode = transaction or statement) is in front of the database; name the server itself, or a pool with pool_mode = session"
    )]
    Pooled,
    /// The journal's tables were restored from a backup.
    #[error(
        "the journal was restored from a backup, or moved, and may lack pages that were acknowledged after that; run `qopen migrate`, which keeps unfinished pulls from counting as complete"
    )]
    Restored,
    /// The tables have another version.
    #[error("the schema {name} has version {found}, and this version of qopen knows {known}{}", what_to_do(*.found, *.known))]
    Schema {
        /// The schema's name.
        name: &'static str,
        /// The version that was found; 0 if there is no such schema.
        found: usize,
        /// The version that this qopen knows.
        known: usize,
    },
}

fn what_to_do(found: usize, known: usize) -> &'static str {
    match found < known {
        true => "; run `qopen migrate`",
        false => {
            "; use the later qopen that migrated it, or restore a backup from before that migration"
        }
    }
}

impl DatabaseError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Server(error) => error.retryable,
            Self::Url(_)
            | Self::Certificates(_)
            | Self::NoPassword
            | Self::Encoding
            | Self::Pooled
            | Self::Restored
            | Self::Schema { .. } => false,
        }
    }
}

/// The error of a server or of the connection to it. Leaves out the server's words where they may quote
/// stored values.
pub struct ServerError {
    said: String,
    pub(crate) code: Option<SqlState>,
    retryable: bool,
    cause: Option<std::io::Error>,
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerError").field(&self.said).finish()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|it| it as _)
    }
}

/// Classes of errors that are about the server and never quote a value: connections, authorisation,
/// names of databases, resources, an operator's doing, the system, the configuration.
const ABOUT_THE_SERVER: [&str; 8] = ["08", "28", "3D", "53", "57", "58", "F0", "42"];

/// Classes, and single codes, of errors that pass: connections, resources, an operator's doing, the
/// system; serialisation and deadlocks; a lock that was not available; a standby.
const PASSING: [&str; 9] = ["08", "53", "57", "58", "40", "55P03", "25006", "25P03", "XX000"];

/// What the client library says if a server refuses TLS.
const NO_TLS: &str = "server does not support TLS";

impl DatabaseError {
    /// The error of the client library.
    pub(crate) fn of(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            // A lost connection may come back: its error has a cause in the system, or says that it is closed.
            // A value that cannot be encoded stays so.
            let cause = io_cause(&error);
            let retryable = error.is_closed() || cause.is_some();
            // The client library has no other way to tell.
            let is_refusal =
                std::error::Error::source(&error).is_some_and(|it| it.to_string() == NO_TLS);
            let said = match is_refusal {
                true => "the server has no TLS; turn it on there, or connect without it by sslmode=disable".to_owned(),
                false => error.to_string(),
            };
            return Self::Server(ServerError { said, code: None, retryable, cause });
        };
        let code = said.code();
        if [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code) {
            // A prepared statement is missing, or another client's is in its place.
            return Self::Pooled;
        }
        let about_the_server = ABOUT_THE_SERVER.iter().any(|it| code.code().starts_with(it));
        let retryable = PASSING.iter().any(|it| code.code().starts_with(it));
        let said = match about_the_server {
            _ if code == &SqlState::UNDEFINED_TABLE => {
                "a table is missing; run `qopen migrate`".to_owned()
            }
            _ if code == &SqlState::UNDEFINED_COLUMN => {
                "a column is missing; run `qopen migrate`".to_owned()
            }
            true => format!("{} ({})", said.message(), code.code()),
            false => format!("error {}; the server's log says more", code.code()),
        };
        let code = Some(code.clone());
        Self::Server(ServerError { said, code, retryable, cause: None })
    }

    /// The error of the pool.
    pub(crate) fn of_pool(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::of(error),
            PoolError::Timeout(_) => Self::TimedOut,
            PoolError::PostCreateHook(HookError::Backend(error)) => Self::of(error),
            other => {
                let said = other.to_string();
                Self::Server(ServerError { said, code: None, retryable: true, cause: None })
            }
        }
    }
}

/// The operating system's error, kept as the cause.
fn io_cause(error: &tokio_postgres::Error) -> Option<std::io::Error> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<std::io::Error>() {
            return Some(match cause.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => {
                    let refused = cause.get_ref().and_then(|it| it.downcast_ref());
                    let advice = refused.map_or("", advice);
                    std::io::Error::new(cause.kind(), format!("{cause}{advice}"))
                }
            });
        }
        next = cause.source();
    }
    None
}

/// What to do about a certificate that was refused; empty if the refusal says it.
fn advice(refused: &rustls::Error) -> &'static str {
    let rustls::Error::InvalidCertificate(error) = refused else { return "" };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "; name the file with the certificate of its authority with sslrootcert"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; name the server by a name that its certificate has"
        }
        // A certificate that `openssl req -x509` makes without further options.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "; it is the certificate of an authority; give the server one with basicConstraints CA:FALSE"
        }
        _ => "",
    }
}
