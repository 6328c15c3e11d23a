//! What new lists change: found in one pass over sorted rows and sorted records, in constant memory.

use qopen_types::{AccountId, ChangeCounts, Digest, RobotId};

use super::last_list::TableNames;
use super::new_list::{LastPublished, ListComparison, NewList, NewLists};
use super::spool::RecordReader;
use super::steps::{Before, Step, StepChange, StepFile, StepReader, Steps};
use crate::compare::{Digester, compare_records};
use crate::{Change, CompareOptions, Moved, Predecessor, SinkError};

/// The function that gets each customer who is gone.
pub type Gone<'a> = &'a mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>;

/// Accounts after which progress is reported.
const EVERY: u64 = 1_024;

/// Counts accounts, and reports progress.
#[derive(Default)]
pub struct Progress<'a> {
    passed: u64,
    moved: Option<&'a Moved>,
}

impl<'a> Progress<'a> {
    /// Reports progress to this callback.
    #[must_use]
    pub fn new(moved: Option<&'a Moved>) -> Self {
        Self { passed: 0, moved }
    }

    /// Counts an account. Every 1,024th is reported.
    pub fn count(&mut self) {
        self.passed += 1;
        if self.passed.is_multiple_of(EVERY) {
            self.moved.iter().for_each(|moved| moved());
        }
    }
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("passed", &self.passed).finish_non_exhaustive()
    }
}

/// The steps of a commit, and the publications that they lead from.
#[derive(Debug)]
pub struct ListPlan {
    steps: StepFile,
    from: Vec<Planned>,
}

/// What is planned for one robot.
#[derive(Debug)]
struct Planned {
    publication: Option<i64>,
    comparison: Option<ListComparison>,
}

impl ListPlan {
    /// Reads the steps of all lists.
    ///
    /// # Errors
    /// [`SinkError::Io`], if their file cannot be read.
    pub fn steps(&self) -> Result<StepReader<'_>, SinkError> {
        self.steps.read()
    }

    /// Returns the comparison of each list, in their order; `None` where no changes are published.
    pub fn comparisons(&self) -> impl Iterator<Item = Option<&ListComparison>> {
        self.from.iter().map(|it| it.comparison.as_ref())
    }

    /// Returns the publication of each robot from which the steps lead, as [`LastPublished::publication`] had it.
    pub fn publications(&self) -> impl Iterator<Item = Option<i64>> {
        self.from.iter().map(|it| it.publication)
    }
}

/// Makes a plan, one list after the other.
#[derive(Debug)]
pub struct Planner<'a> {
    new: NewLists<'a>,
    compare: Option<CompareOptions>,
    reader: RecordReader<'a>,
    steps: Steps,
    from: Vec<Planned>,
}

impl<'a> Planner<'a> {
    /// Begins a plan for these lists. Without options, no changes are published.
    ///
    /// # Errors
    /// [`SinkError::Io`], if a temporary file cannot be made or read.
    pub fn new(new: NewLists<'a>, compare: Option<CompareOptions>) -> Result<Self, SinkError> {
        let (reader, steps) = (new.records.read()?, Steps::new(new.scratch)?);
        Ok(Self { new, compare, reader, steps, from: Vec::new() })
    }

    /// Whether [`LastList::found`](super::LastList::found) is needed.
    #[must_use]
    pub fn is_compared(&self) -> bool {
        self.compare.is_some_and(|it| !it.new_baseline)
    }

    /// Begins the next list. `location` and `tables` are for messages.
    ///
    /// # Errors
    /// [`SinkError::PreviousRows`], if the last list cannot be compared with.
    pub fn begin(
        &mut self,
        last: &LastPublished,
        location: &str,
        tables: TableNames,
    ) -> Result<ListPass<'_, 'a>, SinkError> {
        let place = self.from.len();
        let list = &self.new.lists[place];
        let (since, accounts_before) = match self.is_compared() {
            true => last.list.predecessor(&list.mark, &list.robot_id, location, tables)?,
            false => (Predecessor::Baseline, 0),
        };
        let (number, is_revision) = last.place();
        Ok(ListPass {
            list,
            place,
            publication: last.publication,
            since,
            accounts_before,
            number,
            is_revision,
            counts: ChangeCounts::default(),
            digester: Digester::default(),
            progress: Progress::new(self.new.moved),
            planner: self,
        })
    }

    /// Returns the plan, once each list was passed.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file of steps cannot be written.
    pub fn finish(self) -> Result<ListPlan, SinkError> {
        Ok(ListPlan { steps: self.steps.finish()?, from: self.from })
    }
}

/// A row of an account in a table.
#[derive(Clone, Copy)]
pub struct OldRow<'a> {
    /// The account's id.
    pub id: &'a str,
    /// Its record.
    pub record: Option<&'a str>,
    /// The number of the row, if the commit finds it by that.
    pub row: Option<i64>,
}

impl std::fmt::Debug for OldRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldRow").field("row", &self.row).finish_non_exhaustive()
    }
}

