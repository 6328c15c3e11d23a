//! Connections to a database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use qopen_sink::SinkError;

use crate::error::{LOCK_WAIT, MysqlError};
use crate::tls;
use crate::url::{self, Parsed, Place, Tls};

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that stay prepared: the shapes of each table's batches, and the single ones.
const STATEMENTS: usize = 64;

/// The settings of every connection, whatever the server's defaults are. The modes that change how a text is read, or
/// that cut a text, are off. A comparison asks the platform about customers meanwhile, so the server waits longer.
fn session() -> String {
    format!(
        "SET NAMES utf8mb4;
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, completion_type = 0,
             sql_safe_updates = 0, innodb_lock_wait_timeout = {}, wait_timeout = 28800",
        LOCK_WAIT.as_secs()
    )
}

/// A database on a server. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    options: Opts,
    /// The options without TLS, for a server that has none.
    fallback: Option<Opts>,
    name: String,
    database: String,
    has_password: bool,
}

impl Server {
    /// The database of a URL. Nothing is connected yet.
    pub(crate) fn new(url: &str) -> Result<Self, MysqlError> {
        let parsed = url::parse(url, &|name| std::env::var_os(name))?;
        let name = parsed.name();
        let Parsed { place, database, user, password, tls, roots } = parsed;
        let has_password = password.is_some();
        let mut options = OptsBuilder::default()
            .user(Some(user))
            .pass(password)
            .db_name(Some(database.clone()))
            // The library would look for a socket of a server on this machine, which may be another one's.
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .stmt_cache_size(STATEMENTS)
            // The number of matched rows, as every other database counts.
            .client_found_rows(true);
        options = match place {
            Place::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(port),
            Place::Socket(path) => options.socket(Some(path)),
        };
        let secured = match tls {
            Tls::Disabled => None,
            Tls::Preferred | Tls::Required => {
                let trusted = tls::trusted(roots.as_deref())?.into_iter().map(Into::into).collect();
                let options = SslOpts::default().with_root_certs(trusted);
                Some(options.with_disable_built_in_roots(true))
            }
        };
        let fallback = (tls == Tls::Preferred).then(|| Opts::from(options.clone()));
        let options = Opts::from(options.ssl_opts(secured));
        Ok(Self(Arc::new(Inner { options, fallback, name, database, has_password })))
    }

    /// Host and database, for messages: no user, no password.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The name of the database.
    pub(crate) fn database(&self) -> &str {
        &self.0.database
    }

    /// Connects, within 10 s.
    pub(crate) async fn connect(&self) -> Result<Conn, SinkError> {
        let connecting = async {
            let connected = match (Conn::new(self.0.options.clone()).await, &self.0.fallback) {
                (Err(error), Some(fallback)) if has_no_tls(&error) => {
                    Conn::new(fallback.clone()).await
                }
                (connected, _) => connected,
            };
            let mut connection = connected?;
            for statement in session().split(';') {
                connection.query_drop(statement).await?;
            }
            Ok(connection)
        };
        let connected = tokio::time::timeout(PATIENCE, connecting).await;
        let connected = connected.map_err(|_| MysqlError::TimedOut)?.map_err(MysqlError::of);
        Ok(connected.map_err(|error| match error.is_denied() && !self.0.has_password {
            true => MysqlError::NoPassword,
            false => error,
        })?)
    }
}

fn has_no_tls(error: &mysql_async::Error) -> bool {
    use mysql_async::{DriverError, Error};
    matches!(error, Error::Driver(DriverError::NoClientSslFlagFromServer))
}

/// Ends a connection in the way that the server expects. Its errors change nothing.
pub(crate) async fn end(connection: Conn) {
    if tokio::time::timeout(PATIENCE, connection.disconnect()).await.is_err() {
        tracing::debug!("the server did not confirm the end of a connection");
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.0.name).finish_non_exhaustive()
    }
}
