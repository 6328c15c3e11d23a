//! Compares the assembler with a model that is short enough to be obviously right.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod diagram;
mod events;
mod evidence;
mod examples;
mod laws;
mod limits;
mod model;
mod operations;
mod pipelines;
mod replay;
mod saved;
mod strategies;
mod values;
