//! A guard that cancels on drop.

use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels a pull on drop, unless it was disarmed. Has no effect on a pull that has ended or never
/// began.
pub(crate) struct CancelOnDrop {
    cancel: Box<dyn Fn() + Send + Sync>,
    on_drop: AtomicBool,
}

impl CancelOnDrop {
    pub(crate) fn new(cancel: impl Fn() + Send + Sync + 'static) -> Self {
        Self { cancel: Box::new(cancel), on_drop: AtomicBool::new(true) }
    }

    /// Cancels only if called from now on.
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
