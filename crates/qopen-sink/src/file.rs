//! A list in a file, replaced in one step.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use qopen_types::RobotId;
use tempfile::NamedTempFile;

use crate::format::Encoder;
use crate::{
    Committed, CsvOptions, Format, ListKind, ListWriter, Quarantine, Record, Sink, SinkError,
    file_name, temporary,
};

/// A file that holds a list, with mode 0600.
///
/// A complete list takes the file's place by a rename, after it is on the disk; a partial one goes
/// to the same name with `.partial` behind it. A symbolic link is followed, so that what it points
/// to is replaced and not the link.
#[derive(Clone, Debug)]
pub struct FileSink {
    path: PathBuf,
    format: Format,
    csv: CsvOptions,
}

impl FileSink {
    /// A list at that path, in that format.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self { path: path.into(), format, csv: CsvOptions::default() }
    }

    /// Sets the options of CSV. JSONL ignores them.
    #[must_use]
    pub fn csv(mut self, options: CsvOptions) -> Self {
        self.csv = options;
        self
    }

    /// A robot's list in a folder, in a file that is named after the robot ([`file_name`]) and the
    /// format.
    #[must_use]
    pub fn of_robot(folder: &Path, robot_id: impl AsRef<str>, format: Format) -> Self {
        let name = file_name(robot_id.as_ref());
        Self::new(folder.join(format!("{name}.{}", format.ending())), format)
    }

    /// Where a complete list goes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a partial list goes.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        with_suffix(&self.path, PARTIAL)
    }

    /// Where accounts go that could not be read.
    #[must_use]
    pub fn quarantine_path(&self) -> PathBuf {
        with_suffix(&self.path, QUARANTINE)
    }

    /// Writes what could not be read to [`quarantine_path`](Self::quarantine_path), one line each,
    /// in one step and with mode 0600. With no lines, a file that is there is removed. True when
    /// there is a file afterwards.
    ///
    /// # Errors
    /// [`SinkError`], when the file system does not do it.
    pub fn write_quarantine(&self, quarantine: Quarantine) -> Result<bool, SinkError> {
        Staged::new(self.quarantine_path(), quarantine)?.commit()
    }

    /// Checks that the file system can name the list and the files beside it.
    ///
    /// # Errors
    /// [`SinkError::NameTooLong`], when it cannot.
    pub fn check_name(&self) -> Result<(), SinkError> {
        for suffix in BESIDE {
            // Looking at a name that is too long fails, whatever is there.
            let found = fs::symlink_metadata(with_suffix(&self.path, suffix));
            if found.is_err_and(|error| error.kind() == io::ErrorKind::InvalidFilename) {
                return Err(SinkError::NameTooLong { path: self.path.clone(), suffix });
            }
        }
        Ok(())
    }

    /// Begins a list that is encoded already. Dropping it without committing leaves the file as it is.
    ///
    /// # Errors
    /// [`SinkError`], when the folder cannot be written.
    pub fn begin_encoded(&self) -> Result<EncodedFile, SinkError> {
        let target = self.target()?;
        let file = temporary::beside(folder(&target))?;
        Ok(EncodedFile { file: BufWriter::with_capacity(1 << 16, file), target })
    }

    /// Removes temporary files that killed processes left beside the list. [`check`](Sink::check) does so,
    /// too.
    pub fn sweep(&self) {
        if let Ok(target) = self.target() {
            temporary::sweep(folder(&target));
        }
    }

    /// The path with links followed, so far as it exists.
    fn target(&self) -> Result<PathBuf, SinkError> {
        if self.path.as_os_str().as_encoded_bytes().ends_with(b"/") && !self.path.is_dir() {
            return Err(SinkError::NoFolder { folder: self.path.clone() });
        }
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
}

/// An encoded list on its way into a file: the bytes written to it replace the file in one step.
#[derive(Debug)]
pub struct EncodedFile {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl io::Write for EncodedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl EncodedFile {
    /// Makes the bytes durable and puts them in the file's place, with mode 0600 and under the folder's
    /// lock. Returns where that is, for messages. Blocks.
    ///
    /// # Errors
    /// [`SinkError`], when the file system does not do it.
    pub fn commit(self) -> Result<String, SinkError> {
        let Self { file, target } = self;
        let writing = || SinkError::io("writing", &target);
        let file = file.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        let _held = temporary::hold(folder(&target))?;
        place(file, &target)?;
        Ok(target.display().to_string())
    }
}

/// Renames a file into its place, durably.
fn place(file: NamedTempFile, target: &Path) -> Result<(), SinkError> {
    file.persist(target).map_err(|error| SinkError::io("replacing", target)(error.error))?;
    let folder = folder(target);
    // The rename itself must survive a loss of power.
    File::open(folder).and_then(|it| it.sync_all()).map_err(SinkError::io("syncing", folder))
}

/// What could not be read, ready to be put in its place.
pub(crate) struct Staged {
    path: PathBuf,
    file: Option<NamedTempFile>,
}

impl Staged {
    pub(crate) fn new(path: PathBuf, quarantine: Quarantine) -> Result<Self, SinkError> {
        if quarantine.is_empty() {
            return Ok(Self { path, file: None });
        }
        let mut file = BufWriter::new(temporary::beside(folder(&path))?);
        let writing = || SinkError::io("writing", &path);
        for line in quarantine.into_lines()? {
            writeln!(file, "{}", line?).map_err(writing())?;
        }
        let file = file.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        Ok(Self { path, file: Some(file) })
    }

