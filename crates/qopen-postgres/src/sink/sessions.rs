//! The runtime and the idle connections of a sink.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qopen_sink::SinkError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres::Client;

use super::blocking::{away, bounded};
use super::tables::SCHEMA;
use crate::database::Database;

/// The most idle connections.
const IDLE: usize = 2;

/// How long a connection may be idle, and how long it is used: temporary tables keep the server from forgetting old
/// transaction numbers.
const LINGER: Duration = Duration::from_secs(60);
const LIFE: Duration = Duration::from_secs(3600);

/// How long an idle connection counts as good. After that the server must answer first.
const FRESH: Duration = Duration::from_secs(5);

/// How long an idle connection may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection without a transaction.
pub(super) struct Session {
    pub(super) client: Arc<Client>,
    /// Whether it has the temporary tables of a publication, which are empty then. All clones of a sink have the same
    /// columns.
    pub(super) has_tables: bool,
    pub(super) since: Instant,
}

/// What the clones of a sink share. Nothing is connected until it is used.
pub(super) struct Sessions {
    pub(super) database: Database,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A runtime with a thread of its own, so that a connection lives while its user does something else.
    runtime: Option<Runtime>,
    /// Idle connections, and since when they are.
    idle: Vec<(Session, Instant)>,
}

impl Sessions {
    pub(super) fn new(database: Database) -> Self {
        Self { database, state: Mutex::default() }
    }

    /// Held for a short time, never across a statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime of the connections. It ends with the sink.
    pub(super) fn runtime(&self) -> Result<Handle, SinkError> {
        let mut state = self.state();
        if let Some(runtime) = &state.runtime {
            return Ok(runtime.handle().clone());
        }
        let started = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let started =
            started.map_err(SinkError::io("starting a runtime for", Path::new("the database")))?;
        Ok(state.runtime.insert(started).handle().clone())
    }

    /// Runs blocking work with the runtime, and waits for it. `block_on` panics on a thread of another runtime, so
    /// there the work runs on a thread of its own.
    pub(super) fn run<T: Send>(
        &self,
        work: impl FnOnce(&Handle) -> Result<T, SinkError> + Send,
    ) -> Result<T, SinkError> {
        let runtime = self.runtime()?;
        let work = || work(&runtime);
        match Handle::try_current() {
            Err(_) => work(),
            Ok(_) => std::thread::scope(|scope| {
                let done = scope.spawn(work).join();
                done.unwrap_or_else(|_| {
                    Err(SinkError::Database("the thread of a database step panicked".into()))
                })
            }),
        }
    }

    /// Takes an idle connection, or connects.
    pub(super) async fn take(&self) -> Result<Session, SinkError> {
        loop {
            let Some((session, since)) = self.state().idle.pop() else { break };
            if session.client.is_closed() {
                continue;
            }
            if since.elapsed() < FRESH {
                return Ok(session);
            }
            let answer = tokio::time::timeout(PATIENCE, session.client.simple_query("")).await;
            if matches!(answer, Ok(Ok(_))) {
                return Ok(session);
            }
        }
        let client = connect(&self.database).await?;
        Ok(Session { client: Arc::new(client), has_tables: false, since: Instant::now() })
    }

    /// Keeps a connection for its next user. It must not be in a transaction.
    pub(super) fn put_back(self: &Arc<Self>, session: Session) {
        let mut state = self.state();
        if state.idle.len() >= IDLE || session.since.elapsed() >= LIFE {
            return;
        }
        state.idle.push((session, Instant::now()));
        let sessions = Arc::downgrade(self);
        let Some(runtime) = &state.runtime else { return };
        runtime.spawn(async move {
            tokio::time::sleep(LINGER).await;
            if let Some(sessions) = sessions.upgrade() {
                sessions.state().idle.retain(|(_, since)| since.elapsed() < LINGER);
            }
        });
    }
}

/// Connects to tables that no later qopen has migrated.
pub(super) async fn connect(database: &Database) -> Result<Client, SinkError> {
    let client = database.connect(None).await.map_err(away)?;
    let looked = bounded("looking at the tables", SCHEMA.refuse_later(&client)).await?;
    looked.map_err(away).map(|()| client)
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Waiting for its tasks would panic on a thread of another runtime.
        if let Some(runtime) = state.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.database.fmt(f)
    }
}
