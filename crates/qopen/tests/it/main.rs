//! The client against the simulator, over loopback HTTP with real crypto.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod durable;
mod evidence;
mod faults;
mod forwarding;
mod handles;
mod harness;
mod invariants;
mod many;
mod replay;
mod siblings;
