//! A list in a file, replaced in one step.

mod beside;
mod remains;
mod staged;
mod writer;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use qopen_types::RobotId;
use tempfile::NamedTempFile;

use crate::behind::Behind;
use crate::format::{Encoder, Form};
#[cfg(feature = "xlsx")]
use crate::xlsx::XlsxOptions;
use crate::{
    CsvOptions, Format, ListKind, ListWriter, Quarantine, Sink, SinkError, file_name, temporary,
};
use beside::{
    ALL, Beside, CHANGES, HELD, OVERFLOW, PARTIAL, QUARANTINE, folder, place, with_suffix,
};
pub(crate) use staged::Staged;
use writer::FileWriter;

/// A file that holds a list, with mode 0600.
///
/// A complete list replaces the file by a rename, after it is on the disk. A partial one goes to
/// the same name with `.partial` behind it. A symbolic link is followed: its target is replaced.
/// [`ListWriter::compare`] compares a list in JSON Lines or CSV with a last one of the same format and the same
/// options of CSV. Lists in XLSX and Parquet are not compared.
///
/// A list that does not fit into XLSX goes to [`overflow_path`](Self::overflow_path), as JSON Lines.
#[derive(Clone, Debug)]
pub struct FileSink {
    path: PathBuf,
    form: Form,
}

impl FileSink {
    /// A list at that path, in that format.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self { path: path.into(), form: format.into() }
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

    /// Returns the path of a partial list, beside the file that a link leads to.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        with_suffix(&self.followed(), PARTIAL)
    }

    /// Returns the path of accounts that could not be read, beside the file that a link leads to.
    #[must_use]
    pub fn quarantine_path(&self) -> PathBuf {
        with_suffix(&self.followed(), QUARANTINE)
    }

    /// Returns the path of the changes since the last complete list, beside the file that a link leads to. Only
    /// [compared](ListWriter::compare) lists have them.
    #[must_use]
    pub fn changes_path(&self) -> PathBuf {
        with_suffix(&self.followed(), CHANGES)
    }

    /// Returns the path of a [held](ListWriter::commit_held) list, beside the file that a link leads to. The next
    /// complete list removes it.
    #[must_use]
    pub fn held_path(&self) -> PathBuf {
        with_suffix(&self.followed(), HELD)
    }

    /// Returns the path of a list that the format cannot hold ([`Sink::overflow`]), beside the file that a link
    /// leads to. The next complete list in its place removes it.
    #[must_use]
    pub fn overflow_path(&self) -> PathBuf {
        with_suffix(&self.followed(), OVERFLOW)
    }

    /// Writes unreadable items to [`quarantine_path`](Self::quarantine_path), one line each, in one
    /// step and with mode 0600. With no lines, removes the file. Returns whether there is a file
    /// afterwards.
    ///
    /// # Errors
    /// [`SinkError`], if the file system fails.
    pub fn write_quarantine(&self, quarantine: Quarantine) -> Result<bool, SinkError> {
        Staged::new(self.quarantine_path(), quarantine)?.commit()
    }

    /// Checks that the file system can name the list and the files beside it, which lie beside the file that a
    /// link leads to.
    ///
    /// # Errors
    /// [`SinkError::NameTooLong`], when it cannot.
    pub fn check_name(&self) -> Result<(), SinkError> {
        let followed = self.followed();
        for suffix in ALL {
            // Looking at a name that is too long fails, whatever is there.
            let found = fs::symlink_metadata(with_suffix(&followed, suffix));
            if found.is_err_and(|error| error.kind() == io::ErrorKind::InvalidFilename) {
                return Err(SinkError::NameTooLong { path: followed, suffix });
            }
        }
        match self.form.format {
            #[cfg(feature = "xlsx")]
            Format::Xlsx => Self::new(self.overflow_path(), Format::Jsonl).check_name(),
            _ => Ok(()),
        }
    }

    /// Starts a list that is encoded already. Dropping it without committing leaves the file
    /// unchanged.
    ///
    /// # Errors
    /// [`SinkError`], if the folder cannot be written.
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

    /// Returns the target; the path itself if that fails.
    fn followed(&self) -> PathBuf {
        self.target().unwrap_or_else(|_| self.path.clone())
    }

    fn target(&self) -> Result<PathBuf, SinkError> {
        target(&self.path)
    }
}

