//! A list in a file: the part of each robot, and the accounts of a part.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use qopen_types::{Digest, RobotId};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::layout::Layout;
use super::lines::{Lines, RECORD, fails};
use super::problem::ListProblem;
use super::row::Marks;
use crate::SinkError;
use crate::line_form::LineForm;

/// Robots in one file, at most.
pub(super) const ROBOTS: usize = 65_536;

/// The number of a robot's accounts, and the digest of their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListDigest {
    /// Accounts in the list.
    pub accounts: u64,
    /// The digest of the robot's lines, each with its line break.
    pub digest: Digest,
}

/// Computes a [`ListDigest`] line by line.
#[derive(Clone, Default)]
pub struct Digester {
    accounts: u64,
    hash: Xxh3,
}

impl Digester {
    /// Adds a record: a line without its end. Lines come in the order of the account ids.
    pub fn add(&mut self, line: &[u8]) {
        self.accounts += 1;
        self.hash.update(line);
        self.hash.update(b"\n");
    }

    /// Returns the digest of the lines so far.
    #[must_use]
    pub fn finish(&self) -> ListDigest {
        let digest = Digest::from_u128(self.hash.digest128());
        ListDigest { accounts: self.accounts, digest }
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digester").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

/// The place of one robot's accounts in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Bytes before it.
    offset: u64,
    /// Lines before it.
    before: u64,
    pub(super) digest: ListDigest,
}

impl Part {
    /// The part of a robot without accounts.
    pub(super) fn empty() -> Self {
        Self { offset: 0, before: 0, digest: Digester::default().finish() }
    }
}

/// The parts of a list, which are found line by line.
#[derive(Clone, Default)]
struct Parts {
    /// Bytes so far.
    offset: u64,
    /// By what the lines of each robot begin with. The last one is open.
    found: Vec<(Vec<u8>, Part)>,
    /// Of the last one.
    digester: Digester,
}

impl Parts {
    /// No parts, behind the first bytes of a list.
    fn behind(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// Adds a line, which has `before` lines before it. `prefix` tells what the lines of its robot begin with.
    fn add<E>(
        &mut self,
        line: &[u8],
        before: u64,
        prefix: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let is_open = self.found.last().is_some_and(|(prefix, _)| line.starts_with(prefix));
        if !is_open {
            let prefix = prefix()?;
            self.close();
            let part = Part { offset: self.offset, before, ..Part::empty() };
            self.found.push((prefix, part));
        }
        self.digester.add(line);
        self.offset += line.len() as u64 + 1;
        Ok(())
    }

    /// Gives the last part its digest.
    fn close(&mut self) {
        let digest = std::mem::take(&mut self.digester).finish();
        if let Some((_, part)) = self.found.last_mut() {
            part.digest = digest;
        }
    }
}

/// The parts of a list that is written, so that a comparison need not read it for them.
#[derive(Clone)]
pub(crate) struct WrittenParts {
    layout: Layout,
    parts: Parts,
    /// Lines so far.
    lines: u64,
}

impl WrittenParts {
    /// Those of a list without records.
    pub(crate) fn new(form: LineForm) -> Self {
        let head = form.head().len() as u64;
        Self { layout: form.into(), parts: Parts::behind(head), lines: u64::from(head > 0) }
    }

