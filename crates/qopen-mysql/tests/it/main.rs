//! Lists in MySQL and MariaDB.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod formats;
mod servers;
mod support;
mod tls;
