//! The binary as people and scripts meet it: real processes, loopback, files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod crashes;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod keys;
mod leaks;
#[cfg(target_os = "linux")]
mod memory;
mod odd;
mod offline;
mod outages;
mod places;
mod pulls;
#[cfg(target_os = "linux")]
mod readers;
mod schedules;
mod served;
mod serving;
mod shared;
#[cfg(target_os = "linux")]
mod soak;
mod support;
mod texts;
