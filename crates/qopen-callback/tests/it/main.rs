//! The envelope by known answers and by properties, and the receiver over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod envelope;
#[cfg(feature = "axum")]
mod receiver;
mod vectors;
