//! The steps of a commit, in one transaction: new lists take the place of the old ones.

use qopen_sink::storage::{
    KEPT_CHANGES, KEPT_LISTS, ListComparison, NewList, Progress, RecordReader, Records, StepReader,
    robot_of_line, without_nul,
};
use qopen_sink::{Moved, Predecessor, Quarantine, SinkError};
use rusqlite::{Connection, params};

use crate::error::failed;
use crate::file::DatabaseFile;
use crate::rows::{Changes, Rows};

/// The time of a publication. `unixepoch` and times of JavaScript read it, too.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";

/// The steps of one commit.
pub(crate) struct Commit<'a> {
    pub(crate) file: &'a Connection,
    pub(crate) database: &'a DatabaseFile,
    pub(crate) records: &'a Records,
    pub(crate) moved: Option<&'a Moved>,
}

impl Commit<'_> {
    fn run(&self, statement: &str, values: impl rusqlite::Params) -> Result<usize, SinkError> {
        let fails = failed(self.database.wait);
        self.file.prepare(statement).and_then(|mut it| it.execute(values)).map_err(fails)
    }

    /// Replaces one robot's complete list. Leaves equal rows untouched.
    pub(crate) fn replace(
        &self,
        list: &NewList,
        comparison: Option<&ListComparison>,
        steps: &mut StepReader<'_>,
    ) -> Result<(), SinkError> {
        let robot = list.robot_id.as_str();
        if let Some(it) = comparison.filter(|it| it.is_revision) {
            // The new changes begin with the same list, and replace these.
            self.run(
                "DELETE FROM change WHERE robot_id = ?1 AND number = ?2",
                params![robot, it.number],
            )?;
        }
        let mut rows = Rows::new(self.file, self.database, "", robot)?;
        let mut changes =
            comparison.map(|it| Changes::new(self.file, self.database, list, it)).transpose()?;
        let mut reader = self.records.read()?;
        let mut progress = Progress::new(self.moved);
        while let Some(step) = steps.next()? {
            let after = match step.record {
                Some(place) => Some(reader.go(place)?.text.as_str()),
                None => None,
            };
            if let Some((changes, found)) = changes.as_mut().zip(step.change.as_ref()) {
                changes.put(&step, found, after)?;
            }
            rows.put(&step, after)?;
            progress.count();
        }
        self.clear_partial(robot)?;
        self.run("DELETE FROM pull WHERE robot_id = ?1 AND NOT complete", [robot])?;
        self.note(list, true)?;
        if let Some(comparison) = comparison {
            self.note_history(list, comparison)?;
            let oldest = |kept: u32| comparison.number - i64::from(kept);
            let old = params![robot, oldest(KEPT_CHANGES)];
            self.run("DELETE FROM change WHERE robot_id = ?1 AND number <= ?2", old)?;
            let old = params![robot, oldest(KEPT_LISTS)];
            self.run("DELETE FROM list WHERE robot_id = ?1 AND number <= ?2", old)?;
        }
        Ok(())
    }

    /// Replaces one robot's partial list.
    pub(crate) fn replace_partial(
        &self,
        place: usize,
        list: &NewList,
        reader: &mut RecordReader<'_>,
    ) -> Result<(), SinkError> {
        let robot = list.robot_id.as_str();
        self.clear_partial(robot)?;
        let mut rows = Rows::new(self.file, self.database, "partial_", robot)?;
        let mut progress = Progress::new(self.moved);
        while let Some(record) = reader.current_of(place) {
            rows.write(&record.text, None)?;
            progress.count();
            reader.advance()?;
        }
        self.note(list, false)
    }

    fn clear_partial(&self, robot: &str) -> Result<(), SinkError> {
        self.run("DELETE FROM partial_robot_account WHERE robot_id = ?1", [robot])?;
        self.run("DELETE FROM partial_tag WHERE robot_id = ?1", [robot]).map(drop)
    }

    /// Notes a published list. A list without a number gets the next one; a revision of it keeps that.
    fn note(&self, list: &NewList, complete: bool) -> Result<(), SinkError> {
        let publication = next_number(self.file, self.database)?;
        let NewList { robot_id, mark, revision, order, accounts, basis, .. } = list;
        let pull = format!(
            "INSERT OR REPLACE INTO pull
                 (robot_id, complete, mark_id, revision, accounts, published_at, list_order, evidence, basis,
                  publication)
             VALUES (?1, ?2, ?3, ?4, ?5, {NOW}, coalesce(?6, (
                 SELECT list_order FROM pull WHERE robot_id = ?1 AND complete = ?2 AND mark_id = ?3
             ), ?7), ?8, ?9, ?7)"
        );
        let robot = robot_id.as_str();
        let evidence = basis.as_ref().and_then(|it| it.evidence.as_deref());
        let basis = basis.as_ref().map(|it| without_nul(&it.sentence));
        let values = params![
            robot,
            complete,
            mark,
            revision,
            accounts,
            order,
            publication,
            evidence,
            basis,
        ];
        self.run(&pull, values).map(drop)
    }

    /// Adds a list to the history, or replaces its earlier revision.
    fn note_history(&self, list: &NewList, comparison: &ListComparison) -> Result<(), SinkError> {
        let figure = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
        let (since_mark, since_revision) = comparison.list_before();
        let [added, gone, lost, removed, returned, changed] =
            comparison.counts.named().map(|(_, count)| figure(count));
        let add = "INSERT OR REPLACE INTO list
                 (robot_id, number, mark_id, revision, baseline, since_mark_id, since_revision,
                  accounts_before, accounts, added, gone, lost, removed, returned, changed,
                  published_at, list_order, evidence, basis, digest, digest_before)
             SELECT robot_id, ?2, mark_id, revision, ?3, ?4, ?5, ?6, accounts, ?7, ?8, ?9, ?10, ?11, ?12,
                 published_at, list_order, evidence, basis, ?13, (
                     SELECT past.digest FROM list AS past
                     WHERE past.robot_id = ?1 AND past.number = ?2 - 1 AND past.mark_id = ?4
                         AND past.revision = ?5
                 )
             FROM pull WHERE robot_id = ?1 AND complete";
        let values = params![
            list.robot_id.as_str(),
            comparison.number,
            matches!(comparison.since, Predecessor::Baseline),
            since_mark,
            since_revision,
            figure(comparison.accounts_before),
            added,
            gone,
            lost,
            removed,
            returned,
            changed,
            comparison.digest.to_string(),
        ];
        self.run(add, values).map(drop)
    }

    /// Replaces the robots' quarantine.
    pub(crate) fn set_aside(
        &self,
        lists: &[NewList],
        quarantine: Quarantine,
    ) -> Result<(), SinkError> {
        for list in lists {
            self.run("DELETE FROM quarantine WHERE robot_id = ?1", [list.robot_id.as_str()])?;
        }
        let fails = failed(self.database.wait);
        let add = "INSERT INTO quarantine (robot_id, place, entry) VALUES (?1, ?2, ?3)";
        let mut add = self.file.prepare(add).map_err(fails)?;
        for (place, line) in (1_i64..).zip(quarantine.into_lines()?) {
            let line = line?;
            add.execute(params![robot_of_line(&line)?, place, line]).map_err(fails)?;
        }
        Ok(())
    }
}

/// Takes the next number of the order of lists.
pub(crate) fn next_number(file: &Connection, database: &DatabaseFile) -> Result<i64, SinkError> {
    let next = "UPDATE list_order SET last = last + 1 RETURNING last";
    let taken = file.prepare(next).and_then(|mut it| it.query_row([], |row| row.get(0)));
    taken.map_err(failed(database.wait))
}
