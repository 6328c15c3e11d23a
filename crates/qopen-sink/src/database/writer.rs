//! A list on its way: in a temporary file until its commit, which is one transaction.

use std::fmt;
use std::path::PathBuf;

use qopen_types::{AccountId, RobotId};

use super::new_list::{NewList, NewLists};
use super::plan::{Gone, ListPlan};
use super::record_error::RecordError;
use super::spool::{Records, Spool};
use crate::line_form::json_encoder;
use crate::{
    Committed, CompareOptions, Compared, ListBasis, ListInfo, ListKind, ListWriter, Moved,
    Quarantine, Record, RecordEncoder, SinkError,
};

/// A database that publishes settled lists in one transaction. A [`TableWriter`] settles them.
pub trait ListTables: Send {
    /// Returns the location of the lists, for messages.
    fn location(&self) -> String;

    /// Plans the publication of complete lists, from one state of the database. `None` if the database holds a later
    /// list. `gone` gets each customer that only the last list has.
    ///
    /// # Errors
    /// [`SinkError`], as [`ListWriter::compare`].
    fn plan(
        &mut self,
        new: NewLists<'_>,
        options: CompareOptions,
        gone: Gone<'_>,
    ) -> Result<Option<ListPlan>, SinkError>;

    /// Publishes lists. Those of a plan lead from the planned state only. A quarantine replaces the one of the robots.
    ///
    /// # Errors
    /// [`SinkError`], as [`ListWriter::commit`].
    fn commit(
        &mut self,
        new: NewLists<'_>,
        plan: Option<ListPlan>,
        quarantine: Option<Quarantine>,
    ) -> Result<(), SinkError>;
}

/// Writes lists for a database: sorts their records in a temporary file, and publishes all at the end.
pub struct TableWriter<T> {
    tables: T,
    kind: ListKind,
    scratch: Option<PathBuf>,
    lists: Vec<NewList>,
    /// Until the list is settled.
    spool: Option<Spool>,
    settled: Option<Records>,
    quarantine: Option<Quarantine>,
    moved: Option<Moved>,
    plan: Option<ListPlan>,
}

impl<T: ListTables> TableWriter<T> {
    /// Begins lists. `scratch` is the folder for temporary files; `None` means the system's.
    ///
    /// # Errors
    /// [`SinkError::Io`], if a temporary file cannot be created.
    pub fn begin(tables: T, kind: ListKind, scratch: Option<PathBuf>) -> Result<Self, SinkError> {
        let spool = Some(Spool::new(scratch.as_deref())?);
        Ok(Self {
            tables,
            kind,
            scratch,
            lists: Vec::new(),
            spool,
            settled: None,
            quarantine: None,
            moved: None,
            plan: None,
        })
    }

    fn push(&mut self, robot: &RobotId, id: &str, record: &str) -> Result<(), SinkError> {
        let out_of_place = |when| SinkError::from(RecordError::OutOfPlace { when });
        // Most often the last one.
        let list = self.lists.iter().rposition(|it| it.robot_id == *robot);
        let list = list.ok_or_else(|| out_of_place("before its list was begun"))?;
        let spool = self.spool.as_mut();
        let spool = spool.ok_or_else(|| out_of_place("after the list was settled"))?;
        spool.push(list, id, record)
    }

    /// Settles the records, and returns the database with the lists.
    fn settled(&mut self) -> Result<(&mut T, NewLists<'_>), SinkError> {
        if let Some(spool) = self.spool.take() {
            let records = spool.finish()?;
            for (n, list) in self.lists.iter_mut().enumerate() {
                list.accounts = records.count(n);
            }
            self.settled = Some(records);
        }
        let Self { tables, kind, lists, moved, scratch, .. } = self;
        let records = self.settled.as_ref().ok_or(RecordError::OutOfPlace { when: "too late" })?;
        let (moved, scratch) = (moved.as_ref(), scratch.as_deref());
        Ok((tables, NewLists { kind: *kind, lists, records, moved, scratch }))
    }
}

impl<T: ListTables> ListWriter for TableWriter<T> {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let new = NewList::of(list);
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
        let line = serde_json::to_string(record).map_err(encode)?;
        self.push(record.robot_id(), record.account().account_id.as_str(), &line)
    }

    fn encoder(&self, robot_id: &RobotId) -> Option<RecordEncoder> {
        Some(json_encoder(robot_id))
    }

    fn write_encoded(&mut self, robot_id: &RobotId, record: &[u8]) -> Result<(), SinkError> {
        let record =
            std::str::from_utf8(record).map_err(|error| SinkError::Encode(error.into()))?;
        let id = id_of(record)?;
        self.push(robot_id, &id, record)
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
        let (tables, new) = self.settled()?;
        let Some(plan) = tables.plan(new, options, gone)? else { return Ok(None) };
        let compared = new.lists.iter().zip(plan.comparisons()).filter_map(|(list, comparison)| {
            let it = comparison?;
            let (robot_id, since) = (list.robot_id.clone(), it.since.clone());
            Some(Compared::new(robot_id, since, it.accounts_before, it.counts))
        });
        let compared = compared.collect();
        self.plan = Some(plan);
        Ok(Some(compared))
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        let (plan, quarantine) = (self.plan.take(), self.quarantine.take());
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        // The quarantine is the complete list's, unless the partial one has its own.
        let counts = |it: &Quarantine| self.kind == ListKind::Complete || !it.is_empty();
        let quarantine = quarantine.filter(counts);
        let (tables, new) = self.settled()?;
        tables.commit(new, plan, quarantine)?;
        let location = tables.location();
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

impl<T: ListTables> fmt::Debug for TableWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.tables.location();
        f.debug_struct("TableWriter").field("location", &location).finish_non_exhaustive()
    }
}
