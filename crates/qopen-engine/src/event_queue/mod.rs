//! A queue of events in an outbox, delivered until their listener accepts them.

mod delivery;
mod listener;
mod queue;

pub use listener::{DeliveryError, EventListener, QueueError};
pub use queue::{EventQueue, EventQueueBuilder};
