//! Journal and lists in PostgreSQL, each test on a server of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
mod conformance;
mod connections;
mod formats;
mod histories;
mod history;
mod home;
mod journal;
mod lists;
mod sink;
mod support;
mod tls;
