//! A file of changes, and the lists on both of its sides.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use qopen_types::RobotId;

use super::change::{CHANGE, ChangesHeader, HEADER, later_format};
use super::found::checked_total;
use super::lines::{self, Lines, fails};
use super::list::{Accounts as _, List, ROBOTS};
use super::patched::{ChangeReader, Patched, Side};
use super::problem::ListProblem;
use crate::{CsvOptions, SinkError};

/// The changes between two lists: the file `PATH.changes.jsonl` beside a list.
///
/// Applied to the earlier list, they give the later one byte for byte.
#[derive(Debug)]
pub struct ListChanges {
    path: PathBuf,
    file: File,
    parts: Vec<ChangesPart>,
    /// The index of each robot's part.
    robots: HashMap<RobotId, usize>,
}

#[derive(Debug)]
struct ChangesPart {
    header: ChangesHeader,
    /// Bytes up to the end of the header.
    offset: u64,
    /// Lines up to the header.
    before: u64,
}

impl ListChanges {
    /// Opens a file of changes and checks its headers.
    ///
    /// # Errors
    /// [`SinkError::Io`], and [`SinkError::NotAList`] if the file is damaged or something else.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SinkError> {
        let path = path.into();
        let file = File::open(&path).map_err(SinkError::io("opening", &path))?;
        let mut changes = Self { path, file, parts: Vec::new(), robots: HashMap::new() };
        changes.find_parts()?;
        Ok(changes)
    }

    /// The headers, in the order of the file.
    pub fn headers(&self) -> impl Iterator<Item = &ChangesHeader> {
        self.parts.iter().map(|it| &it.header)
    }

    /// Applies the changes to the earlier list in this file and writes the later one. Memory does not grow with
    /// the lists.
    ///
    /// # Errors
    /// [`SinkError::NotAList`], if the file is not the earlier list of every robot, or the changes of a robot
    /// begin with its first list. [`SinkError::Io`], if a file cannot be read or `out` cannot be written.
    /// `out` may hold part of the later list after an error.
    pub fn apply(&self, list: impl AsRef<Path>, out: &mut dyn Write) -> Result<(), SinkError> {
        self.write(list.as_ref(), Side::Later, out)
    }

    /// Takes the changes back from the later list in this file and writes the earlier one, with the robots in the
    /// order of the headers. Memory does not grow with the lists.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), with the later list for the earlier one. `out` may hold part of the earlier list
    /// after an error.
    pub fn revert(&self, list: impl AsRef<Path>, out: &mut dyn Write) -> Result<(), SinkError> {
        self.write(list.as_ref(), Side::Earlier, out)
    }

    fn write(&self, path: &Path, side: Side, out: &mut dyn Write) -> Result<(), SinkError> {
        let writing = || SinkError::io("writing", Path::new("the list"));
        let file = File::open(path).map_err(SinkError::io("opening", path))?;
        let list = List::new(file, path, self.is_safe(), &|| {})?;
        let is_known = |robot: &RobotId| self.robots.contains_key(robot);
        if !list.robots.iter().all(is_known) || !self.fits_layout(&list) {
            return Err(fails(path, ListProblem::Mismatched));
        }
        out.write_all(&list.layout.head()).map_err(writing())?;
        for header in self.headers() {
            let robot = &header.robot_id;
            let Some(since) = &header.since else {
                return Err(fails(&self.path, ListProblem::Baseline));
            };
            let from = match side {
                Side::Later => since.list(),
                Side::Earlier => header.until,
            };
            if list.digest(robot) != from {
                return Err(fails(path, ListProblem::Mismatched));
            }
            let mut made = self.patched(robot, &list, side)?;
            while made.advance()? {
                out.write_all(made.line()).map_err(writing())?;
                out.write_all(b"\n").map_err(writing())?;
            }
        }
        out.flush().map_err(writing())
    }

    fn find_parts(&mut self) -> Result<(), SinkError> {
        let mut lines = Lines::new(&self.file, &self.path, lines::CHANGE, 0);
        let (mut offset, mut left) = (0, 0);
        while lines.advance()? {
            let (line, number) = (lines.line(), lines.number());
            let not_changes = || fails(&self.path, ListProblem::NotChanges { line: number });
            offset += line.len() as u64 + 1;
            if left > 0 {
                left -= 1;
                match line.starts_with(CHANGE) {
                    true => continue,
                    false => return Err(not_changes()),
                }
            }
            if let Some(found) = later_format(line) {
                return Err(fails(&self.path, ListProblem::LaterFormat { found }));
            }
            let header: ChangesHeader = line
                .starts_with(HEADER)
                .then(|| serde_json::from_slice(line).ok())
                .flatten()
                .ok_or_else(not_changes)?;
            left = checked_total(&header.counts).ok_or_else(not_changes)?;
            let has_other_csv = self.parts.first().is_some_and(|it| it.header.csv != header.csv);
            if header.since.is_none() && left > 0 || has_other_csv {
                return Err(not_changes());
            }
            if self.parts.len() == ROBOTS {
                return Err(fails(&self.path, ListProblem::TooManyRobots { line: number }));
            }
            self.parts.push(ChangesPart { header, offset, before: number });
        }
        if left > 0 {
            let line = lines.number() + 1;
            return Err(fails(&self.path, ListProblem::CutOff { line }));
        }
        let indices = self.parts.iter().enumerate();
        self.robots = indices.map(|(n, it)| (it.header.robot_id.clone(), n)).collect();
        match self.robots.len() == self.parts.len() {
            true => Ok(()),
            false => Err(fails(&self.path, ListProblem::Mismatched)),
        }
    }

    /// The options of CSV of the lists on both sides; `None` if they are in JSON Lines.
    fn csv(&self) -> Option<CsvOptions> {
        self.headers().next().and_then(|it| it.csv)
    }

    /// Whether the lists on both sides have the marks of safe CSV, if they are CSV.
    pub(super) fn is_safe(&self) -> Option<bool> {
        self.csv().map(|it| it.safe)
    }

    /// Whether a list is written as those on both sides are.
    pub(super) fn fits_layout(&self, list: &List) -> bool {
        self.parts.is_empty() || list.layout.fits(self.csv())
    }

    fn part(&self, robot: &RobotId) -> Option<&ChangesPart> {
        self.parts.get(*self.robots.get(robot)?)
    }

    /// Copies the file.
    pub(super) fn copy(&self, out: &mut dyn Write, path: &Path) -> Result<(), SinkError> {
        let mut file = &self.file;
        file.rewind().map_err(SinkError::io("reading", &self.path))?;
        std::io::copy(&mut file, out).map(drop).map_err(SinkError::io("writing", path))
    }

    /// The header of a robot's changes.
    pub(super) fn header(&self, robot: &RobotId) -> Option<&ChangesHeader> {
        self.part(robot).map(|it| &it.header)
    }

    /// The list of a robot on one side of its changes, from the one on the other side.
    pub(super) fn patched<'a>(
        &'a self,
        robot: &'a RobotId,
        list: &'a List,
        side: Side,
    ) -> Result<Patched<'a>, SinkError> {
        let none = || fails(&self.path, ListProblem::Baseline);
        let part = self.part(robot).ok_or_else(none)?;
        let since = part.header.since.as_ref().ok_or_else(none)?;
        let mut file = &self.file;
        let sought = file.seek(SeekFrom::Start(part.offset));
        sought.map_err(SinkError::io("reading", &self.path))?;
        let lines = Lines::new(file, &self.path, lines::CHANGE, part.before);
        let changes = ChangeReader::new(lines, part.header.counts.total(), robot);
        let expected = match side {
            Side::Earlier => since.list(),
            Side::Later => part.header.until,
        };
        Patched::new(side, list.accounts(robot)?, changes, expected)
    }
}
