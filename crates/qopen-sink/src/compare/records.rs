//! A list in JSON Lines, read record by record.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use qopen_types::{Account, Extra, RobotId, UnreadFields};

use super::lines::{Lines, RECORD};
use super::list::ROBOTS;
use super::prefix::{prefix_of, read_id, robot_of};
use super::problem::ListProblem;
use crate::{Record, SinkError};

/// Reads the records of a list in JSON Lines, and checks each line: its JSON, its fields, and that a list is sorted
/// and has no customer twice. Memory does not grow with the list.
///
/// ```
/// use std::path::Path;
///
/// use qopen_sink::ListReader;
///
/// let list = "{\"robot_id\":\"r1\",\"account_id\":\"a1\"}\n";
/// let mut reader = ListReader::new(list.as_bytes(), Path::new("customers.jsonl"));
/// while let Some(record) = reader.next_record()? {
///     assert_eq!(record.account().account_id.as_str(), "a1");
/// }
/// assert_eq!((reader.records(), reader.robots()), (1, 1));
/// # Ok::<(), qopen_sink::SinkError>(())
/// ```
pub struct ListReader<'a, R> {
    lines: Lines<'a, R>,
    /// The robot of the current part, with the beginning of its lines.
    part: Option<(RobotId, Vec<u8>)>,
    robots: HashSet<RobotId>,
    account: Option<Account>,
    id: String,
    before: String,
    json: String,
}

impl<'a, R: Read> ListReader<'a, R> {
    /// Reads a list. The path is for messages.
    pub fn new(list: R, path: &'a Path) -> Self {
        Self {
            lines: Lines::new(list, path, RECORD, 0),
            part: None,
            robots: HashSet::new(),
            account: None,
            id: String::new(),
            before: String::new(),
            json: String::new(),
        }
    }

    /// Returns the next record; `None` at the end.
    ///
    /// # Errors
    /// [`SinkError::Unreadable`], if the line is damaged, and [`SinkError::Io`].
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, SinkError> {
        match self.advance() {
            Err(SinkError::NotAList { path, problem }) => {
                return Err(SinkError::Unreadable { path, problem });
            }
            done => done?,
        }
        let robot = self.part.as_ref().map(|it| &it.0);
        Ok(robot.zip(self.account.as_ref()).map(|(robot, account)| Record::new(robot, account)))
    }

    /// Records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.lines.number()
    }

    /// Robots whose records were read.
    #[must_use]
    pub fn robots(&self) -> usize {
        self.robots.len()
    }

    fn advance(&mut self) -> Result<(), SinkError> {
        self.account = None;
        if !self.lines.advance()? {
            return Ok(());
        }
        let line = self.lines.number();
        if std::str::from_utf8(self.lines.line()).is_err() {
            return Err(self.lines.fails(ListProblem::NotText { line }));
        }
        let is_same = |it: &(RobotId, Vec<u8>)| self.lines.line().starts_with(&it.1);
        if !self.part.as_ref().is_some_and(is_same) {
            self.begin_part()?;
        }
        let not_a_record = ListProblem::NotARecord { line };
        let text = self.lines.line();
        let rest = self.part.as_ref().and_then(|it| text.strip_prefix(&*it.1));
        std::mem::swap(&mut self.id, &mut self.before);
        if !rest.is_some_and(|rest| read_id(rest, &mut self.id)) {
            return Err(self.lines.fails(not_a_record));
        }
        match self.id.cmp(&self.before) {
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => {
                return Err(self.lines.fails(ListProblem::Repeated { line }));
            }
            std::cmp::Ordering::Less => {
                return Err(self.lines.fails(ListProblem::Unsorted { line }));
            }
        }
        // The account without the robot.
        self.json.clear();
        self.json.push_str(ACCOUNT);
        self.json.push_str(&String::from_utf8_lossy(rest.unwrap_or_default()));
        let cut = text.len() + 1 - self.json.len();
        let account = serde_json::from_str::<Account>(&self.json).map_err(|error| {
            self.lines.fails(match error.is_data() {
                true => not_a_record,
                false => ListProblem::NotJson { line, column: (error.column() + cut) as u64 },
            })
        })?;
        let account = restored(account).ok_or_else(|| self.lines.fails(not_a_record))?;
        self.account = Some(account);
        Ok(())
    }

    /// Begins the part of another robot.
    fn begin_part(&mut self) -> Result<(), SinkError> {
        let (text, line) = (self.lines.line(), self.lines.number());
        let problem = match line {
            1 if text.first() != Some(&b'{') => ListProblem::NotJsonLines,
            line => ListProblem::NotARecord { line },
        };
        let robot = robot_of(text).ok_or_else(|| self.lines.fails(problem))?;
        if self.robots.len() == ROBOTS {
            return Err(self.lines.fails(ListProblem::TooManyRobots { line }));
        }
        if !self.robots.insert(robot.clone()) {
            return Err(self.lines.fails(ListProblem::RobotRepeated { line }));
        }
        self.id.clear();
        let prefix = prefix_of(&robot);
        self.part = Some((robot, prefix));
        Ok(())
    }
}

/// What an account begins with, before its id.
const ACCOUNT: &str = "{\"account_id\":\"";

/// The account that a record was written from: its unreadable fields are no unknown field, and its unknown field
/// `robot_id` has that name. `None` if they are not as a record writes them.
fn restored(mut account: Account) -> Option<Account> {
    if account.extra.get(ROBOT).is_some() {
        return None;
    }
    if account.extra.get(UNREAD).is_none() && account.extra.get(RENAMED).is_none() {
        return Some(account);
    }
    let mut extra = Extra::default();
    for (name, value) in account.extra.iter() {
        match name {
            UNREAD => {
                account.unread = serde_json::from_str::<UnreadFields>(value.as_str()).ok()?;
            }
            RENAMED => extra.insert(ROBOT, value.clone()),
            name => extra.insert(name, value.clone()),
        }
    }
    account.extra = extra;
    Some(account)
}

const UNREAD: &str = "_unread";
const ROBOT: &str = "robot_id";
const RENAMED: &str = "account_robot_id";

impl<R> std::fmt::Debug for ListReader<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListReader").field("robots", &self.robots.len()).finish_non_exhaustive()
    }
}
