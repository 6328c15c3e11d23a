//! The envelope by known answers and by properties, and the receiver over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "receiver")]
mod attack;
mod auto_traits;
mod envelope;
mod languages;
#[cfg(feature = "receiver")]
mod receiver;
#[cfg(feature = "receiver")]
mod server;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "receiver")]
mod together;
mod vectors;
