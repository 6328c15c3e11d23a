//! A list in a file: the part of each robot, and the accounts of a part.

use std::borrow::Cow;
use std::collections::HashMap;
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

/// A list whose parts are known.
#[derive(Debug)]
pub(super) struct List {
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
        let mut offset = head.len() as u64;
        let sought = (&self.file).seek(SeekFrom::Start(offset));
        sought.map_err(SinkError::io("reading", &self.path))?;
        let before = u64::from(!head.is_empty());
        let lines = Lines::new(&self.file, &self.path, RECORD, before);
        let mut lines = self.layout.lines(lines);
        let mut marks = Marks::default();
        let asks_texts = is_safe.is_none() && self.layout.csv().is_some();
        let mut open: Option<(Vec<u8>, Part, Digester)> = None;
        let mut parts = Vec::new();
        for records in 1_u64.. {
            if !lines.advance()? {
                break;
            }
            let (line, number) = (lines.line(), lines.number());
            match &mut open {
                Some((prefix, _, digester)) if line.starts_with(prefix) => digester.add(line),
                _ => {
                    let problem = match number {
                        1 if line.first() != Some(&b'{') => ListProblem::AnotherFormat,
                        line => ListProblem::NotARecord { line },
                    };
                    let prefix = self.layout.prefix_in(line).ok_or_else(|| lines.fails(problem))?;
                    if parts.len() + 1 == ROBOTS {
                        return Err(lines.fails(ListProblem::TooManyRobots { line: number }));
                    }
                    let mut digester = Digester::default();
                    digester.add(line);
                    let part = Part { offset, before: number - 1, ..Part::empty() };
                    parts.extend(open.replace((prefix, part, digester)));
                }
            }
            if asks_texts && !marks.is_plain {
                marks.add(line);
            }
            offset += line.len() as u64 + 1;
            if records % MOVED_EVERY == 0 {
                moved();
            }
        }
        parts.extend(open);
        self.layout = self.layout.with_marks(is_safe.or_else(|| marks.is_safe()));
        for (prefix, part, digester) in parts {
            let part = Part { digest: digester.finish(), ..part };
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
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_cut_while_it_is_read_is_named() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let line = |id: &str| format!("{{\"robot_id\":\"r\",\"account_id\":\"{id}\"}}\n");
        std::fs::write(named.path(), [line("a"), line("b")].concat()).unwrap();
        let list = List::new(named.reopen().unwrap(), named.path(), None, &|| {}).unwrap();
        named.as_file().set_len(line("a").len() as u64).unwrap();
        let mut accounts = list.accounts(&RobotId::new("r").unwrap()).unwrap();
        assert!(accounts.advance().unwrap());
        match accounts.advance() {
            Err(SinkError::NotAList { path, problem: ListProblem::CutOff { line: 2 } }) => {
                assert_eq!(path, named.path());
            }
            other => panic!("{other:?}"),
        }
    }
}
