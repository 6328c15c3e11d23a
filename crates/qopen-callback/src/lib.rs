#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

mod crypto;
mod envelope;
mod error;
mod keys;
#[cfg(feature = "receiver")]
pub mod listener;
mod md5;
#[cfg(feature = "std")]
mod md5_lanes;
mod open;
mod policy;
#[cfg(feature = "receiver")]
pub mod receiver;
#[cfg(feature = "receiver")]
mod refusals;
mod verify;

pub use crypto::Padding;
pub use error::{OpenError, RejectReason};
#[cfg(feature = "std")]
pub use keys::SharedKeyring;
pub use keys::{CallbackKeys, InvalidAesKey, Keyring};
pub use open::OpenedCallback;
pub use policy::{TimestampAge, TimestampPolicy};
#[cfg(feature = "receiver")]
pub use refusals::{Refusals, Refused};
pub use verify::VerifiedEnvelope;
