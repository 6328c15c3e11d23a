//! Files beside a list that a deleted pull leaves.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use qopen_types::{MarkId, RobotId};
use serde::Deserialize;

use super::FileSink;
use super::beside::{folder, place, remove};
use crate::{SinkError, temporary};

impl FileSink {
    /// Removes the [held](Self::held_path) list if it has customers of the robot. Returns the path of the removed
    /// file. A held list of several robots is removed whole.
    ///
    /// # Errors
    /// [`SinkError`], if the file system fails.
    pub fn remove_held(&self, robot_id: &RobotId) -> Result<Option<PathBuf>, SinkError> {
        self.remove_with(robot_id, self.held_path())
    }

    /// Removes the [partial](Self::partial_path) list if it has customers of the robot. Returns the path of the
    /// removed file. A partial list of several robots is removed whole.
    ///
    /// # Errors
    /// [`SinkError`], if the file system fails.
    pub fn remove_partial(&self, robot_id: &RobotId) -> Result<Option<PathBuf>, SinkError> {
        self.remove_with(robot_id, self.partial_path())
    }

    /// Removes the [list that the format cannot hold](Self::overflow_path) if it has customers of the robot. Returns
    /// the path of the removed file. A list of several robots is removed whole.
    ///
    /// # Errors
    /// [`SinkError`], if the file system fails.
    pub fn remove_overflow(&self, robot_id: &RobotId) -> Result<Option<PathBuf>, SinkError> {
        self.remove_with(robot_id, self.overflow_path())
    }

    /// Removes the items of a pull from the [quarantine](Self::quarantine_path). Returns the path of the file if it
    /// had any. Without further items, the file is removed.
    ///
    /// # Errors
    /// [`SinkError`], if the file system fails.
    pub fn remove_quarantined(
        &self,
        robot_id: &RobotId,
        mark_id: &MarkId,
    ) -> Result<Option<PathBuf>, SinkError> {
        let path = self.quarantine_path();
        let _held = temporary::hold(folder(&path))?;
        let Some(file) = open(&path)? else { return Ok(None) };
        let mut rest = BufWriter::new(temporary::beside(folder(&path))?);
        let (mut removed, mut kept) = (0_u64, 0_u64);
        let writing = || SinkError::io("writing", &path);
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(SinkError::io("reading", &path))?;
            if is_of(&line, robot_id, mark_id) {
                removed += 1;
                continue;
            }
            kept += 1;
            rest.write_all(&line).and_then(|()| rest.write_all(b"\n")).map_err(writing())?;
        }
        if removed == 0 {
            return Ok(None);
        }
        if kept == 0 {
            return remove(&path).map(|()| Some(path));
        }
        let rest = rest.into_inner().map_err(|error| writing()(error.into_error()))?;
        rest.as_file().sync_all().map_err(writing())?;
        place(rest, &path)?;
        Ok(Some(path))
    }

    fn remove_with(&self, robot_id: &RobotId, path: PathBuf) -> Result<Option<PathBuf>, SinkError> {
        let _held = temporary::hold(folder(&path))?;
        let Some(file) = open(&path)? else { return Ok(None) };
        let holds = crate::format::holds(BufReader::new(file), robot_id);
        match holds.map_err(SinkError::io("reading", &path))? {
            true => remove(&path).map(|()| Some(path)),
            false => Ok(None),
        }
    }
}

/// Opens a regular file, if there is one. Callers lock the folder before: a publication could replace the file.
fn open(path: &Path) -> Result<Option<File>, SinkError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {
            File::open(path).map(Some).map_err(SinkError::io("opening", path))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SinkError::io("looking at", path)(error)),
    }
}

/// Whether a line of a quarantine is of that pull.
fn is_of(line: &[u8], robot_id: &RobotId, mark_id: &MarkId) -> bool {
    #[derive(Deserialize)]
    struct Of<'a> {
        #[serde(borrow)]
        robot_id: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        mark_id: std::borrow::Cow<'a, str>,
    }
    let of = serde_json::from_slice::<Of<'_>>(line);
    of.is_ok_and(|it| it.robot_id == robot_id.as_str() && it.mark_id == mark_id.as_str())
}
