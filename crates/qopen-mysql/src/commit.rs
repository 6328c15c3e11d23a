//! The steps of a commit, in one transaction: new lists take the place of the old ones.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Value};
use qopen_sink::storage::{
    KEPT_CHANGES, KEPT_LISTS, ListComparison, NewList, Progress, RecordReader, Records, StepReader,
    without_nul,
};
use qopen_sink::{Moved, Predecessor, SinkError};

use crate::blocking::bounded;
use crate::columns::Columns;
use crate::error::MysqlError;
use crate::key::key_of;
use crate::rows::Rows;

/// One commit.
pub(crate) struct Commit<'a> {
    pub(crate) connection: &'a mut Conn,
    pub(crate) columns: &'a Columns,
    pub(crate) records: &'a Records,
    pub(crate) moved: Option<&'a Moved>,
    /// The time of the publication, in UTC.
    pub(crate) now: String,
    /// The largest message that the server takes, in bytes.
    pub(crate) limit: usize,
}

/// Runs a statement of a publication. Returns the number of affected rows.
pub(crate) async fn run(
    connection: &mut Conn,
    statement: &str,
    values: impl Into<Params> + Send,
) -> Result<u64, SinkError> {
    bounded("publishing a list", connection.exec_drop(statement, values)).await?;
    Ok(connection.affected_rows())
}

/// Locks a robot's lists against other writers until the transaction ends, and counts a complete list. Returns how
/// often complete ones were published before.
pub(crate) async fn lock(
    connection: &mut Conn,
    list: &NewList,
    complete: bool,
) -> Result<i64, SinkError> {
    let (key, robot, more) = (&key_of(list), list.robot_id.as_str(), i64::from(complete));
    let count = "INSERT INTO robot_writer (robot_key, robot_id, publications) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE publications = publications + ?";
    run(connection, count, (key, robot, more, more)).await?;
    let read = "SELECT publications FROM robot_writer WHERE robot_key = ?";
    let read = connection.exec_first::<i64, _, _>(read, (key,));
    let count = bounded("publishing a list", read).await?;
    Ok(count.ok_or(MysqlError::RowsAltered)? - more)
}

/// Takes the next number of the order of lists.
pub(crate) async fn next_number(connection: &mut Conn) -> Result<i64, SinkError> {
    let next = "UPDATE list_order SET last = LAST_INSERT_ID(last + 1) WHERE id = 1";
    bounded("taking a number", connection.query_drop(next)).await?;
    let taken = connection.last_insert_id().and_then(|it| i64::try_from(it).ok());
    let taken = taken.filter(|_| connection.affected_rows() == 1);
    Ok(taken.ok_or(MysqlError::NoOrder)?)
}

