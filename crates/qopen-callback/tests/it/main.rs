//! The envelope by known answers and by properties, and the receiver over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "axum")]
mod attack;
mod envelope;
#[cfg(feature = "axum")]
mod receiver;
#[cfg(feature = "axum")]
mod server;
#[cfg(feature = "tls")]
mod tls;
mod vectors;