/// The tables that had a row of the account that was passed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Passed {
    /// Whether the table of accounts had one.
    pub old: bool,
    /// Whether the table of changes had one.
    pub past: bool,
}

/// A pass over one robot's list: rows of accounts, changes of the list that the new one is a revision of, and new
/// records, each in the order of their ids.
#[derive(Debug)]
pub struct ListPass<'p, 'a> {
    planner: &'p mut Planner<'a>,
    list: &'a NewList,
    /// The place of the list among the new ones.
    place: usize,
    publication: Option<i64>,
    since: Predecessor,
    accounts_before: u64,
    number: i64,
    is_revision: bool,
    counts: ChangeCounts,
    digester: Digester,
    progress: Progress<'a>,
}

impl ListPass<'_, '_> {
    /// Whether the new list is compared with one before.
    fn has_predecessor(&self) -> bool {
        !matches!(self.since, Predecessor::Baseline)
    }

    /// Returns the number of the list whose changes are passed: the one that the new list is a revision of. No list has
    /// the number 0.
    #[must_use]
    pub fn past(&self) -> i64 {
        match self.is_revision && self.has_predecessor() {
            true => self.number,
            false => 0,
        }
    }

    /// Passes the account with the least id among the current row of accounts, the current row of changes with the
    /// record before, and the current new record. Returns which rows were passed: the caller moves on from these.
    /// `None` at the end.
    ///
    /// # Errors
    /// [`SinkError::Io`], if a temporary file cannot be read or written, and the error of `gone`.
    pub fn next(
        &mut self,
        old: Option<OldRow<'_>>,
        past: Option<OldRow<'_>>,
        gone: Gone<'_>,
    ) -> Result<Option<Passed>, SinkError> {
        let is_compared = self.has_predecessor();
        let Planner { reader, steps, .. } = &mut *self.planner;
        let new = reader.current_of(self.place);
        let ids = [old.map(|it| it.id), past.map(|it| it.id), new.map(|it| it.id.as_str())];
        let Some(id) = ids.into_iter().flatten().min() else { return Ok(None) };
        let [is_old, is_past, is_new] = ids.map(|it| it == Some(id));
        let (old, past, new) =
            (old.filter(|_| is_old), past.filter(|_| is_past), new.filter(|_| is_new));
        let present = old.and_then(|it| it.record);
        let before = past.map_or(present, |it| it.record);
        let after = new.map(|it| it.text.as_str());
        if let Some(after) = after {
            self.digester.add(after.as_bytes());
        }
        let change = match is_compared {
            true => difference(before, after),
            false => None,
        };
        if let Some((kind, _)) = &change {
            kind.count(&mut self.counts);
        }
        let is_gone = matches!(change, Some((Change::Gone, _)));
        let differs = present != after;
        if differs || change.is_some() {
            let row = old.and_then(|it| it.row);
            steps.push(&Step {
                id: id.to_owned(),
                row,
                record: new.map(|it| it.place),
                is_deleted: differs && is_old,
                is_written: differs && is_new,
                change: change.map(|(kind, fields)| StepChange {
                    kind: kind.as_str().to_owned(),
                    // Texts always encode.
                    fields: serde_json::to_string(&fields).unwrap_or_default(),
                    before: match before {
                        None => Before::Absent,
                        Some(_) if row.is_some() && !is_past => Before::InRow,
                        Some(text) => Before::Text(text.to_owned()),
                    },
                }),
            })?;
        }
        // A row with another id is no customer's.
        if is_gone && let Ok(id) = id.parse() {
            gone(&self.list.robot_id, &id)?;
        }
        self.progress.count();
        if is_new {
            reader.advance()?;
        }
        Ok(Some(Passed { old: is_old, past: is_past }))
    }

    /// Ends the list, once [`next`](Self::next) has returned `None`.
    ///
    /// # Errors
    /// [`SinkError::Io`], if the file of steps cannot be written.
    pub fn end(self) -> Result<(), SinkError> {
        let Self { planner, since, accounts_before, number, is_revision, counts, .. } = self;
        planner.steps.end()?;
        let digest: Digest = self.digester.finish().digest;
        let comparison =
            ListComparison { since, accounts_before, number, is_revision, counts, digest };
        let comparison = planner.compare.map(|_| comparison);
        planner.from.push(Planned { publication: self.publication, comparison });
        Ok(())
    }
}

/// The change from one record to another; `None` if they are equal.
fn difference(before: Option<&str>, after: Option<&str>) -> Option<(Change, Vec<String>)> {
    match (before, after) {
        _ if before == after => None,
        // A row that was edited may have anything for a record.
        (Some(old), Some(new)) => {
            Some(compare_records(old, new).unwrap_or((Change::Changed, Vec::new())))
        }
        (None, _) => Some((Change::Added, Vec::new())),
        (_, None) => Some((Change::Gone, Vec::new())),
    }
}
