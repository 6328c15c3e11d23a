#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking"))]

mod batch;
mod blocking;
mod columns;
mod commit;
mod cursor;
mod error;
mod forget;
mod key;
mod option_file;
mod place;
mod plan;
mod published;
mod quarantine;
mod rights;
mod rows;
mod schema;
mod server;
mod sink;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod tls;
mod transaction;
mod url;
mod writer;

pub use error::{MysqlError, ServerError};
pub use sink::MysqlSink;
