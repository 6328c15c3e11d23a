//! A cancellation that happens when it is dropped.

use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels when dropped, unless it was told not to. Cancelling what has ended, or never began, does
/// nothing.
pub(crate) struct CancelOnDrop {
    cancel: Box<dyn Fn() + Send + Sync>,
    on_drop: AtomicBool,
}

impl CancelOnDrop {
    pub(crate) fn new(cancel: impl Fn() + Send + Sync + 'static) -> Self {
        Self { cancel: Box::new(cancel), on_drop: AtomicBool::new(true) }
    }

    /// From now on it cancels only when it is called.
    pub(crate) fn disarm(&self) {
        self.on_drop.store(false, Ordering::Relaxed);
    }

    pub(crate) fn call(&self) {
        (self.cancel)();
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if *self.on_drop.get_mut() {
            self.call();
        }
    }
}
