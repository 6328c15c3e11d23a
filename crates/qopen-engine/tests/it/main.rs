//! What an engine promises to those who feed it without HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adopting;
mod adopting_unreadable;
mod auto_traits;
mod claims;
mod endings;
mod event_queue;
mod evidence;
mod feeding;
mod gone;
mod histories;
mod late;
mod model;
mod outages;
mod publishing;
mod replay;
mod requests;
mod resuming;
mod service;
mod spans;
mod storage;
mod support;