    /// Adds a robot's record, as a line without its end. Does nothing once there are too many parts.
    pub(crate) fn add(&mut self, robot: &RobotId, line: &[u8]) {
        let Self { layout, parts, lines } = self;
        if parts.found.len() > ROBOTS {
            return;
        }
        let Ok(()) = parts.add(line, *lines, || Ok::<_, Infallible>(layout.prefix(robot)));
        *lines += 1;
        if layout.csv().is_some() {
            *lines += memchr::memchr_iter(b'\n', line).count() as u64;
        }
    }
}

/// A list whose parts are known.
#[derive(Debug)]
pub(crate) struct List {
    path: PathBuf,
    file: File,
    /// How it is written.
    pub(super) layout: Layout,
    /// The robots, in the order of the file.
    pub(super) robots: Vec<RobotId>,
    /// By what the lines of a robot begin with.
    parts: HashMap<Vec<u8>, Part>,
}

impl List {
    /// Finds the parts of a list. `path` is for messages. `is_safe` tells whether a list in CSV has marks; `None` if
    /// its texts have to. Calls `moved` now and then.
    pub(super) fn new(
        file: File,
        path: &Path,
        is_safe: Option<bool>,
        moved: &dyn Fn(),
    ) -> Result<Self, SinkError> {
        let layout = Layout::of(&file).map_err(SinkError::io("reading", path))?;
        let layout = layout.map_err(|problem| fails(path, problem))?.with_marks(is_safe);
        let (robots, parts) = (Vec::new(), HashMap::new());
        let mut list = Self { path: path.to_owned(), file, layout, robots, parts };
        list.find_parts(is_safe, moved)?;
        Ok(list)
    }

    fn find_parts(&mut self, is_safe: Option<bool>, moved: &dyn Fn()) -> Result<(), SinkError> {
        let head = self.layout.head();
        let offset = head.len() as u64;
        let sought = (&self.file).seek(SeekFrom::Start(offset));
        sought.map_err(SinkError::io("reading", &self.path))?;
        let before = u64::from(!head.is_empty());
        let lines = Lines::new(&self.file, &self.path, RECORD, before);
        let mut lines = self.layout.lines(lines);
        let mut marks = Marks::default();
        let asks_texts = is_safe.is_none() && self.layout.csv().is_some();
        let mut parts = Parts::behind(offset);
        for records in 1_u64.. {
            if !lines.advance()? {
                break;
            }
            let (line, number) = (lines.line(), lines.number());
            parts.add(line, number - 1, || {
                let problem = match number {
                    1 if line.first() != Some(&b'{') => ListProblem::AnotherFormat,
                    line => ListProblem::NotARecord { line },
                };
                self.layout.prefix_in(line).ok_or_else(|| lines.fails(problem))
            })?;
            if parts.found.len() > ROBOTS {
                return Err(lines.fails(ListProblem::TooManyRobots { line: number }));
            }
            if asks_texts && !marks.is_plain {
                marks.add(line);
            }
            if records % MOVED_EVERY == 0 {
                moved();
            }
        }
        self.layout = self.layout.with_marks(is_safe.or_else(|| marks.is_safe()));
        self.take_parts(parts)
    }

    /// The list that was written into that file, with the parts that were found then.
    pub(crate) fn written(file: File, path: &Path, parts: WrittenParts) -> Result<Self, SinkError> {
        let WrittenParts { layout, parts, .. } = parts;
        if let Some((_, part)) = parts.found.get(ROBOTS) {
            return Err(fails(path, ListProblem::TooManyRobots { line: part.before + 1 }));
        }
        let (robots, path) = (Vec::new(), path.to_owned());
        let mut list = Self { path, file, layout, robots, parts: HashMap::new() };
        list.take_parts(parts)?;
        Ok(list)
    }

    fn take_parts(&mut self, mut parts: Parts) -> Result<(), SinkError> {
        parts.close();
        for (prefix, part) in parts.found {
            let line = part.before + 1;
            let robot = self.layout.robot(&prefix);
            let robot = robot.ok_or_else(|| fails(&self.path, ListProblem::NotARecord { line }))?;
            if self.parts.insert(prefix, part).is_some() {
                return Err(fails(&self.path, ListProblem::RobotRepeated { line }));
            }
            self.robots.push(robot);
        }
        Ok(())
    }

