//! A list in a file: the part of each robot, and the accounts of a part.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use qopen_types::{Digest, RobotId};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::lines::{Lines, RECORD, fails};
use super::problem::ListProblem;
use crate::SinkError;
use crate::csv_row::quoted;

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
pub(super) struct Digester {
    accounts: u64,
    hash: Xxh3,
}

impl Digester {
    pub(super) fn add(&mut self, line: &[u8]) {
        self.accounts += 1;
        self.hash.update(line);
        self.hash.update(b"\n");
    }

    pub(super) fn finish(&self) -> ListDigest {
        let digest = Digest::from_u128(self.hash.digest128());
        ListDigest { accounts: self.accounts, digest }
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
    /// The robots, in the order of the file.
    pub(super) robots: Vec<RobotId>,
    parts: HashMap<RobotId, Part>,
}

impl List {
    /// Finds the parts of a list. `path` is for messages. Calls `moved` now and then.
    pub(super) fn new(file: File, path: &Path, moved: &dyn Fn()) -> Result<Self, SinkError> {
        let mut list =
            Self { path: path.to_owned(), file, robots: Vec::new(), parts: HashMap::new() };
        list.find_parts(moved)?;
        Ok(list)
    }

    fn find_parts(&mut self, moved: &dyn Fn()) -> Result<(), SinkError> {
        (&self.file).rewind().map_err(SinkError::io("reading", &self.path))?;
        let mut lines = Lines::new(&self.file, &self.path, RECORD, 0);
        let (mut offset, mut prefix) = (0, Vec::new());
        let mut open: Option<(RobotId, Part, Digester)> = None;
        let mut parts = Vec::new();
        while lines.advance()? {
            let (line, number) = (lines.line(), lines.number());
            match &mut open {
                Some((.., digester)) if line.starts_with(&prefix) => digester.add(line),
                _ => {
                    let problem = match number {
                        1 if line.first() != Some(&b'{') => ListProblem::AnotherFormat,
                        line => ListProblem::NotARecord { line },
                    };
                    let robot = robot_of(line).ok_or_else(|| lines.fails(problem))?;
                    if parts.len() + 1 == ROBOTS {
                        return Err(lines.fails(ListProblem::TooManyRobots { line: number }));
                    }
                    prefix = prefix_of(&robot);
                    let mut digester = Digester::default();
                    digester.add(line);
                    let part = Part { offset, before: number - 1, ..Part::empty() };
                    parts.extend(open.replace((robot, part, digester)));
                }
            }
            offset += line.len() as u64 + 1;
            if number % MOVED_EVERY == 0 {
                moved();
            }
        }
        parts.extend(open);
        for (robot, part, digester) in parts {
            let part = Part { digest: digester.finish(), ..part };
            if self.parts.insert(robot.clone(), part).is_some() {
                let line = part.before + 1;
                return Err(fails(&self.path, ListProblem::RobotRepeated { line }));
            }
            self.robots.push(robot);
        }
        Ok(())
    }

    /// The part of a robot, if it has accounts.
    pub(super) fn part(&self, robot: &RobotId) -> Option<Part> {
        self.parts.get(robot).copied()
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
        Ok(PartReader {
            lines: Lines::new(file, &self.path, RECORD, part.before),
            left: part.digest.accounts,
            prefix: prefix_of(robot),
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

    /// The current account's line, without its end.
    fn line(&self) -> &[u8];

    /// The error of a current line that is not a record.
    fn not_a_record(&self) -> SinkError;
}

/// Reads one robot's accounts from a file.
pub(super) struct PartReader<'a> {
    lines: Lines<'a, &'a File>,
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
        // White space around a record would not come back from a file of changes.
        let line = self.lines.line();
        let rest = line.strip_prefix(&*self.prefix).filter(|_| line.ends_with(b"}"));
        if !rest.is_some_and(|rest| read_id(rest, &mut self.id)) {
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

    fn not_a_record(&self) -> SinkError {
        self.lines.fails(ListProblem::NotARecord { line: self.lines.number() })
    }
}

/// What a robot's lines begin with.
pub(super) fn prefix_of(robot: &RobotId) -> Vec<u8> {
    format!("{{\"robot_id\":{},\"account_id\":\"", quoted(robot.as_str())).into_bytes()
}

/// Reads the id behind the prefix of a line. Returns false if there is none.
pub(super) fn read_id(rest: &[u8], id: &mut String) -> bool {
    id.clear();
    let Some(end) = memchr::memchr2(b'"', b'\\', rest) else { return false };
    let (mut end, mut plain) = (end, true);
    while rest.get(end) == Some(&b'\\') {
        plain = false;
        // The escaped character is not the end.
        let Some(next) = rest.get(end + 2..).and_then(|it| memchr::memchr2(b'"', b'\\', it)) else {
            return false;
        };
        end += 2 + next;
    }
    let Ok(text) = std::str::from_utf8(&rest[..end]) else { return false };
    match plain {
        true => id.push_str(text),
        false => match serde_json::from_str::<String>(&format!("\"{text}\"")) {
            Ok(text) => *id = text,
            Err(_) => return false,
        },
    }
    !id.is_empty() && matches!(rest.get(end + 1), Some(b',' | b'}'))
}

/// The robot of a line.
pub(super) fn robot_of(line: &[u8]) -> Option<RobotId> {
    let rest = line.strip_prefix(b"{\"robot_id\":\"")?;
    let mut text = String::new();
    read_id(rest, &mut text).then_some(())?;
    let robot = RobotId::new(text).ok()?;
    line.starts_with(&prefix_of(&robot)).then_some(robot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_cut_while_it_is_read_is_named() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let line = |id: &str| format!("{{\"robot_id\":\"r\",\"account_id\":\"{id}\"}}\n");
        std::fs::write(named.path(), [line("a"), line("b")].concat()).unwrap();
        let list = List::new(named.reopen().unwrap(), named.path(), &|| {}).unwrap();
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
