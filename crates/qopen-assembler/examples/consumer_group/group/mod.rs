//! A broker, its consumers, and the store that they share.

pub(crate) mod broker;
pub(crate) mod consumer;
pub(crate) mod store;
