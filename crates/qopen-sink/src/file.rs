//! A list in a file, replaced in one step.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use qopen_types::RobotId;
use tempfile::NamedTempFile;

use crate::format::Encoder;
use crate::{Format, ListKind, ListWriter, Quarantine, Record, Sink, SinkError};

/// A file that holds a list, with mode 0600.
///
/// A complete list takes the file's place by a rename, after it is on the disk; a partial one goes
/// to the same name with `.partial` behind it. A symbolic link is followed, so that what it points
/// to is replaced and not the link.
#[derive(Clone, Debug)]
pub struct FileSink {
    path: PathBuf,
    format: Format,
}

impl FileSink {
    /// A list at that path, in that format.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self { path: path.into(), format }
    }

    /// Where a complete list goes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a partial list goes.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        with_suffix(&self.path, ".partial")
    }

    /// Where accounts go that could not be read.
    #[must_use]
    pub fn quarantine_path(&self) -> PathBuf {
        with_suffix(&self.path, ".quarantine.jsonl")
    }

    /// Writes what could not be read to [`quarantine_path`](Self::quarantine_path), one line each,
    /// in one step and with mode 0600. With no lines, a file that is there is removed. True when
    /// there is a file afterwards.
    ///
    /// # Errors
    /// [`SinkError`], when the file system does not do it.
    pub fn write_quarantine(&self, quarantine: Quarantine) -> Result<bool, SinkError> {
        let path = &self.quarantine_path();
        if quarantine.is_empty() {
            return remove(path).map(|()| false);
        }
        let mut file = BufWriter::new(Self::temporary(path)?);
        let writing = || SinkError::io("writing", path);
        for line in quarantine.into_lines()? {
            writeln!(file, "{}", line?).map_err(writing())?;
        }
        let file = file.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        file.persist(path).map_err(|error| writing()(error.error))?;
        Ok(true)
    }

    /// The path with links followed, so far as it exists.
    fn target(&self) -> Result<PathBuf, SinkError> {
        match fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => Err(SinkError::NotAFile { path: self.path.clone() }),
            Ok(_) => fs::canonicalize(&self.path).map_err(SinkError::io("resolving", &self.path)),
            // A link to nothing yet points to where the list is to be.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(match fs::read_link(&self.path) {
                    Ok(target) => folder(&self.path).join(target),
                    Err(_) => self.path.clone(),
                })
            }
            Err(error) => Err(SinkError::io("looking at", &self.path)(error)),
        }
    }

    fn temporary(target: &Path) -> Result<NamedTempFile, SinkError> {
        let folder = folder(target);
        if !folder.is_dir() {
            return Err(SinkError::NoFolder { folder: folder.to_owned() });
        }
        // Made with mode 0600 from the first moment.
        tempfile::Builder::new()
            .prefix(".qopen-")
            .suffix(".tmp")
            .tempfile_in(folder)
            .map_err(SinkError::io("creating a file in", folder))
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Sink for FileSink {
    fn check(&self) -> Result<(), SinkError> {
        Self::temporary(&self.target()?).map(drop)
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let reading = || SinkError::io("reading", &self.path);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(reading()(error)),
        };
        crate::format::holds(self.format, io::BufReader::new(file), robot_id).map_err(reading())
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let complete = self.target()?;
        let partial = with_suffix(&complete, ".partial");
        let (target, superseded) = match kind {
            ListKind::Complete => (complete, Some(partial)),
            ListKind::Partial => (partial, None),
        };
        let file = Self::temporary(&target)?;
        let encoder = Encoder::new(self.format, BufWriter::with_capacity(1 << 16, file))?;
        Ok(Box::new(FileWriter { encoder, target, superseded }))
    }
}

struct FileWriter {
    encoder: Encoder<BufWriter<NamedTempFile>>,
    target: PathBuf,
    /// A partial list that a complete one makes worthless.
    superseded: Option<PathBuf>,
}

impl ListWriter for FileWriter {
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.encoder.write(record)
    }

    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        self.encoder.write_json(robot_id, account)
    }

    fn commit(self: Box<Self>) -> Result<String, SinkError> {
        let Self { encoder, target, superseded } = *self;
        let writing = || SinkError::io("writing", &target);
        let file = encoder.finish()?.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        file.persist(&target).map_err(|error| SinkError::io("replacing", &target)(error.error))?;
        let folder = folder(&target);
        // The rename itself must survive a loss of power.
        File::open(folder)
            .and_then(|it| it.sync_all())
            .map_err(SinkError::io("syncing", folder))?;
        if let Some(partial) = superseded {
            remove(&partial)?;
        }
        Ok(target.display().to_string())
    }
}

fn remove(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SinkError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}
