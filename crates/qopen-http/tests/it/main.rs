//! The sender against a scripted gateway on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod call;
mod gateway;
mod peers;
mod sender;
mod siblings;
mod ways;
