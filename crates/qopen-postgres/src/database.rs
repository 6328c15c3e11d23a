//! A pool of connections to a database, and connections for one purpose.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::Notify;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::DatabaseError;
use crate::schema::Schema;
use crate::{tls, url};

/// The most connections of a pool.
const POOL: usize = 8;

/// How long connecting, or waiting for a free connection, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The settings of every connection. Commits wait for the disk. Statements are not compiled: for a large
/// table that takes longer than the short statements here.
const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET jit = off";

/// A database, and connections to it. Cloning is cheap; clones share the pool.
#[derive(Clone)]
pub(crate) struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    config: Config,
    tls: MakeRustlsConnect,
    name: String,
    /// Whether a password was given.
    has_password: bool,
}

/// A value of a statement, with its type: the server parses and executes the statement in one step.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection from the pool. Dropping it returns it.
pub(crate) type Pooled = deadpool_postgres::Object;

impl Database {
    /// The database of a URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`DatabaseError::Url`], which never quotes the URL; [`DatabaseError::Certificates`].
    pub(crate) fn new(url: &str) -> Result<Self, DatabaseError> {
        let url::Parsed { mut config, roots } = url::parse(url, &|name| std::env::var_os(name))?;
        let has_password = config.get_password().is_some();
        if !has_password {
            // A server that needs a password answers an empty one with a code.
            config.password("");
        }
        if config.get_connect_timeout().is_none() {
            // Per address, so that time remains for the next one.
            config.connect_timeout(PATIENCE / 4);
        }
        config.application_name("qopen");
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
        #[cfg(target_os = "linux")]
        config.tcp_user_timeout(Duration::from_secs(30));
        let tls = tls::connector(roots.as_deref())?;
        let manager = Manager::from_config(
            config.clone(),
            tls.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let prepare = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move {
                let done = client.batch_execute(SESSION).await;
                done.map_err(HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(POOL)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .post_create(prepare)
            .build()
            .map_err(|error| DatabaseError::Url(error.to_string()))?;
        let name = url::name(&config);
        Ok(Self { inner: Arc::new(Inner { pool, config, tls, name, has_password }) })
    }

    /// Host and database, for messages: no user, no password.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    /// Takes a connection from the pool, or connects.
    ///
    /// # Errors
    /// [`DatabaseError`], if no connection is available within 10 s.
    pub(crate) async fn client(&self) -> Result<Pooled, DatabaseError> {
        self.inner.pool.get().await.map_err(|error| self.refused(DatabaseError::of_pool(error)))
    }

    /// Explains a refused connection: a missing password has an error of its own.
    fn refused(&self, error: DatabaseError) -> DatabaseError {
        let code = match &error {
            DatabaseError::Server(error) => error.code.as_ref(),
            _ => None,
        };
        let asked = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
        match code.is_some_and(|code| asked.contains(code)) && !self.inner.has_password {
            true => DatabaseError::NoPassword,
            false => error,
        }
    }

    /// Checks the encoding, and that a connection is a session, which keeps prepared statements, LISTEN and
    /// settings. A pooler in transaction mode keeps none.
    ///
    /// # Errors
    /// [`DatabaseError::Pooled`], if a connection is no session; [`DatabaseError::Encoding`], if the database
    /// cannot hold every text; another [`DatabaseError`], if the database does not answer.
    pub(crate) async fn check_session(&self) -> Result<(), DatabaseError> {
        let backend = async |client: &Client| {
            let said =
                client.simple_query("SELECT pg_backend_pid()").await.map_err(DatabaseError::of)?;
            let row = said.into_iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            Ok::<_, DatabaseError>(row)
        };
        let probe = async {
            let (one, other) = (self.connect(None).await?, self.connect(None).await?);
            let holds =
                "SELECT 1 WHERE current_setting('server_encoding') IN ('UTF8', 'SQL_ASCII')";
            let rows = one.simple_query(holds).await.map_err(DatabaseError::of)?;
            if !rows.iter().any(|it| matches!(it, SimpleQueryMessage::Row(_))) {
                return Err(DatabaseError::Encoding);
            }
            let first = backend(&one).await?;
            // A pooler gives its idle server connection to the next transaction until that ends.
            let begun = other.simple_query("BEGIN").await;
            if begun.as_ref().is_err_and(|it| it.code() == Some(&SqlState::PROTOCOL_VIOLATION)) {
                // In statement mode, a transaction cannot begin.
                return Err(DatabaseError::Pooled);
            }
            begun.map_err(DatabaseError::of)?;
            backend(&other).await?;
            let second = backend(&one).await?;
            match first == second {
                true => Ok(()),
                false => Err(DatabaseError::Pooled),
            }
        };
        tokio::time::timeout(PATIENCE, probe).await.map_err(|_| DatabaseError::TimedOut)?
    }

    /// Opens a connection outside of the pool. Dropping it closes it. Notifications on the connection, and its
    /// end, wake `notified`.
    ///
    /// # Errors
    /// [`DatabaseError`], if the database cannot be reached within 10 s, or refuses.
    pub(crate) async fn connect(
        &self,
        notified: Option<Arc<Notify>>,
    ) -> Result<Client, DatabaseError> {
        let connecting = self.inner.config.connect(self.inner.tls.clone());
        let connected = tokio::time::timeout(PATIENCE, connecting).await;
        let connected = connected.map_err(|_| DatabaseError::TimedOut)?;
        let (client, mut connection) =
            connected.map_err(|error| self.refused(DatabaseError::of(error)))?;
        tokio::spawn(async move {
            loop {
                let message = poll_fn(|cx| connection.poll_message(cx)).await;
                let ends = !matches!(message, Some(Ok(_)));
                if (ends || matches!(message, Some(Ok(AsyncMessage::Notification(_)))))
                    && let Some(notified) = &notified
                {
                    notified.notify_one();
                }
                if ends {
                    // The client returns the error to its user.
                    return;
                }
            }
        });
        let prepared = client.batch_execute(SESSION);
        let prepared = tokio::time::timeout(PATIENCE, prepared).await;
        prepared.map_err(|_| DatabaseError::TimedOut)?.map_err(DatabaseError::of)?;
        Ok(client)
    }

    /// Runs the missing migrations of a schema, and returns their number. Processes that migrate at the same
    /// time wait for each other.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing was changed then.
    pub(crate) async fn migrate(&self, schema: &Schema) -> Result<usize, DatabaseError> {
        schema.migrate(&mut *self.client().await?).await
    }

    /// Opens a connection of its own that can change nothing.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) async fn read_only(&self) -> Result<Client, DatabaseError> {
        let client = self.connect(None).await?;
        let begin =
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '30s'";
        client.batch_execute(begin).await.map_err(DatabaseError::of)?;
        Ok(client)
    }

    /// Checks that a schema has the version that this qopen knows.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`], if it has another version; another [`DatabaseError`], if the database does
    /// not answer.
    pub(crate) async fn check(&self, schema: &Schema) -> Result<(), DatabaseError> {
        schema.check(&*self.client().await?).await
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
