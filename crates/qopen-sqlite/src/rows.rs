//! The rows of a new list and of its changes.

use qopen_sink::SinkError;
use qopen_sink::storage::{
    Before, ListComparison, NewList, Step, StepChange, account_of, without_nul,
};
use rusqlite::{Connection, ErrorCode, Statement, params};

use crate::error::{SqliteError, failed};
use crate::file::DatabaseFile;

/// The rows and tags of one robot's accounts.
pub(crate) struct Rows<'a> {
    database: &'a DatabaseFile,
    robot: &'a str,
    insert: Statement<'a>,
    /// Deletes a row that the comparison did not find.
    stray: Statement<'a>,
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
        let stray =
            format!("DELETE FROM {partial}robot_account WHERE robot_id = ?1 AND account_id = ?2");
        let delete = format!("DELETE FROM {partial}robot_account WHERE rowid = ?1");
        Ok(Self {
            database,
            robot,
            insert: prepare(&database.columns.insert(partial))?,
            stray: prepare(&stray)?,
            delete: prepare(&delete)?,
            tag: prepare(&tag)?,
            untag: prepare(&untag)?,
        })
    }

    /// Deletes and writes an account's row and tags.
    pub(crate) fn put(&mut self, step: &Step, record: Option<&str>) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        if step.is_deleted {
            if self.delete.execute(params![step.row]).map_err(fails)? != 1 {
                return Err(SqliteError::RowMissing.into());
            }
            self.untag.execute(params![self.robot, step.id]).map_err(fails)?;
        }
        match record.filter(|_| step.is_written) {
            Some(record) => self.write(record, step.row),
            None => Ok(()),
        }
    }

    /// Writes an account's row and tags. `row` is the number of the row that it replaces.
    pub(crate) fn write(&mut self, record: &str, row: Option<i64>) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        let Some(account) = account_of(record) else {
            return Err(SinkError::Encode("a record is not an account's".into()));
        };
        let robot = self.robot;
        let Self { database, insert, stray, tag, .. } = self;
        database.columns.bind(insert, robot, &account, record, row).map_err(fails)?;
        match insert.raw_execute() {
            // Another program added the row after the comparison. The statement does not replace it by itself:
            // SQLite would copy every page before each statement that may.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                let id = account.account_id.as_str();
                stray.execute(params![robot, id]).map_err(fails)?;
                insert.raw_execute().map_err(fails)?;
            }
            done => drop(done.map_err(fails)?),
        }
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
    list: &'a NewList,
    comparison: &'a ListComparison,
    put: Statement<'a>,
    put_with_row: Statement<'a>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(
        file: &'a Connection,
        database: &'a DatabaseFile,
        list: &'a NewList,
        comparison: &'a ListComparison,
    ) -> Result<Self, SinkError> {
        let prepare = |statement: &str| file.prepare(statement).map_err(failed(database.wait));
        let into = "INSERT INTO change
                 (robot_id, number, account_id, mark_id, revision, since_mark_id, since_revision,
                  change, fields, account, before)";
        let values = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10";
        // The record before is in the row that is about to be replaced, which fails if the row is missing. A statement
        // that may insert several rows would copy every page before.
        let with_row = format!(
            "{into} VALUES ({values}, (SELECT account FROM robot_account WHERE rowid = ?11))"
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
        found: &StepChange,
        after: Option<&str>,
    ) -> Result<(), SinkError> {
        let NewList { robot_id, mark, revision, .. } = self.list;
        let (since_mark, since_revision) = self.comparison.list_before();
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
        statement.execute(values).map(drop).map_err(failed(self.database.wait))
    }
}
