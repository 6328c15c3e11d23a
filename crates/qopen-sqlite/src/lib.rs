#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking"))]

mod changes;
mod columns;
mod commit;
mod error;
mod file;
mod forget;
mod look;
mod opened;
mod plan;
mod published;
mod rows;
mod schema;
mod sink;
mod transaction;
mod writer;

pub use changes::{ChangeLines, FoundChanges};
pub use error::SqliteError;
pub use qopen_sink::storage::NotKept;
pub use sink::SqliteSink;
