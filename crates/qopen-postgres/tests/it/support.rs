//! Journals, connections and small pages.

use std::sync::Arc;

use qopen_journal::{Backend, PageRecord, Payload, PullId, Store};
use qopen_postgres::PostgresBackend;
use qopen_postgres::testing::Server;
use tokio_postgres::{Client, NoTls};

/// A connection that is neither a journal's nor a sink's.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn open(url: &str) -> Arc<dyn Store> {
    PostgresBackend::new(url).unwrap().open().await.unwrap().journal
}

/// The journal in a server's database, with its tables.
pub(crate) async fn journal(server: &Server) -> Arc<dyn Store> {
    PostgresBackend::new(&server.url()).unwrap().migrate().await.unwrap();
    open(&server.url()).await
}

pub(crate) fn pull(mark: &str) -> PullId {
    PullId { robot_id: "robot".parse().unwrap(), mark_id: mark.parse().unwrap() }
}

pub(crate) fn page(mark: &str, text: &str) -> PageRecord {
    PageRecord::new(pull(mark), Payload::new(text))
}
