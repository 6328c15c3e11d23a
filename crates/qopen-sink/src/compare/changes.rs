//! A file of changes, and the lists on both of its sides.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use qopen_types::RobotId;
use serde_json::value::RawValue;

use super::ListProblem;
use super::change::{CHANGE, Change, ChangeLine, ChangesHeader, HEADER};
use super::fields::rewound;
use super::lines::{self, Lines, fails};
use super::list::{Accounts, Digester, List, ListDigest, PartReader, ROBOTS};
use crate::SinkError;

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
    pub fn apply(&self, list: impl AsRef<Path>, out: &mut dyn Write) -> Result<(), SinkError> {
        self.write(list.as_ref(), Side::Later, out)
    }

    /// Takes the changes back from the later list in this file and writes the earlier one, with the robots in the
    /// order of the headers. Memory does not grow with the lists.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), with the later list for the earlier one.
    pub fn revert(&self, list: impl AsRef<Path>, out: &mut dyn Write) -> Result<(), SinkError> {
        self.write(list.as_ref(), Side::Earlier, out)
    }

    fn write(&self, path: &Path, side: Side, out: &mut dyn Write) -> Result<(), SinkError> {
        let writing = || SinkError::io("writing", Path::new("the list"));
        let file = File::open(path).map_err(SinkError::io("opening", path))?;
        let list = List::new(file, path, &|| {})?;
        let is_known = |robot: &RobotId| self.robots.contains_key(robot);
        if !list.robots.iter().all(is_known) {
            return Err(fails(path, ListProblem::Mismatched));
        }
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
            let header: ChangesHeader = line
                .starts_with(HEADER)
                .then(|| serde_json::from_slice(line).ok())
                .flatten()
                .ok_or_else(not_changes)?;
            left = super::checked_total(&header.counts).ok_or_else(not_changes)?;
            if header.since.is_none() && left > 0 {
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

    fn part(&self, robot: &RobotId) -> Option<&ChangesPart> {
        self.parts.get(*self.robots.get(robot)?)
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
        let changes = ChangeReader {
            lines: Lines::new(file, &self.path, lines::CHANGE, part.before),
            left: part.header.counts.total(),
            robot,
            current: None,
        };
        let expected = match side {
            Side::Earlier => since.list(),
            Side::Later => part.header.until,
        };
        let (from, seen) = (list.accounts(robot)?, Digester::default());
        let mut patched = Patched {
            side,
            from,
            has_from: false,
            changes,
            seen,
            expected,
            is_kept: false,
            own: None,
        };
        patched.has_from = patched.from.advance()?;
        patched.changes.advance_after("")?;
        Ok(patched)
    }
}

/// A side of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Earlier,
    Later,
}

/// A change, with the records that it has.
struct Entry {
    id: String,
    change: Change,
    fields: Vec<String>,
    account: Option<Box<RawValue>>,
    before: Option<Box<RawValue>>,
}

struct ChangeReader<'a> {
    lines: Lines<'a, &'a File>,
    left: u64,
    robot: &'a RobotId,
    current: Option<Entry>,
}

impl ChangeReader<'_> {
    /// Moves to the change after the one of that account.
    fn advance_after(&mut self, id: &str) -> Result<(), SinkError> {
        self.current = None;
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.lines.advance()?;
        let entry = self.read().filter(|it| *it.id > *id);
        self.current = Some(entry.ok_or_else(|| self.damaged())?);
        Ok(())
    }

    fn read(&self) -> Option<Entry> {
        let line: ChangeLine<'_> = serde_json::from_slice(self.lines.line()).ok()?;
        let is_fit = match line.change {
            Change::Added => line.account.is_some() && line.before.is_none(),
            Change::Gone => line.account.is_none() && line.before.is_some(),
            _ => line.account.is_some() && line.before.is_some(),
        };
        (is_fit && line.r#type == "change" && line.robot_id == *self.robot).then(|| Entry {
            id: line.account_id.as_str().to_owned(),
            change: line.change,
            fields: line.fields,
            account: line.account.map(ToOwned::to_owned),
            before: line.before.map(ToOwned::to_owned),
        })
    }

    fn damaged(&self) -> SinkError {
        self.lines.fails(ListProblem::NotChanges { line: self.lines.number() })
    }
}

