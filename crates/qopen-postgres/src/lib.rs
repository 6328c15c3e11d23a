#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
pub use sink::{ChangeLines, FoundChanges, NotKept, PostgresSink};