/// Returns the path with links followed, so far as it exists. The file need not exist.
///
/// # Errors
/// [`SinkError::NotAFile`], if it is something other than a regular file; [`SinkError::NoFolder`], if it is a folder's
/// path; [`SinkError::Io`], if the file system fails.
pub fn target(path: &Path) -> Result<PathBuf, SinkError> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") && !path.is_dir() {
        return Err(SinkError::NoFolder { folder: path.to_owned() });
    }
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(SinkError::NotAFile { path: path.to_owned() }),
        Ok(_) => fs::canonicalize(path).map_err(SinkError::io("resolving", path)),
        // A dangling link points to the list's future place.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(followed(path)),
        Err(error) => Err(SinkError::io("looking at", path)(error)),
    }
}

/// Follows links to a file that does not exist. The result is absolute, as it will be once the file exists.
fn followed(path: &Path) -> PathBuf {
    // Systems follow 40 links at most.
    const LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => break,
        }
    }
    let real = fs::canonicalize(folder(&path)).ok().zip(path.file_name());
    real.map(|(folder, name)| folder.join(name)).unwrap_or(path)
}

/// Returns the absolute path of a list's file as journals note it, with links followed; `None` if the file system does
/// not say.
#[must_use]
pub fn absolute(path: &Path) -> Option<PathBuf> {
    let target = target(path).ok()?;
    Some(fs::canonicalize(folder(&target)).ok()?.join(target.file_name()?))
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
        // They do not describe these bytes.
        Beside::of(&target).forget_changes()?;
        place(file, &target)?;
        Ok(target.display().to_string())
    }
}

/// The path as a text. Bytes that are not UTF-8 are escaped, so that two paths never look alike.
#[must_use]
pub fn location_of(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
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
        absolute(&self.path).as_deref().map(location_of)
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

    fn is_held_at(&self, location: &str) -> bool {
        location.strip_suffix(HELD).is_some_and(|list| self.is_at(list))
    }

    /// The folder is locked, for those who look for that lock.
    fn hold(&self) -> Result<Box<dyn Send>, SinkError> {
        let target = self.target()?;
        Ok(Box::new(temporary::hold(folder(&target))?))
    }

    /// For XLSX, JSON Lines at [`overflow_path`](Self::overflow_path).
    fn overflow(&self) -> Option<Box<dyn Sink>> {
        match self.form.format {
            #[cfg(feature = "xlsx")]
            Format::Xlsx => Some(Box::new(Self::new(self.overflow_path(), Format::Jsonl))),
            _ => None,
        }
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
        crate::format::holds(file, robot_id).map_err(reading())
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let complete = self.target()?;
        let target = match kind {
            ListKind::Complete => complete.clone(),
            ListKind::Partial => with_suffix(&complete, PARTIAL),
        };
        let file = temporary::beside(folder(&target))?;
        let mut encoder = Encoder::new(&self.form, Behind::new(file))?;
        // A partial list is not compared.
        if kind == ListKind::Complete {
            encoder = encoder.with_parts();
        }
        let beside = Beside::of(&complete);
        Ok(Box::new(FileWriter::new(encoder, kind, target, beside)))
    }
}

#[cfg(all(test, feature = "xlsx"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_room_for_the_list_that_does_not_fit_is_found_out_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let sink =
            |length: usize, format| FileSink::new(folder.path().join("n".repeat(length)), format);
        sink(223, Format::Xlsx).check().unwrap();
        let error = sink(224, Format::Xlsx).check().unwrap_err();
        assert!(matches!(error, SinkError::NameTooLong { .. }), "{error}");
        // Another format does not need that room.
        let list = sink(238, Format::Jsonl);
        list.check().unwrap();
        list.begin(ListKind::Complete).unwrap().commit().unwrap();
        assert!(list.path().exists());
        let list = FileSink::new(folder.path().join("t".repeat(241)), Format::Jsonl);
        list.begin(ListKind::Complete).unwrap().commit().unwrap();
        assert!(list.path().exists());
    }
}
