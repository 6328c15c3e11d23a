//! The binary as people and scripts meet it: real processes, loopback, files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod crashes;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod memory;
mod offline;
mod pulls;
mod serving;
mod support;
mod texts;
