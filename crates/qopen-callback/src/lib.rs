#![doc = include_str!("../README.md")]

mod crypto;
mod envelope;
mod keys;
#[cfg(feature = "axum")]
pub mod listener;
mod open;
#[cfg(feature = "axum")]
pub mod receiver;

pub use keys::{CallbackKeys, InvalidAesKey, Keyring, SharedKeyring};
pub use open::{Freshness, OpenError, OpenedCallback, RejectReason, Staleness, VerifiedEnvelope};
