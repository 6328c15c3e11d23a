//! A list on its way: in a temporary file until its commit, which is one transaction.

use std::fmt;
use std::path::PathBuf;

use qopen_sink::storage::{TableNames, write_record_json};
use qopen_sink::{
    Committed, CompareOptions, Compared, ListBasis, ListInfo, ListKind, ListWriter, Moved,
    Predecessor, Quarantine, Record, SinkError,
};
use qopen_types::{AccountId, RobotId};
use rusqlite::{Connection, TransactionBehavior};

use crate::commit::Commit;
use crate::error::{SqliteError, failed};
use crate::file::DatabaseFile;
use crate::plan::{Gone, Pass};
use crate::published::{Comparison, Last, Published};
use crate::spool::{Records, Spool};
use crate::steps::{StepReader, Steps};

const TABLES: TableNames = TableNames { accounts: "robot_account", changes: "change" };

pub(crate) struct Writer {
    database: DatabaseFile,
    kind: ListKind,
    file: Connection,
    scratch: Option<PathBuf>,
    lists: Vec<Published>,
    /// Until the list is settled.
    spool: Option<Spool>,
    settled: Option<Records>,
    /// The record that is written.
    line: String,
    quarantine: Option<Quarantine>,
    moved: Option<Moved>,
    plan: Option<Plan>,
}

/// The steps of a commit, and what they lead from.
struct Plan {
    steps: StepReader,
    /// Each robot's last publication, and the comparison with it.
    from: Vec<(Option<i64>, Option<Comparison>)>,
}

impl Writer {
    pub(crate) fn begin(
        database: DatabaseFile,
        kind: ListKind,
        scratch: Option<PathBuf>,
    ) -> Result<Self, SinkError> {
        let (file, _) = database.open()?;
        let spool = Some(Spool::new(scratch.as_deref())?);
        Ok(Self {
            database,
            kind,
            file,
            scratch,
            lists: Vec::new(),
            spool,
            settled: None,
            line: String::new(),
            quarantine: None,
            moved: None,
            plan: None,
        })
    }

    fn push(&mut self, robot: &RobotId, id: &str) -> Result<(), SinkError> {
        let out_of_place = |when| SinkError::from(SqliteError::OutOfPlace { when });
        // Most often the last one.
        let list = self.lists.iter().rposition(|it| it.robot_id == *robot);
        let list = list.ok_or_else(|| out_of_place("before its list was begun"))?;
        let spool = self.spool.as_mut();
        let spool = spool.ok_or_else(|| out_of_place("after the list was settled"))?;
        spool.push(list, id, &self.line)
    }

    fn settled(&mut self) -> Result<&Records, SinkError> {
        if let Some(spool) = self.spool.take() {
            let records = spool.finish()?;
            for (n, list) in self.lists.iter_mut().enumerate() {
                list.accounts = records.count(n);
            }
            self.settled = Some(records);
        }
        self.settled.as_ref().ok_or_else(|| SqliteError::OutOfPlace { when: "too late" }.into())
    }

    /// Finds out what the new lists change. `None` if the file holds a later list.
    fn plan(
        &self,
        compare: Option<CompareOptions>,
        gone: Gone<'_>,
    ) -> Result<Option<Plan>, SinkError> {
        let fails = failed(self.database.wait);
        let Some(records) = &self.settled else { return Ok(None) };
        for list in &self.lists {
            if list.is_superseded(&self.file).map_err(fails)? {
                return Ok(None);
            }
        }
        let moved = || self.moved.iter().for_each(|moved| moved());
        let mut steps = Steps::new(self.scratch.as_deref())?;
        let mut from = Vec::new();
        let mut reader = records.read()?;
        let mut reader = reader.advance()?.then_some(reader);
        for (place, list) in self.lists.iter().enumerate() {
            let mut last = Last::of(&self.file, list).map_err(fails)?;
            let (number, is_revision) = last.place();
            let anew = compare.is_some_and(|it| it.new_baseline);
            // What cannot be compared is found before a customer is named.
            let (mut since, mut before) = (Predecessor::Baseline, 0);
            if compare.is_some() && !anew {
                let count = "SELECT count(*) FROM robot_account WHERE robot_id = ?1";
                let count = self.file.query_row(count, [list.robot_id.as_str()], |row| row.get(0));
                last.list.found = count.map_err(fails)?;
                let location = self.database.path.to_string_lossy();
                (since, before) =
                    last.list.predecessor(&list.mark, &list.robot_id, &location, TABLES)?;
            }
            let pass = Pass {
                file: &self.file,
                database: &self.database,
                robot_id: &list.robot_id,
                place,
                replaced: is_revision.then_some(number),
                is_compared: !matches!(since, Predecessor::Baseline),
                steps: &mut steps,
                moved: &moved,
            };
            let (counts, digest) = pass.run(&mut reader, gone)?;
            let comparison = compare.map(|_| Comparison {
                since,
                accounts_before: before,
                number,
                is_revision,
                counts,
                digest,
            });
            from.push((last.publication, comparison));
        }
        Ok(Some(Plan { steps: steps.finish()?, from }))
    }

