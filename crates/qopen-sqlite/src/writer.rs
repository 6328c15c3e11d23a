//! The publication of lists in a file.

use qopen_sink::storage::{Gone, ListPlan, ListTables, NewLists};
use qopen_sink::{CompareOptions, ListKind, Quarantine, SinkError};

use crate::commit::Commit;
use crate::error::failed;
use crate::file::DatabaseFile;
use crate::opened::Opened;
use crate::plan::plan;
use crate::published::{is_superseded, last};
use crate::transaction::Publication;

/// The tables of a file, on a connection of their own.
pub(crate) struct Tables {
    database: DatabaseFile,
    file: Opened,
}

impl Tables {
    pub(crate) fn open(database: DatabaseFile) -> Result<Self, SinkError> {
        let (file, _) = database.open()?;
        Ok(Self { database, file })
    }

    /// Publishes complete lists, within a transaction.
    fn replace(&self, new: NewLists<'_>, planned: Option<ListPlan>) -> Result<(), SinkError> {
        let Self { database, file } = self;
        let fails = failed(database.wait);
        let plan = match planned {
            Some(plan) => {
                for (list, publication) in new.lists.iter().zip(plan.publications()) {
                    if is_superseded(list, file).map_err(fails)? {
                        return Err(SinkError::Superseded);
                    }
                    if last(file, list).map_err(fails)?.publication != publication {
                        return Err(SinkError::Replaced { path: database.path.clone() });
                    }
                }
                plan
            }
            None => {
                plan(file, database, new, None, &mut |_, _| Ok(()))?.ok_or(SinkError::Superseded)?
            }
        };
        let commit = self.commit_of(new);
        let mut steps = plan.steps()?;
        for (list, comparison) in new.lists.iter().zip(plan.comparisons()) {
            commit.replace(list, comparison, &mut steps)?;
        }
        Ok(())
    }

    /// Publishes partial lists, within a transaction.
    fn replace_partial(&self, new: NewLists<'_>) -> Result<(), SinkError> {
        let mut reader = new.records.read()?;
        let commit = self.commit_of(new);
        let mut lists = new.lists.iter().enumerate();
        lists.try_for_each(|(place, list)| commit.replace_partial(place, list, &mut reader))
    }

    fn commit_of<'a>(&'a self, new: NewLists<'a>) -> Commit<'a> {
        let Self { file, database } = self;
        Commit { file, database, records: new.records, moved: new.moved }
    }
}

impl ListTables for Tables {
    fn location(&self) -> String {
        self.database.path.display().to_string()
    }

    fn plan(
        &mut self,
        new: NewLists<'_>,
        options: CompareOptions,
        gone: Gone<'_>,
    ) -> Result<Option<ListPlan>, SinkError> {
        let fails = failed(self.database.wait);
        // One state of the file, whatever is published meanwhile. The lock of writers is not held until the commit:
        // the platform may be asked about many customers before.
        self.file.execute_batch("BEGIN").map_err(fails)?;
        let plan = plan(&self.file, &self.database, new, Some(options), gone);
        self.file.execute_batch("ROLLBACK").map_err(fails)?;
        plan
    }

    fn commit(
        &mut self,
        new: NewLists<'_>,
        plan: Option<ListPlan>,
        quarantine: Option<Quarantine>,
    ) -> Result<(), SinkError> {
        let records = match new.kind {
            ListKind::Complete => new.lists.iter().map(|it| it.accounts).sum(),
            _ => 0,
        };
        let publication = Publication::begin(&self.file, &self.database, records)?;
        match new.kind {
            ListKind::Complete => self.replace(new, plan)?,
            _ => self.replace_partial(new)?,
        }
        if let Some(quarantine) = quarantine {
            self.commit_of(new).set_aside(new.lists, quarantine)?;
        }
        publication.commit().map_err(failed(self.database.wait))
    }
}
