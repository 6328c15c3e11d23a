//! The way out of an archive, which is closed when writing fails or the archive is given up.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A writer that an archive has, and that its owner takes back or closes by dropping the other handle.
///
/// An archive completes itself when it is dropped, and prints to standard error if that fails. After a failure,
/// and once the owner's handle is dropped, what it writes goes nowhere.
pub(super) struct Outlet<W> {
    out: Arc<Mutex<Option<W>>>,
    is_owner: bool,
}

impl<W: Write> Outlet<W> {
    /// Returns the owner's handle, and the one for the archive.
    pub(super) fn new(out: W) -> (Self, Self) {
        let out = Arc::new(Mutex::new(Some(out)));
        (Self { out: Arc::clone(&out), is_owner: true }, Self { out, is_owner: false })
    }
}

impl<W> Outlet<W> {
    /// Takes the writer back. `None` if writing failed.
    pub(super) fn take(&self) -> Option<W> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn with<T>(&self, nowhere: T, write: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let done = out.as_mut().map_or(Ok(nowhere), write);
        if done.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            *out = None;
        }
        done
    }
}

impl<W> Drop for Outlet<W> {
    fn drop(&mut self) {
        if self.is_owner {
            drop(self.take());
        }
    }
}

impl<W: Write> Write for Outlet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with((), W::flush)
    }
}
