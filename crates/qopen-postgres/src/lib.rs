#![doc = include_str!("../README.md")]

mod database;
mod error;
mod journal;
mod passfile;
mod schema;
mod sink;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod url;

pub use error::{DatabaseError, ServerError};
pub use journal::PostgresJournal;
pub use journal::backend::PostgresBackend;
pub use sink::PostgresSink;
