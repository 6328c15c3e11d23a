//! Lists in SQLite files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
mod conformance;
mod files;
mod first;
mod formats;
mod look;
mod support;
