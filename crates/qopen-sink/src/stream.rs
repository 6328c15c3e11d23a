//! A list into a stream such as standard output: all of it, or nothing.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use qopen_types::RobotId;

use crate::format::Encoder;
use crate::{Format, ListKind, ListWriter, Record, Sink, SinkError};

/// A stream that gets a complete list in one piece. The list waits in a temporary file until it is
/// whole, so that whoever reads the stream never takes the first half for all of it.
///
/// A partial list is refused: a stream has no place beside it. Give [`FileSink`](crate::FileSink)
/// that one.
#[derive(Clone)]
pub struct StreamSink {
    out: Arc<Mutex<dyn Write + Send>>,
    format: Format,
}

impl StreamSink {
    /// A sink that writes to `out` when a list is committed.
    pub fn new(out: impl Write + Send + 'static, format: Format) -> Self {
        Self { out: Arc::new(Mutex::new(out)), format }
    }

    /// A sink that writes to standard output.
    #[must_use]
    pub fn stdout(format: Format) -> Self {
        Self::new(io::stdout(), format)
    }
}

/// What messages call the stream.
const NAME: &str = "the output stream";

impl Sink for StreamSink {
    fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        if kind != ListKind::Complete {
            return Err(SinkError::NotAFile { path: NAME.into() });
        }
        let spool = tempfile::tempfile()
            .map_err(SinkError::io("creating a temporary file for", Path::new(NAME)))?;
        let encoder = Encoder::new(self.format, BufWriter::new(spool))?;
        Ok(Box::new(StreamWriter { encoder, out: Arc::clone(&self.out) }))
    }
}

impl std::fmt::Debug for StreamSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamSink").field("format", &self.format).finish_non_exhaustive()
    }
}

struct StreamWriter {
    encoder: Encoder<BufWriter<File>>,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl ListWriter for StreamWriter {
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.encoder.write(record)
    }

    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        self.encoder.write_json(robot_id, account)
    }

    fn commit(self: Box<Self>) -> Result<String, SinkError> {
        let writing = || SinkError::io("writing", Path::new(NAME));
        let spool = self.encoder.finish()?.into_inner();
        let mut spool = spool.map_err(|error| writing()(error.into_error()))?;
        spool.rewind().map_err(writing())?;
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        io::copy(&mut spool, &mut *out).and_then(|_| out.flush()).map_err(writing())?;
        Ok("-".into())
    }
}
