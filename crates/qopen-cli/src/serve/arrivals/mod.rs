//! What arrived at the callback listener.

pub(super) mod history;

use qopen::callback::listener::Listener;

use crate::report::Came;

/// Counts of the listener and the receiver.
#[derive(Clone)]
pub(super) struct Arrivals {
    pub(super) stats: qopen::Stats,
    pub(super) listener: Listener,
    pub(super) path: String,
}

impl Arrivals {
    pub(super) fn came(&self) -> Came {
        Came::of(&self.stats, &self.listener, &self.path).of_process()
    }
}
