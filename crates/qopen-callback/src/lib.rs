#![doc = include_str!("../README.md")]

mod crypto;
mod envelope;
mod keys;
#[cfg(feature = "axum")]
pub mod listener;
mod open;
#[cfg(feature = "axum")]
pub mod receiver;
#[cfg(feature = "axum")]
mod refusals;

pub use crypto::Padding;
pub use keys::{CallbackKeys, InvalidAesKey, Keyring, SharedKeyring};
pub use open::{Freshness, OpenError, OpenedCallback, RejectReason, Staleness, VerifiedEnvelope};
#[cfg(feature = "axum")]
pub use refusals::{Refusals, Refused};