/// A list that is made from the one on the other side of its changes.
pub(super) struct Patched<'a> {
    side: Side,
    from: PartReader<'a>,
    has_from: bool,
    changes: ChangeReader<'a>,
    seen: Digester,
    expected: ListDigest,
    /// Whether the list's account is the current one.
    is_kept: bool,
    /// The current id and line, if they come from a change.
    own: Option<(String, Vec<u8>)>,
}

/// What a step of [`Patched`] takes.
enum Step {
    /// The account of the list, which has no change.
    Keep,
    /// A record of a change.
    Replace(Vec<u8>),
    /// Nothing: the account is not on this side.
    Skip,
}

impl Patched<'_> {
    /// The list's account and the change that come next: which is first, and what it leads to.
    fn step(&self) -> Result<Option<(Ordering, Step)>, SinkError> {
        let mismatched = || self.changes.lines.fails(ListProblem::Mismatched);
        let Some(change) = &self.changes.current else {
            return Ok(self.has_from.then_some((Ordering::Less, Step::Keep)));
        };
        let order = match self.has_from {
            true => self.from.id().cmp(&change.id),
            false => Ordering::Greater,
        };
        if order.is_lt() {
            return Ok(Some((order, Step::Keep)));
        }
        let bytes = |it: &Option<Box<RawValue>>| {
            it.as_ref().map(|it| it.get().as_bytes().to_vec()).ok_or_else(mismatched)
        };
        let is_at_both = order.is_eq();
        let step = match (self.side, change.change) {
            (Side::Earlier, Change::Gone) if !is_at_both => Step::Replace(bytes(&change.before)?),
            (Side::Later, Change::Added) if !is_at_both => Step::Replace(bytes(&change.account)?),
            (Side::Earlier, Change::Added) | (Side::Later, Change::Gone) if is_at_both => {
                Step::Skip
            }
            (_, Change::Added | Change::Gone) => return Err(mismatched()),
            (Side::Later, _) if is_at_both => Step::Replace(bytes(&change.account)?),
            (Side::Earlier, _) if is_at_both => {
                let (account, before) = (bytes(&change.account)?, bytes(&change.before)?);
                let record = rewound(&account, &change.fields, &before);
                Step::Replace(record.ok_or_else(|| self.changes.damaged())?)
            }
            _ => return Err(mismatched()),
        };
        Ok(Some((order, step)))
    }
}

impl Accounts for Patched<'_> {
    fn advance(&mut self) -> Result<bool, SinkError> {
        self.own = None;
        // The list's account was current until now.
        if std::mem::take(&mut self.is_kept) {
            self.has_from = self.from.advance()?;
        }
        while let Some((order, step)) = self.step()? {
            if let Step::Keep = step {
                self.is_kept = true;
                self.seen.add(self.from.line());
                return Ok(true);
            }
            let id = self.changes.current.as_mut().map(|it| std::mem::take(&mut it.id));
            let id = id.unwrap_or_default();
            if order.is_eq() {
                self.has_from = self.from.advance()?;
            }
            self.changes.advance_after(&id)?;
            if let Step::Replace(line) = step {
                self.seen.add(&line);
                self.own = Some((id, line));
                return Ok(true);
            }
        }
        match self.seen.finish() == self.expected {
            true => Ok(false),
            false => Err(self.changes.lines.fails(ListProblem::Mismatched)),
        }
    }

    fn id(&self) -> &str {
        match &self.own {
            Some((id, _)) => id,
            None => self.from.id(),
        }
    }

    fn line(&self) -> &[u8] {
        match &self.own {
            Some((_, line)) => line,
            None => self.from.line(),
        }
    }

    fn not_a_record(&self) -> SinkError {
        match &self.own {
            Some(_) => self.changes.damaged(),
            None => self.from.not_a_record(),
        }
    }
}
