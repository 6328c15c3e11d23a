//! A writer whose bytes another thread writes, so that making them and writing them overlap.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Bytes that are written at once: 256 KiB.
const CHUNK: usize = 1 << 18;

/// Chunks that wait for the thread.
const WAITING: usize = 4;

/// Writes bytes in large chunks, from the second one on in another thread if the system has one. Errors come with a
/// later call, at the latest with [`into_inner`](Self::into_inner).
pub(crate) struct Behind<F: Write + Send + 'static> {
    /// At most two times [`CHUNK`].
    chunk: Vec<u8>,
    to: To<F>,
    thread: fn() -> Builder,
}

enum To<F> {
    /// The writer itself, which gets few bytes, or those for which the system starts no thread.
    Writer(F),
    Thread(Thread<F>),
    /// A write failed.
    Failed,
}

struct Thread<F> {
    chunks: SyncSender<Vec<u8>>,
    /// Chunks that were written.
    written: Receiver<Vec<u8>>,
    thread: JoinHandle<io::Result<F>>,
}

impl<F: Write + Send + 'static> Behind<F> {
    pub(crate) fn new(writer: F) -> Self {
        Self { chunk: Vec::new(), to: To::Writer(writer), thread: Builder::new }
    }

    /// Returns the writer, which has all bytes.
    pub(crate) fn into_inner(mut self) -> io::Result<F> {
        self.hand_over()?;
        match std::mem::replace(&mut self.to, To::Failed) {
            To::Writer(writer) => Ok(writer),
            To::Thread(thread) => thread.join(),
            To::Failed => Err(failed_before()),
        }
    }

    /// Hands the chunk over.
    fn hand_over(&mut self) -> io::Result<()> {
        self.to = match std::mem::replace(&mut self.to, To::Failed) {
            To::Writer(writer) if self.chunk.len() >= CHUNK => {
                Thread::start((self.thread)(), writer).map_or_else(To::Writer, To::Thread)
            }
            to => to,
        };
        if let To::Writer(writer) = &mut self.to {
            let written = writer.write_all(&self.chunk);
            self.chunk.clear();
            if written.is_err() {
                self.to = To::Failed;
            }
            return written;
        }
        let To::Thread(thread) = &mut self.to else {
            self.chunk.clear();
            return Err(failed_before());
        };
        let next = thread.written.try_recv().unwrap_or_default();
        let chunk = std::mem::replace(&mut self.chunk, next);
        if thread.chunks.send(chunk).is_ok() {
            return Ok(());
        }
        // The thread has ended, with an error.
        match std::mem::replace(&mut self.to, To::Failed) {
            To::Thread(thread) => thread.join().and_then(|_| Err(failed_before())),
            _ => Err(failed_before()),
        }
    }
}

