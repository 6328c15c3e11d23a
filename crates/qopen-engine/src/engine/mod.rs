//! The engine: it wires journal, driver and requester.

mod builder;
mod pulls;
mod resuming;
mod state;

pub use builder::{EngineBuilder, EngineError};
pub use state::Engine;