    /// Whether there is anything.
    pub(crate) fn is_some(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn location(&self) -> Option<String> {
        self.file.as_ref().map(|_| self.path.display().to_string())
    }

    /// Puts it in its place; where there is nothing, nothing is there afterwards. True where there is
    /// something.
    pub(crate) fn commit(self) -> Result<bool, SinkError> {
        match self.file {
            Some(file) => {
                let persisted = file.persist(&self.path);
                persisted.map_err(|it| SinkError::io("writing", &self.path)(it.error))?;
                Ok(true)
            }
            None => remove(&self.path).map(|()| false),
        }
    }
}

/// Suffixes of the files beside a list.
const BESIDE: [&str; 2] = [PARTIAL, QUARANTINE];
const PARTIAL: &str = ".partial";
const QUARANTINE: &str = ".quarantine.jsonl";

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// The path as a text. Bytes that are not UTF-8 are escaped, so that two paths never look alike.
fn location_of(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Sink for FileSink {
    /// Also checks the names of the files beside the list. Removes temporary files of killed processes.
    fn check(&self) -> Result<(), SinkError> {
        let target = self.target()?;
        temporary::sweep(folder(&target));
        self.check_name()?;
        temporary::beside(folder(&target)).map(drop)
    }

    /// Absolute, so that it names the same file from every working directory.
    fn place(&self) -> Option<String> {
        let target = self.target().ok()?;
        let folder = fs::canonicalize(folder(&target)).ok()?;
        Some(location_of(&folder.join(target.file_name()?)))
    }

    fn is_at(&self, location: &str) -> bool {
        // A reader may have moved the file.
        let real = |path: &Path| {
            let folder = fs::canonicalize(folder(path)).ok()?;
            fs::canonicalize(path).ok().or_else(|| Some(folder.join(path.file_name()?)))
        };
        let Some(here) = real(&self.path) else { return false };
        location_of(&here) == location || real(Path::new(location)).is_some_and(|it| it == here)
    }

    /// The folder is locked, for those who look for that lock.
    fn hold(&self) -> Result<Box<dyn Send>, SinkError> {
        let target = self.target()?;
        Ok(Box::new(temporary::hold(folder(&target))?))
    }

    fn scratch(&self) -> Option<&Path> {
        Some(folder(&self.path))
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let reading = || SinkError::io("reading", &self.path);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(reading()(error)),
        };
        crate::format::holds(io::BufReader::new(file), robot_id).map_err(reading())
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let complete = self.target()?;
        let partial = with_suffix(&complete, PARTIAL);
        let (target, superseded) = match kind {
            ListKind::Complete => (complete, Some(partial)),
            ListKind::Partial => (partial, None),
        };
        let file = temporary::beside(folder(&target))?;
        let encoder = Encoder::new(self.format, self.csv, BufWriter::with_capacity(1 << 16, file))?;
        let (beside, set_aside) = (self.quarantine_path(), None);
        let (encoder, settled) = (Some(encoder), None);
        Ok(Box::new(FileWriter { encoder, settled, kind, target, superseded, beside, set_aside }))
    }
}

struct FileWriter {
    /// Until it is settled.
    encoder: Option<Encoder<BufWriter<NamedTempFile>>>,
    settled: Option<NamedTempFile>,
    kind: ListKind,
    target: PathBuf,
    /// A partial list that a complete one makes worthless.
    superseded: Option<PathBuf>,
    /// Where what could not be read goes, and that.
    beside: PathBuf,
    set_aside: Option<Staged>,
}

impl ListWriter for FileWriter {
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        match &mut self.encoder {
            Some(encoder) => encoder.write(record),
            None => Err(self.settled_before()),
        }
    }

    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        match &mut self.encoder {
            Some(encoder) => encoder.write_json(robot_id, account),
            None => Err(self.settled_before()),
        }
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        let writing = || SinkError::io("writing", &self.target);
        let file = encoder.finish()?.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        self.settled = Some(file);
        Ok(())
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.set_aside = Some(Staged::new(self.beside.clone(), quarantine)?);
        Ok(None)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        self.settle()?;
        let settled_before = self.settled_before();
        let Self { settled, kind, target, superseded, set_aside, .. } = *self;
        let file = settled.ok_or(settled_before)?;
        let beside = set_aside.as_ref().and_then(Staged::location);
        // What is set aside goes first, and what was set aside before goes last: a process that dies in
        // between publishes again.
        let (something, nothing) = match set_aside {
            Some(staged) if staged.is_some() => (Some(staged), None),
            nothing => (None, nothing),
        };
        if let Some(staged) = something {
            staged.commit()?;
        }
        place(file, &target)?;
        if let Some(partial) = superseded {
            remove(&partial)?;
        }
        // A partial list from which nothing is set aside says nothing of the complete one beside it.
        if let Some(nothing) = nothing.filter(|_| kind == ListKind::Complete) {
            nothing.commit()?;
        }
        Ok(Committed::new(target.display().to_string()).set_aside(beside))
    }
}

impl FileWriter {
    /// Nothing can be added to a list that is settled.
    fn settled_before(&self) -> SinkError {
        SinkError::io("adding to", &self.target)(io::ErrorKind::InvalidInput.into())
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
