//! A file that is written by a stream's writer.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use qopen::sink::{EncodedFile, FileSink, SinkError};

/// A file that receives a list and is committed after it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Option<EncodedFile>>>);

impl Shared {
    /// Begins a list that replaces the file once it is committed.
    pub(crate) fn begin(file: &FileSink) -> Result<Self, SinkError> {
        Ok(Self(Arc::new(Mutex::new(Some(file.begin_encoded()?)))))
    }

    fn with<T>(&self, what: impl FnOnce(&mut EncodedFile) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or(Err(io::ErrorKind::BrokenPipe.into()), what)
    }

    /// Puts the list in its place, and returns the place.
    pub(crate) fn commit(&self) -> Result<String, SinkError> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        file.map_or_else(|| Ok("-".to_owned()), EncodedFile::commit)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(Write::flush)
    }
}