impl<F: Write + Send + 'static> Write for Behind<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() >= CHUNK {
            self.hand_over()?;
        }
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(2 * CHUNK);
        }
        let taken = bytes.len().min(2 * CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: the bytes go on when there are enough of them.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: Write + Send + 'static> Thread<F> {
    /// Starts the thread. Returns the writer if the system starts none.
    fn start(thread: Builder, writer: F) -> Result<Self, F> {
        // The writer follows once there is a thread.
        let (writers, next) = sync_channel::<F>(1);
        let (chunks, waiting) = sync_channel::<Vec<u8>>(WAITING);
        let (done, written) = sync_channel(WAITING);
        let thread = thread.name("qopen-write".into()).spawn(move || {
            let mut writer = next.recv().map_err(io::Error::other)?;
            for mut chunk in waiting {
                writer.write_all(&chunk)?;
                chunk.clear();
                // A chunk too many is dropped.
                let _ = done.try_send(chunk);
            }
            Ok(writer)
        });
        let Ok(thread) = thread else { return Err(writer) };
        match writers.send(writer) {
            Ok(()) => Ok(Self { chunks, written, thread }),
            Err(SendError(writer)) => Err(writer),
        }
    }

    fn join(self) -> io::Result<F> {
        drop(self.chunks);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Waits for the thread, which has the file that its drop removes. A panic of the thread ends there: the drop may be
/// part of another one.
impl<F: Write + Send + 'static> Drop for Behind<F> {
    fn drop(&mut self) {
        let to = std::mem::replace(&mut self.to, To::Failed);
        if let To::Thread(Thread { chunks, thread, .. }) = to {
            drop(chunks);
            drop(thread.join());
        }
    }
}

fn failed_before() -> io::Error {
    io::Error::other("an earlier write failed")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes this many bytes.
    struct Small(Vec<u8>, usize);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.len() + bytes.len() <= self.1 {
                true => self.0.write(bytes),
                false => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(pieces: &[usize], room: usize) -> io::Result<Vec<u8>> {
        let mut behind = Behind::new(Small(Vec::new(), room));
        for (n, length) in pieces.iter().enumerate() {
            behind.write_all(&vec![n as u8; *length])?;
        }
        behind.into_inner().map(|it| it.0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn all_bytes_are_written_in_order_or_the_error_is_returned(
            pieces in prop::collection::vec(prop_oneof![0..9_usize, 0..3 * CHUNK], 0..12),
            less in prop_oneof![Just(0), 1..CHUNK],
        ) {
            let all: Vec<u8> =
                pieces.iter().enumerate().flat_map(|(n, length)| vec![n as u8; *length]).collect();
            let room = all.len().saturating_sub(less);
            match written(&pieces, room) {
                Ok(bytes) => prop_assert!(room == all.len() && bytes == all),
                Err(error) => {
                    prop_assert!(room < all.len());
                    prop_assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                }
            }
        }
    }

    #[test]
    fn all_bytes_are_written_if_the_system_starts_no_thread() {
        // No address space has a stack of 1 EiB.
        let thread: fn() -> Builder = || Builder::new().stack_size(1 << 60);
        let (mut behind, all) = (Behind::new(Vec::new()), vec![1; 9 * CHUNK]);
        behind.thread = thread;
        behind.write_all(&all).unwrap();
        assert!(matches!(behind.to, To::Writer(_)));
        assert_eq!(behind.into_inner().unwrap(), all);
        let mut behind = Behind::new(Small(Vec::new(), 3 * CHUNK));
        behind.thread = thread;
        let failed = behind.write_all(&all).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert!(behind.into_inner().is_err());
    }

    #[test]
    fn a_long_line_makes_no_chunk_longer() {
        let mut behind = Behind::new(Vec::new());
        assert_eq!(behind.write(&[1]).unwrap(), 1);
        assert_eq!(behind.write(&vec![1; 9 * CHUNK]).unwrap(), 2 * CHUNK - 1);
        assert_eq!(behind.chunk.capacity(), 2 * CHUNK);
        behind.write_all(&vec![1; 7 * CHUNK]).unwrap();
        assert!(behind.chunk.capacity() <= 2 * CHUNK);
        assert_eq!(behind.into_inner().unwrap(), vec![1; 9 * CHUNK]);
    }

    #[test]
    fn the_writer_is_dropped_before_the_drop_returns() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let mut behind = Behind::new(file);
        behind.write_all(&vec![0; 3 * CHUNK]).unwrap();
        behind.write_all(&vec![0; 3 * CHUNK]).unwrap();
        assert!(path.exists());
        drop(behind);
        assert!(!path.exists());
    }

    /// Panics.
    struct Panicking;

    impl Write for Panicking {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("this writer panics");
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_of_the_thread_does_not_leave_a_drop() {
        let mut behind = Behind::new(Panicking);
        behind.write_all(&vec![0; 2 * CHUNK]).unwrap();
        behind.write_all(&[0]).unwrap();
        assert!(matches!(behind.to, To::Thread(_)));
        drop(behind);
    }
}
