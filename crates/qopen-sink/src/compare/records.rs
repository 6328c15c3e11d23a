//! A list in JSON Lines or CSV, read record by record.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use qopen_types::{Account, Extra, RobotId, UnreadFields};

use super::csv_record::record_of;
use super::layout::Layout;
use super::lines::{Lines, RECORD};
use super::list::{List, ROBOTS};
use super::prefix::{prefix_of, read_id, robot_of};
use super::problem::ListProblem;
use crate::{Record, SinkError};

/// Reads the records of a list in JSON Lines or CSV, and checks each line: its JSON, its fields, and that a list is sorted
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
    /// Whether texts have marks, of a list in CSV.
    csv: Option<bool>,
    /// The record of the current row of CSV.
    record: Vec<u8>,
    records: u64,
    /// The robot of the current part, with the beginning of its lines.
    part: Option<(RobotId, Vec<u8>)>,
    robots: HashSet<RobotId>,
    account: Option<Account>,
    id: String,
    before: String,
    json: String,
}

impl<'a> ListReader<'a, File> {
    /// Reads a list in JSON Lines or CSV from a file, from its beginning. The path is for messages. Marks of CSV are
    /// recognized, and stripped; a list with labels is not read. CSV lacks what
    /// [`CSV_COLUMNS`](crate::CSV_COLUMNS) says that it lacks.
    ///
    /// # Errors
    /// [`SinkError::Unreadable`], if it is neither, and [`SinkError::Io`].
    pub fn open(mut file: File, path: &'a Path) -> Result<Self, SinkError> {
        let reading = || SinkError::io("reading", path);
        let unreadable = |problem| SinkError::Unreadable { path: path.to_owned(), problem };
        let layout = Layout::of(&file).map_err(reading())?;
        let Some(csv) = layout.map_err(unreadable)?.csv() else {
            file.rewind().map_err(reading())?;
            return Ok(Self::new(file, path));
        };
        if csv.labels.is_some() {
            return Err(unreadable(ListProblem::Labelled));
        }
        // All of its texts tell whether they have marks.
        let again = file.try_clone().map_err(reading())?;
        let list = List::new(again, path, None, &|| {}).map_err(unread)?;
        let is_safe = list.layout.csv().is_some_and(|it| it.safe);
        let head = list.layout.head().len() as u64;
        file.seek(SeekFrom::Start(head)).map_err(reading())?;
        let lines = Lines::new(file, path, RECORD, 1).rows();
        Ok(Self::with(lines, Some(is_safe)))
    }
}

impl<'a, R: Read> ListReader<'a, R> {
    /// Reads a list in JSON Lines. The path is for messages.
    pub fn new(list: R, path: &'a Path) -> Self {
        Self::with(Lines::new(list, path, RECORD, 0), None)
    }

    fn with(lines: Lines<'a, R>, csv: Option<bool>) -> Self {
        Self {
            lines,
            csv,
            record: Vec::new(),
            records: 0,
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
        self.advance().map_err(unread)?;
        let robot = self.part.as_ref().map(|it| &it.0);
        Ok(robot.zip(self.account.as_ref()).map(|(robot, account)| Record::new(robot, account)))
    }

    /// Records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
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
        if let Some(is_safe) = self.csv {
            let record = record_of(self.lines.line(), is_safe);
            let record =
                record.ok_or_else(|| self.lines.fails(ListProblem::NotARecord { line }))?;
            self.record = record.into_bytes();
        }
        self.records += 1;
        let is_same = |it: &(RobotId, Vec<u8>)| self.text().starts_with(&it.1);
        if !self.part.as_ref().is_some_and(is_same) {
            self.begin_part()?;
        }
        let not_a_record = ListProblem::NotARecord { line };
        let text = match self.csv {
            Some(_) => &self.record,
            None => self.lines.line(),
        };
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

    /// The current record's JSON.
    fn text(&self) -> &[u8] {
        match self.csv {
            Some(_) => &self.record,
            None => self.lines.line(),
        }
    }

    /// Begins the part of another robot.
    fn begin_part(&mut self) -> Result<(), SinkError> {
        let (text, line) = (self.text(), self.lines.number());
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

/// The error of a list that cannot be read.
fn unread(error: SinkError) -> SinkError {
    match error {
        SinkError::NotAList { path, problem } => SinkError::Unreadable { path, problem },
        error => error,
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
