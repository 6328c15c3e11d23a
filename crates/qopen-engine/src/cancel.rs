//! A cancellation that happens when it is dropped.

/// Cancels when dropped, unless it was told not to. Cancelling what has ended, or never began, does
/// nothing.
pub(crate) struct CancelOnDrop {
    cancel: Box<dyn Fn() + Send + Sync>,
    on_drop: bool,
}

impl CancelOnDrop {
    pub(crate) fn new(cancel: impl Fn() + Send + Sync + 'static) -> Self {
        Self { cancel: Box::new(cancel), on_drop: true }
    }

    /// From now on it cancels only when it is called.
    pub(crate) fn disarm(&mut self) {
        self.on_drop = false;
    }

    pub(crate) fn call(&self) {
        (self.cancel)();
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.on_drop {
            self.call();
        }
    }
}
