//! The rows of a new list and of its changes.

use qopen_sink::{Predecessor, SinkError};
use qopen_types::MarkId;
use rusqlite::{Connection, Statement, params};

use crate::columns::{account_of, without_nul};
use crate::error::{SqliteError, failed};
use crate::file::DatabaseFile;
use crate::published::{Comparison, Published};
use crate::steps::{Before, Found, Step};

/// The rows and tags of one robot's accounts.
pub(crate) struct Rows<'a> {
    database: &'a DatabaseFile,
    robot: &'a str,
    insert: Statement<'a>,
    delete: Statement<'a>,
    tag: Statement<'a>,
    untag: Statement<'a>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        file: &'a Connection,
        database: &'a DatabaseFile,
        partial: &str,
        robot: &'a str,
    ) -> Result<Self, SinkError> {
        let prepare = |statement: &str| file.prepare(statement).map_err(failed(database.wait));
        let tag = format!("INSERT INTO {partial}tag VALUES (?1, ?2, ?3, ?4, ?5)");
        let untag = format!("DELETE FROM {partial}tag WHERE robot_id = ?1 AND account_id = ?2");
        let delete = format!("DELETE FROM {partial}robot_account WHERE rowid = ?1");
        Ok(Self {
            database,
            robot,
            insert: prepare(&database.columns.insert(partial))?,
            delete: prepare(&delete)?,
            tag: prepare(&tag)?,
            untag: prepare(&untag)?,
        })
    }

    /// Writes an account's row and tags, or deletes them if it has no record.
    pub(crate) fn put(&mut self, step: &Step, record: Option<&str>) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        if step.row.is_some() {
            if self.delete.execute(params![step.row]).map_err(fails)? != 1 {
                return Err(SqliteError::RowMissing.into());
            }
            self.untag.execute(params![self.robot, step.id]).map_err(fails)?;
        }
        let Some(record) = record else { return Ok(()) };
        let Some(account) = account_of(record) else {
            return Err(SinkError::Encode("a record is not an account's".into()));
        };
        let robot = self.robot;
        let Self { database, insert, tag, .. } = self;
        database.columns.bind(insert, robot, &account, record, step.row).map_err(fails)?;
        insert.raw_execute().map_err(fails)?;
        for (place, it) in (0_i64..).zip(account.tag_info_list.iter()) {
            let (parent, name) = (without_nul(&it.parent_tag_name), without_nul(&it.tag_name));
            let values = params![robot, account.account_id.as_str(), place, parent, name];
            tag.execute(values).map_err(fails)?;
        }
        Ok(())
    }
}

/// The changes of one robot's list.
pub(crate) struct Changes<'a> {
    database: &'a DatabaseFile,
    list: &'a Published,
    comparison: &'a Comparison,
    put: Statement<'a>,
    put_with_row: Statement<'a>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(
        file: &'a Connection,
        database: &'a DatabaseFile,
        list: &'a Published,
        comparison: &'a Comparison,
    ) -> Result<Self, SinkError> {
        let prepare = |statement: &str| file.prepare(statement).map_err(failed(database.wait));
        let into = "INSERT INTO change
                 (robot_id, number, account_id, mark_id, revision, since_mark_id, since_revision,
                  change, fields, account, before)";
        let values = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10";
        // The record before is in the row that is about to be replaced.
        let with_row = format!(
            "{into} SELECT {values}, old.account FROM robot_account AS old WHERE rowid = ?11"
        );
        Ok(Self {
            database,
            list,
            comparison,
            put: prepare(&format!("{into} VALUES ({values}, ?11)"))?,
            put_with_row: prepare(&with_row)?,
        })
    }

    pub(crate) fn put(
        &mut self,
        step: &Step,
        found: &Found,
        after: Option<&str>,
    ) -> Result<(), SinkError> {
        let Published { robot_id, mark, revision, .. } = self.list;
        let (since_mark, since_revision) = since(&self.comparison.since);
        let (statement, before, row) = match &found.before {
            Before::InRow => (&mut self.put_with_row, None, step.row),
            Before::Text(text) => (&mut self.put, Some(text), None),
            Before::Absent => (&mut self.put, None, None),
        };
        let last: &dyn rusqlite::ToSql = match row {
            Some(_) => &row,
            None => &before,
        };
        let values = params![
            robot_id.as_str(),
            self.comparison.number,
            step.id,
            mark,
            revision,
            since_mark,
            since_revision,
            found.kind,
            found.fields,
            after,
            last,
        ];
        match statement.execute(values).map_err(failed(self.database.wait))? {
            1 => Ok(()),
            _ => Err(SqliteError::RowMissing.into()),
        }
    }
}

/// The mark and the revision of the list before.
pub(crate) fn since(since: &Predecessor) -> (Option<&str>, Option<u32>) {
    match since {
        Predecessor::List { mark_id, revision } => {
            (mark_id.as_ref().map(MarkId::as_str), *revision)
        }
        _ => (None, None),
    }
}