    /// Takes the layout that this list and another one have in common.
    ///
    /// # Errors
    /// [`SinkError::NotAList`], if they have none.
    pub(super) fn agree_with(&mut self, other: Layout) -> Result<(), SinkError> {
        let agreed = self.layout.agreed(other).map_err(|problem| {
            // No format is told from no bytes.
            let is_empty = self.layout == Layout::Jsonl && self.robots.is_empty();
            fails(&self.path, if is_empty { ListProblem::NoHeader } else { problem })
        });
        self.layout = agreed?;
        Ok(())
    }

    /// The part of a robot, if it has accounts.
    pub(super) fn part(&self, robot: &RobotId) -> Option<Part> {
        self.parts.get(&self.layout.prefix(robot)).copied()
    }

    /// The number and digest of a robot's accounts.
    pub(super) fn digest(&self, robot: &RobotId) -> ListDigest {
        self.part(robot).unwrap_or_else(Part::empty).digest
    }

    /// Reads a robot's accounts in order.
    pub(super) fn accounts(&self, robot: &RobotId) -> Result<PartReader<'_>, SinkError> {
        let part = self.part(robot).unwrap_or_else(Part::empty);
        let mut file = &self.file;
        let sought = file.seek(SeekFrom::Start(part.offset));
        sought.map_err(SinkError::io("reading", &self.path))?;
        let lines = Lines::new(file, &self.path, RECORD, part.before);
        Ok(PartReader {
            lines: self.layout.lines(lines),
            layout: self.layout,
            left: part.digest.accounts,
            prefix: self.layout.prefix(robot),
            id: String::new(),
            before: String::new(),
        })
    }
}

/// Lines after which progress is reported.
pub(super) const MOVED_EVERY: u64 = 4096;

/// Accounts of one robot, in the order of their ids.
pub(super) trait Accounts {
    /// Moves to the next account. Returns false at the end.
    fn advance(&mut self) -> Result<bool, SinkError>;

    /// The current account's id.
    fn id(&self) -> &str;

    /// The current account's line or row, without its end.
    fn line(&self) -> &[u8];

    /// The current account's record as JSON. `None` if its line is not as qopen writes it.
    fn record(&self) -> Option<Cow<'_, [u8]>>;

    /// The error of a current line that is not a record.
    fn not_a_record(&self) -> SinkError;
}

/// Reads one robot's accounts from a file.
pub(super) struct PartReader<'a> {
    lines: Lines<'a, &'a File>,
    pub(super) layout: Layout,
    left: u64,
    prefix: Vec<u8>,
    id: String,
    /// The id before; an id is never empty.
    before: String,
}

impl Accounts for PartReader<'_> {
    fn advance(&mut self) -> Result<bool, SinkError> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        if !self.lines.advance()? {
            return Err(self.lines.fails(ListProblem::CutOff { line: self.lines.number() + 1 }));
        }
        std::mem::swap(&mut self.id, &mut self.before);
        let line = self.lines.line();
        // White space around a record would not come back from a file of changes.
        let is_whole = self.layout != Layout::Jsonl || line.ends_with(b"}");
        let rest = line.strip_prefix(&*self.prefix).filter(|_| is_whole);
        if !rest.is_some_and(|rest| self.layout.read_id(rest, &mut self.id)) {
            return Err(self.not_a_record());
        }
        let line = self.lines.number();
        match self.id.cmp(&self.before) {
            std::cmp::Ordering::Greater => Ok(true),
            std::cmp::Ordering::Equal => Err(self.lines.fails(ListProblem::Repeated { line })),
            std::cmp::Ordering::Less => Err(self.lines.fails(ListProblem::Unsorted { line })),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn line(&self) -> &[u8] {
        self.lines.line()
    }

    fn record(&self) -> Option<Cow<'_, [u8]>> {
        self.layout.record(self.lines.line())
    }

    fn not_a_record(&self) -> SinkError {
        self.lines.fails(ListProblem::NotARecord { line: self.lines.number() })
    }
}

#[cfg(test)]
mod tests;
