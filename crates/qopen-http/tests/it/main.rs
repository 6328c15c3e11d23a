//! The sender against a gateway on loopback that answers by a script.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod call;
mod gateway;
mod peers;
mod sender;
mod ways;
