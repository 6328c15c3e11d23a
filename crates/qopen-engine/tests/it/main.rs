//! What an engine promises to those who feed it without HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;
mod feeding;
mod model;
mod replay;
mod requests;
mod service;
mod support;
