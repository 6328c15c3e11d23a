//! Lists on a real file system.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod changes;
mod compare;
mod csv;
mod csv_histories;
mod files;
mod formats;
mod lists;
mod names;
mod singer;
mod sorting;
mod steps;
