//! Compares the assembler with a model that is short enough to be obviously right.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod diagram;
mod events;
mod examples;
mod laws;
mod model;
mod operations;
mod replay;
mod strategies;
mod values;