impl Commit<'_> {
    /// Replaces one robot's complete list. Leaves equal rows untouched.
    pub(crate) async fn replace(
        &mut self,
        list: &NewList,
        comparison: Option<&ListComparison>,
        publications: i64,
        steps: &mut StepReader<'_>,
    ) -> Result<(), SinkError> {
        let key = &key_of(list);
        if let Some(it) = comparison.filter(|it| it.is_revision) {
            // The new changes begin with the same list, and replace these.
            let old = "DELETE old FROM `change` AS old FORCE INDEX (PRIMARY)
                 WHERE old.robot_key = ? AND old.number = ?";
            run(self.connection, old, (key, it.number)).await?;
        }
        let mut rows = Rows::new(self.columns, "", list, self.limit).first(publications == 0);
        let mut reader = self.records.read()?;
        let mut progress = Progress::new(self.moved);
        while let Some(step) = steps.next()? {
            let after = match step.record {
                Some(place) => Some(reader.go(place)?.text.as_str()),
                None => None,
            };
            if let Some((comparison, found)) = comparison.zip(step.change.as_ref()) {
                rows.change(comparison, &step.id, found, after)?;
            }
            rows.put(&step, after)?;
            rows.send_if_full(self.connection).await?;
            progress.count();
        }
        rows.send(self.connection).await?;
        self.clear_partial(list).await?;
        let partial = "DELETE FROM pull WHERE robot_key = ? AND complete = 0";
        run(self.connection, partial, (key,)).await?;
        let order = self.note(list, true).await?;
        if let Some(comparison) = comparison {
            self.note_history(list, comparison, order).await?;
            for (table, kept) in [("`change`", KEPT_CHANGES), ("list", KEPT_LISTS)] {
                let old = format!(
                    "DELETE old FROM {table} AS old FORCE INDEX (PRIMARY)
                     WHERE old.robot_key = ? AND old.number <= ?"
                );
                run(self.connection, &old, (key, comparison.number - i64::from(kept))).await?;
            }
        }
        Ok(())
    }

    /// Replaces one robot's partial list.
    pub(crate) async fn replace_partial(
        &mut self,
        place: usize,
        list: &NewList,
        reader: &mut RecordReader<'_>,
    ) -> Result<(), SinkError> {
        self.clear_partial(list).await?;
        let mut rows = Rows::new(self.columns, "partial_", list, self.limit).first(true);
        let mut progress = Progress::new(self.moved);
        while let Some(record) = reader.current_of(place) {
            rows.write(&record.text)?;
            rows.send_if_full(self.connection).await?;
            progress.count();
            reader.advance()?;
        }
        rows.send(self.connection).await?;
        self.note(list, false).await.map(drop)
    }

    async fn clear_partial(&mut self, list: &NewList) -> Result<(), SinkError> {
        for table in ["partial_robot_account", "partial_tag"] {
            let clear = format!(
                "DELETE old FROM {table} AS old FORCE INDEX (PRIMARY) WHERE old.robot_key = ?"
            );
            run(self.connection, &clear, (key_of(list),)).await?;
        }
        Ok(())
    }

    /// Notes a published list, and returns its number. A list without a number gets the next one; a revision of it
    /// keeps that.
    async fn note(&mut self, list: &NewList, complete: bool) -> Result<i64, SinkError> {
        let NewList { robot_id, mark, revision, order, accounts, basis, .. } = list;
        let robot_key = &key_of(list);
        let order = match order {
            Some(order) => *order,
            None => {
                let read = "SELECT list_order FROM pull WHERE robot_key = ? AND complete = ? AND mark_id = ?";
                let read = self.connection.exec_first(read, (robot_key, complete, mark));
                match bounded("publishing a list", read).await? {
                    Some(order) => order,
                    None => next_number(self.connection).await?,
                }
            }
        };
        let pull = "REPLACE INTO pull
                 (robot_key, robot_id, complete, mark_id, revision, accounts, published_at, list_order, evidence, basis)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let (evidence, sentence) = texts(basis.as_ref());
        let values: Vec<Value> = vec![
            robot_key.into(),
            robot_id.as_str().into(),
            complete.into(),
            mark.into(),
            revision.into(),
            accounts.into(),
            self.now.as_str().into(),
            order.into(),
            evidence,
            sentence,
        ];
        run(self.connection, pull, values).await?;
        Ok(order)
    }

    /// Adds a list to the history, or replaces its earlier revision.
    async fn note_history(
        &mut self,
        list: &NewList,
        comparison: &ListComparison,
        order: i64,
    ) -> Result<(), SinkError> {
        let figure = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
        let (since_mark, since_revision) = comparison.list_before();
        let before = "SELECT digest FROM list
             WHERE robot_key = ? AND number = ? AND mark_id = ? AND revision = ?";
        let robot_key = &key_of(list);
        let key = (robot_key, comparison.number - 1, since_mark, since_revision);
        let before = self.connection.exec_first::<Option<String>, _, _>(before, key);
        let before = bounded("publishing a list", before).await?.flatten();
        let add = "REPLACE INTO list
                 (robot_key, robot_id, number, mark_id, revision, baseline, since_mark_id, since_revision,
                  accounts_before, accounts, added, gone, lost, removed, returned, changed,
                  published_at, list_order, evidence, basis, digest, digest_before)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut values: Vec<Value> = vec![
            robot_key.into(),
            list.robot_id.as_str().into(),
            comparison.number.into(),
            (&list.mark).into(),
            list.revision.into(),
            matches!(comparison.since, Predecessor::Baseline).into(),
            since_mark.into(),
            since_revision.into(),
            figure(comparison.accounts_before).into(),
            list.accounts.into(),
        ];
        values.extend(comparison.counts.named().map(|(_, count)| Value::from(figure(count))));
        let (evidence, sentence) = texts(list.basis.as_ref());
        values.extend([self.now.as_str().into(), order.into(), evidence, sentence]);
        values.extend([comparison.digest.to_string().into(), before.into()]);
        run(self.connection, add, values).await.map(drop)
    }
}

/// The evidence and the sentence of a basis.
fn texts(basis: Option<&qopen_sink::ListBasis>) -> (Value, Value) {
    let evidence = basis.and_then(|it| it.evidence.as_deref());
    let sentence = basis.map(|it| without_nul(&it.sentence).into_owned());
    (evidence.into(), sentence.into())
}
