//! The rows of a new list and of its changes.

use mysql_async::{Conn, Value};
use qopen_sink::SinkError;
use qopen_sink::storage::{
    Before, ListComparison, NewList, Step, StepChange, account_of, without_nul,
};

use crate::batch::{Batch, Table};
use crate::columns::Columns;
use crate::error::MysqlError;
use crate::key::key_of;

/// Rows of one robot that wait for their statements.
pub(crate) struct Rows<'a> {
    columns: &'a Columns,
    list: &'a NewList,
    robot_key: String,
    /// Whether the robot has no rows yet.
    is_first: bool,
    /// Accounts whose rows are deleted.
    old: Batch,
    /// Accounts whose tags are deleted.
    untagged: Batch,
    accounts: Batch,
    tags: Batch,
    changes: Batch,
    deletions: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        columns: &'a Columns,
        partial: &str,
        list: &'a NewList,
        limit: usize,
    ) -> Self {
        let tags = format!(
            "{partial}tag (robot_key, robot_id, account_id, place, parent_tag_name, tag_name)"
        );
        let tags = Table::new(tags, "(?, ?, ?, ?, ?, ?)");
        let changes = Table::new(
            "`change` (robot_key, robot_id, number, account_id, mark_id, revision, since_mark_id, since_revision,
                 `change`, fields, `before`, account)",
            "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        );
        Self {
            columns,
            list,
            robot_key: key_of(list),
            is_first: false,
            old: Batch::deletion(&format!("{partial}robot_account"), limit),
            untagged: Batch::deletion(&format!("{partial}tag"), limit),
            accounts: Batch::new(&columns.table(partial), limit),
            tags: Batch::new(&tags, limit),
            changes: Batch::new(&changes, limit),
            deletions: 0,
        }
    }

    /// Sets whether the robot has no rows yet, so that no tags need to be deleted.
    pub(crate) fn first(mut self, is_first: bool) -> Self {
        self.is_first = is_first;
        self
    }

    /// Deletes and writes an account's row and tags.
    pub(crate) fn put(&mut self, step: &Step, record: Option<&str>) -> Result<(), SinkError> {
        let key = || vec![Value::from(step.id.as_str())];
        if step.is_deleted {
            self.old.push(key())?;
            self.deletions += 1;
        }
        if !self.is_first && (step.is_deleted || step.is_written) {
            self.untagged.push(key())?;
        }
        match record.filter(|_| step.is_written) {
            Some(record) => self.write(record),
            None => Ok(()),
        }
    }

    /// Writes an account's row and tags.
    pub(crate) fn write(&mut self, record: &str) -> Result<(), SinkError> {
        let Some(account) = account_of(record) else {
            return Err(SinkError::Encode("a record is not an account's".into()));
        };
        let (key, robot) = (self.robot_key.as_str(), self.list.robot_id.as_str());
        self.accounts.push(self.columns.row(key, robot, &account, record))?;
        for (place, it) in (0_i64..).zip(account.tag_info_list.iter()) {
            let (parent, name) = (without_nul(&it.parent_tag_name), without_nul(&it.tag_name));
            self.tags.push(vec![
                key.into(),
                robot.into(),
                account.account_id.as_str().into(),
                place.into(),
                parent.as_ref().into(),
                name.as_ref().into(),
            ])?;
        }
        Ok(())
    }

    /// Writes a change of an account.
    pub(crate) fn change(
        &mut self,
        comparison: &ListComparison,
        id: &str,
        found: &StepChange,
        after: Option<&str>,
    ) -> Result<(), SinkError> {
        let NewList { robot_id, mark, revision, .. } = self.list;
        let (since_mark, since_revision) = comparison.list_before();
        let before = match &found.before {
            Before::Text(text) => Some(text.as_str()),
            // Its rows have no numbers.
            Before::Absent | Before::InRow => None,
        };
        self.changes.push(vec![
            self.robot_key.as_str().into(),
            robot_id.as_str().into(),
            comparison.number.into(),
            id.into(),
            mark.into(),
            revision.into(),
            since_mark.into(),
            since_revision.into(),
            found.kind.as_str().into(),
            found.fields.as_str().into(),
            before.into(),
            after.into(),
        ])
    }

    pub(crate) async fn send_if_full(&mut self, connection: &mut Conn) -> Result<(), SinkError> {
        let batches = [&self.old, &self.untagged, &self.accounts, &self.tags, &self.changes];
        let is_full = batches.into_iter().any(Batch::is_full);
        match is_full {
            true => self.send(connection).await,
            false => Ok(()),
        }
    }

    /// Sends the waiting rows. Deletions come first.
    pub(crate) async fn send(&mut self, connection: &mut Conn) -> Result<(), SinkError> {
        let key = [Value::from(self.robot_key.as_str())];
        let deleted = self.old.send_after(connection, &key).await?;
        if deleted != std::mem::take(&mut self.deletions) {
            return Err(MysqlError::RowsAltered.into());
        }
        self.untagged.send_after(connection, &key).await?;
        for batch in [&mut self.accounts, &mut self.tags, &mut self.changes] {
            batch.send(connection).await?;
        }
        Ok(())
    }
}
