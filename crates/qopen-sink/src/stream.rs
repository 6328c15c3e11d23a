//! A list into a stream such as standard output: all of it, or nothing.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use qopen_types::RobotId;

use crate::file::Staged;
use crate::format::{Encoder, Form};
use crate::temporary::unnamed;
#[cfg(feature = "xlsx")]
use crate::xlsx::XlsxOptions;
use crate::{
    Committed, CsvOptions, FileSink, Format, ListInfo, ListKind, ListWriter, Quarantine, Record,
    RecordEncoder, Sink, SinkError,
};

/// A stream that gets a complete list in one piece. The list waits in a temporary file until it is
/// whole, so that a reader never mistakes the first half for all of it.
///
/// A partial list is refused: a stream has no place beside it. Use [`FileSink`](crate::FileSink)
/// for that one.
#[derive(Clone)]
pub struct StreamSink {
    out: Arc<Mutex<dyn Write + Send>>,
    form: Form,
    scratch: Option<PathBuf>,
    beside: Option<PathBuf>,
    overflow: Option<PathBuf>,
}

impl StreamSink {
    /// A sink that writes to `out` when a list is committed.
    pub fn new(out: impl Write + Send + 'static, format: Format) -> Self {
        let (scratch, beside, overflow) = (None, None, None);
        Self { out: Arc::new(Mutex::new(out)), form: format.into(), scratch, beside, overflow }
    }

    /// Sets the options of CSV. Other formats ignore them.
    #[must_use]
    pub fn csv(mut self, options: CsvOptions) -> Self {
        self.form.csv = options;
        self
    }

    /// Sets the options of XLSX. Other formats ignore them.
    #[cfg(feature = "xlsx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "xlsx")))]
    #[must_use]
    pub fn xlsx(mut self, options: XlsxOptions) -> Self {
        self.form.xlsx = options;
        self
    }

    /// The same, with the list waiting in that folder. Without one it waits in the system's for
    /// temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.scratch = folder.map(Path::to_owned);
        self
    }

    /// Sets the file of unreadable items, which is written if there are any, before the list is.
    #[must_use]
    pub fn quarantine_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.beside = Some(path.into());
        self
    }

    /// Sets the file of a list that the format cannot hold, which is written there as JSON Lines.
    #[must_use]
    pub fn overflow_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.overflow = Some(path.into());
        self
    }

    /// A sink that writes to standard output.
    #[must_use]
    pub fn stdout(format: Format) -> Self {
        Self::new(io::stdout(), format)
    }
}

/// The name of the stream, for messages.
const NAME: &str = "the output stream";

impl Sink for StreamSink {
    fn check(&self) -> Result<(), SinkError> {
        unnamed(self.scratch.as_deref(), Path::new(NAME)).map(drop)
    }

    fn overflow(&self) -> Option<Box<dyn Sink>> {
        let path = self.overflow.clone()?;
        Some(Box::new(FileSink::new(path, Format::Jsonl)))
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        if kind != ListKind::Complete {
            return Err(SinkError::NotAFile { path: NAME.into() });
        }
        let spool = unnamed(self.scratch.as_deref(), Path::new(NAME))?;
        let encoder = Encoder::new(&self.form, BufWriter::new(spool))?;
        let (out, beside) = (Arc::clone(&self.out), self.beside.clone());
        Ok(Box::new(StreamWriter { encoder, out, beside, set_aside: None }))
    }
}

impl std::fmt::Debug for StreamSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamSink").field("format", &self.form.format).finish_non_exhaustive()
    }
}

struct StreamWriter {
    encoder: Encoder<BufWriter<File>>,
    out: Arc<Mutex<dyn Write + Send>>,
    beside: Option<PathBuf>,
    set_aside: Option<Staged>,
}

impl ListWriter for StreamWriter {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        self.encoder.begin_list(list, ListKind::Complete);
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.encoder.write(record)
    }

    fn encoder(&self, robot_id: &RobotId) -> Option<RecordEncoder> {
        self.encoder.encoder(robot_id)
    }

    fn write_encoded(&mut self, robot_id: &RobotId, record: &[u8]) -> Result<(), SinkError> {
        self.encoder.write_encoded(robot_id, record)
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        let Some(beside) = &self.beside else { return Ok(Some(quarantine)) };
        self.set_aside = Some(Staged::new(beside.clone(), quarantine)?);
        Ok(None)
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        let writing = || SinkError::io("writing", Path::new(NAME));
        let spool = self.encoder.finish()?.into_inner();
        let mut spool = spool.map_err(|error| writing()(error.into_error()))?;
        spool.rewind().map_err(writing())?;
        let staged = self.set_aside.filter(Staged::is_some);
        let beside = staged.as_ref().and_then(Staged::location);
        if let Some(staged) = staged {
            staged.commit()?;
        }
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        io::copy(&mut spool, &mut *out).and_then(|_| out.flush()).map_err(writing())?;
        Ok(Committed::new("-").set_aside(beside))
    }
}
