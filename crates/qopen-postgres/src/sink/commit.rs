//! The steps of a commit: new lists take the place of the old ones.

use std::collections::BTreeMap;

use qopen_journal::Fencing;
use qopen_sink::storage::robot_of_line;
use qopen_sink::{ClaimedNote, ListKind, Moved, Quarantine, SinkError};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::blocking::{bounded, failed};
use super::columns::Columns;
use super::published::Published;
use super::statements::{
    AT_A_TIME, COMPLETE_HISTORY, NOTE_LIST, SOME, all_tags, count_tags, go, some_of_robots, tag,
    untag,
};
use crate::database::Parameter;
use crate::journal::transaction::note_under_claim;

/// Rows after which the server is told what a temporary table holds, so that it plans for them.
pub(super) const MANY: u64 = 10_000;

/// Lines of quarantine in one statement.
const LINES: usize = 256;

/// Rows in the temporary tables of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) accounts: i64,
    pub(super) tags: i64,
}

/// The steps of a commit. Each is bounded in time, and reports progress when it ends.
pub(super) struct Steps<'a> {
    pub(super) location: &'a str,
    pub(super) client: &'a Client,
    pub(super) columns: &'a Columns,
    pub(super) moved: Option<Moved>,
}

impl Steps<'_> {
    pub(super) async fn wait<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SinkError> {
        let done = bounded(step, work).await?.map_err(failed)?;
        self.moved.iter().for_each(|moved| moved());
        Ok(done)
    }

    pub(super) async fn run(
        &self,
        step: &'static str,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, SinkError> {
        self.wait(step, self.client.execute_typed(statement, parameters)).await
    }

    /// Replaces the robots' old lists by the new ones. Leaves equal rows, and the tags of their accounts, untouched.
    pub(super) async fn switch(
        &self,
        kind: ListKind,
        lists: &BTreeMap<String, Published>,
        sent: Sent,
    ) -> Result<(), SinkError> {
        let complete = kind == ListKind::Complete;
        let partial = if complete { "" } else { "partial_" };
        let robots: Vec<&str> = lists.keys().map(String::as_str).collect();
        self.lock(&robots).await?;
        for (robot, list) in lists.iter().filter(|_| complete) {
            // A concurrent publication may have been faster.
            let later = list.is_superseded(self.client, robot);
            if self.wait("looking for a later list", later).await? {
                return Err(SinkError::Superseded);
            }
        }
        let whose: [Parameter<'_>; 1] = [(&robots, Type::TEXT_ARRAY)];
        let differing = |which: &str| self.columns.differing(partial, which);
        let new = self.put("comparing accounts", ("new_account", sent.accounts), differing).await?;
        let going = [(&robots as _, Type::TEXT_ARRAY), (&sent.accounts as _, Type::INT8)];
        let gone = self.run("removing accounts", &go(partial), &going).await?;
        if new + gone > 0 {
            if new + gone > MANY {
                let analyze = self.client.batch_execute("ANALYZE new_row");
                self.wait("counting accounts", analyze).await?;
            }
            let come = |which: &str| self.columns.come(partial, which);
            self.put("putting accounts", ("new_account", sent.accounts), come).await?;
            // A few accounts are one step, whatever their numbers.
            let noted = match new + gone > 2 * AT_A_TIME.unsigned_abs() {
                true => sent.accounts.saturating_add_unsigned(gone),
                false => 0,
            };
            let untag = |which: &str| untag(partial, which);
            self.put("removing tags", ("new_row", noted), untag).await?;
            self.put("putting tags", ("new_tag", sent.tags), |which| tag(partial, which)).await?;
        }
        self.mend_tags(partial, &whose, sent.tags).await?;
        if complete {
            let old = "DELETE FROM qopen.pull WHERE robot_id = ANY ($1) AND NOT complete";
            if self.run("removing a partial list", old, &whose).await? > 0 {
                for old in ["partial_robot_account", "partial_tag"] {
                    self.clear("removing a partial list", &some_of_robots(old), &whose).await?;
                }
            }
        }
        for (robot, list) in lists {
            let Published { mark, revision, accounts, order, basis, .. } = list;
            // PostgreSQL's texts cannot have NUL.
            let sentence = basis.as_ref().map(|it| it.sentence.replace('\0', "\u{fffd}"));
            let evidence = basis.as_ref().and_then(|it| it.evidence.as_deref());
            let values: [Parameter<'_>; 8] = [
                (robot, Type::TEXT),
                (&complete, Type::BOOL),
                (mark, Type::TEXT),
                (revision, Type::INT8),
                (accounts, Type::INT8),
                (order, Type::INT8),
                (&evidence, Type::TEXT),
                (&sentence, Type::TEXT),
            ];
            self.run("noting a list", NOTE_LIST, &values).await?;
            if complete {
                self.run("noting a list", COMPLETE_HISTORY, &[(robot, Type::TEXT)]).await?;
            }
        }
        Ok(())
    }

    /// Replaces all tags of the robots if their number is wrong: a user deleted or added rows. Only accounts that differ
    /// get new tags otherwise.
    async fn mend_tags(
        &self,
        partial: &str,
        whose: &[Parameter<'_>],
        tags: i64,
    ) -> Result<(), SinkError> {
        let count = count_tags(partial);
        let count = self.client.query_typed_one(&count, whose);
        if self.wait("counting tags", count).await?.get::<_, i64>(0) == tags {
            return Ok(());
        }
        self.clear("removing tags", &some_of_robots(&format!("{partial}tag")), whose).await?;
        let all = |which: &str| all_tags(partial, which);
        self.put("putting tags", ("new_tag", tags), all).await.map(drop)
    }

    /// Locks robots against other publications until the transaction ends, also again.
    pub(super) async fn lock(&self, robots: &[&str]) -> Result<(), SinkError> {
        // Every publication locks robots in the same order, so that two of them do not deadlock.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('qopen ' || robot, 0))
             FROM (SELECT robot FROM unnest($1::text[]) AS robot ORDER BY robot) AS robots";
        let robots: [Parameter<'_>; 1] = [(&robots, Type::TEXT_ARRAY)];
        self.run("waiting for another publication", lock, &robots).await.map(drop)
    }

    /// Divides the rows of a temporary table, which are numbered from 1, into the conditions of several steps. All rows
    /// of a short table are one step, without a condition.
    pub(super) async fn slices(
        &self,
        step: &'static str,
        (table, rows): (&str, i64),
    ) -> Result<Vec<String>, SinkError> {
        if rows <= 2 * AT_A_TIME {
            return Ok(vec![String::new()]);
        }
        let index = format!("CREATE INDEX IF NOT EXISTS {table}_n ON {table} (n)");
        self.wait(step, self.client.batch_execute(&index)).await?;
        let starts = (0..rows).step_by(usize::try_from(AT_A_TIME).unwrap_or(usize::MAX));
        let slice = |from| format!("WHERE n > {from} AND n <= {}", from + AT_A_TIME);
        Ok(starts.map(slice).collect())
    }

    /// Runs a statement on the rows of a temporary table; on many rows in several steps. Returns how many rows it
    /// wrote.
    pub(super) async fn put(
        &self,
        step: &'static str,
        from: (&str, i64),
        statement: impl Fn(&str) -> String,
    ) -> Result<u64, SinkError> {
        let mut written = 0;
        for which in self.slices(step, from).await? {
            written += self.run(step, &statement(&which), &[]).await?;
        }
        Ok(written)
    }

    /// Repeats a statement that removes some rows, until it has removed all.
    pub(super) async fn clear(
        &self,
        step: &'static str,
        some: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<(), SinkError> {
        while self.run(step, some, parameters).await? >= SOME.unsigned_abs() {}
        Ok(())
    }

    /// Replaces the robots' quarantine.
    pub(super) async fn set_aside(
        &self,
        lists: &BTreeMap<String, Published>,
        quarantine: Quarantine,
    ) -> Result<(), SinkError> {
        let robots: Vec<&str> = lists.keys().map(String::as_str).collect();
        let clear = "DELETE FROM qopen.quarantine WHERE robot_id = ANY ($1)";
        let robots: [Parameter<'_>; 1] = [(&robots, Type::TEXT_ARRAY)];
        self.run("setting accounts aside", clear, &robots).await?;
        let mut lines = quarantine.into_lines()?;
        let mut place = 0_i64;
        loop {
            let (mut whose, mut entries) = (Vec::new(), Vec::new());
            for line in lines.by_ref().take(LINES) {
                let line = line?;
                whose.push(robot_of_line(&line)?);
                entries.push(line);
            }
            if whose.is_empty() {
                return Ok(());
            }
            let add = "INSERT INTO qopen.quarantine
                 SELECT robot_id, $3 + place, entry::json
                 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (robot_id, entry, place)
                 ON CONFLICT DO NOTHING";
            let values: [Parameter<'_>; 3] =
                [(&whose, Type::TEXT_ARRAY), (&entries, Type::TEXT_ARRAY), (&place, Type::INT8)];
            self.run("setting accounts aside", add, &values).await?;
            place += i64::try_from(whose.len()).unwrap_or(i64::MAX);
        }
    }

    /// Makes the journal's notes about the lists.
    pub(super) async fn note(&self, notes: &[ClaimedNote]) -> Result<(), SinkError> {
        for ClaimedNote { robot_id, mark_id, epoch, note, .. } in notes {
            let (robot, mark) = (robot_id.as_str(), mark_id.as_str());
            let noted = note_under_claim(self.client, robot, mark, *epoch, note);
            if self.wait("noting a publication", noted).await? != Fencing::Held {
                return Err(SinkError::Declined);
            }
        }
        Ok(())
    }
}
