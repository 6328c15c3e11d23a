//! The tolerant readers, the strict writers, and the skim that must agree with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod auto_traits;
mod payload;
mod siblings;
mod skim;
mod tolerance;
