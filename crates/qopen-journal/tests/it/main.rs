//! The journals: what all of them do, and what each does by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod ages;
mod agreement;
mod auto_traits;
mod conformance;
mod disk;
mod events;
mod formats;
mod killed;
mod loss;
mod memory;
mod recovery;
mod restored;
mod support;