    /// Publishes complete lists, within a transaction.
    fn replace(&self, plan: Option<Plan>) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        let Some(records) = &self.settled else { return Ok(()) };
        let plan = match plan {
            Some(plan) => {
                for (list, (publication, _)) in self.lists.iter().zip(&plan.from) {
                    if list.is_superseded(&self.file).map_err(fails)? {
                        return Err(SinkError::Superseded);
                    }
                    let last = Last::of(&self.file, list).map_err(fails)?;
                    if last.publication != *publication {
                        return Err(SinkError::Replaced { path: self.database.path.clone() });
                    }
                }
                plan
            }
            None => self.plan(None, &mut |_, _| Ok(()))?.ok_or(SinkError::Superseded)?,
        };
        let Plan { mut steps, from } = plan;
        let commit = self.commit_of(records);
        for (list, (_, comparison)) in self.lists.iter().zip(&from) {
            commit.replace(list, comparison.as_ref(), &mut steps)?;
        }
        Ok(())
    }

    /// Publishes partial lists, within a transaction.
    fn replace_partial(&self) -> Result<(), SinkError> {
        let Some(records) = &self.settled else { return Ok(()) };
        let mut reader = records.read()?;
        let mut reader = reader.advance()?.then_some(reader);
        let commit = self.commit_of(records);
        let mut lists = self.lists.iter().enumerate();
        lists.try_for_each(|(place, list)| commit.replace_partial(place, list, &mut reader))
    }

    fn commit_of<'a>(&'a self, records: &'a Records) -> Commit<'a> {
        let Self { file, database, moved, .. } = self;
        Commit { file, database, records, moved: moved.as_ref() }
    }
}

impl ListWriter for Writer {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let new = Published::of(list);
        match self.lists.iter_mut().find(|it| it.robot_id == new.robot_id) {
            Some(begun) => *begun = new,
            None => self.lists.push(new),
        }
        Ok(())
    }

    fn tell(&mut self, moved: Moved) {
        self.moved = Some(moved);
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let encode = |error: serde_json::Error| SinkError::Encode(error.into());
        self.line = serde_json::to_string(record).map_err(encode)?;
        self.push(record.robot_id(), record.account().account_id.as_str())
    }

    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let written = write_record_json(robot_id, account, &mut line);
        self.line = line;
        if written {
            let id = id_of(&self.line)?;
            self.push(robot_id, &id)?;
        }
        Ok(written)
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.quarantine = Some(quarantine);
        Ok(None)
    }

    fn set_basis(&mut self, robot_id: &RobotId, basis: ListBasis) -> Result<(), SinkError> {
        if let Some(list) = self.lists.iter_mut().find(|it| it.robot_id == *robot_id) {
            list.basis = Some(basis);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.settled().map(drop)
    }

    fn compare(
        &mut self,
        options: CompareOptions,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<Option<Vec<Compared>>, SinkError> {
        if self.kind != ListKind::Complete {
            return Ok(None);
        }
        self.settled()?;
        let fails = failed(self.database.wait);
        // One state of the file, whatever is published meanwhile. The lock of writers is not held until the commit:
        // the platform may be asked about many customers before.
        self.file.execute_batch("BEGIN").map_err(fails)?;
        let plan = self.plan(Some(options), gone);
        self.file.execute_batch("ROLLBACK").map_err(fails)?;
        let Some(plan) = plan? else { return Ok(None) };
        let compared = self.lists.iter().zip(&plan.from).filter_map(|(list, (_, comparison))| {
            let Comparison { since, accounts_before, counts, .. } = comparison.as_ref()?;
            let robot_id = list.robot_id.clone();
            Some(Compared::new(robot_id, since.clone(), *accounts_before, *counts))
        });
        let compared = compared.collect();
        self.plan = Some(plan);
        Ok(Some(compared))
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        self.settled()?;
        let fails = failed(self.database.wait);
        let (plan, quarantine) = (self.plan.take(), self.quarantine.take());
        let location = self.database.path.display().to_string();
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        self.file.set_transaction_behavior(TransactionBehavior::Immediate);
        let transaction = self.file.unchecked_transaction().map_err(fails)?;
        match self.kind {
            ListKind::Complete => self.replace(plan)?,
            _ => self.replace_partial()?,
        }
        // The quarantine is the complete list's, unless the partial one has its own.
        let counts = |it: &Quarantine| self.kind == ListKind::Complete || !it.is_empty();
        if let Some((quarantine, records)) = quarantine.filter(counts).zip(self.settled.as_ref()) {
            self.commit_of(records).set_aside(&self.lists, quarantine)?;
        }
        transaction.commit().map_err(fails)?;
        let set_aside = is_set_aside.then(|| format!("{location} (quarantine)"));
        Ok(Committed::new(location).set_aside(set_aside))
    }
}

/// Returns the account's id of a record.
fn id_of(record: &str) -> Result<String, SinkError> {
    #[derive(serde::Deserialize)]
    struct Id {
        account_id: String,
    }
    let id: Result<Id, _> = serde_json::from_str(record);
    id.map(|it| it.account_id).map_err(|error| SinkError::Encode(error.into()))
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.database.path).finish_non_exhaustive()
    }
}
