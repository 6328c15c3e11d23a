//! The comparison of new lists with the last ones, in the transaction that replaces those.

mod statements;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::SinkExt as _;
use qopen_sink::storage::{LastList, ListHistory, TableNames, compare_records};
use qopen_sink::{Change, CompareOptions, Compared, Predecessor, SinkError};
use qopen_types::{AccountId, ChangeCounts, MarkId, RobotId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::commit::{MANY, Sent, Steps};
use super::published::Published;
use super::rows::{put_row, text_array};
use super::writer::CHUNK;
use crate::database::Parameter;
pub(super) use statements::try_all;

/// The step of most statements, for messages.
const COMPARING: &str = "comparing lists";

/// Rows that are read at once.
const ROWS: usize = 512;

const NAMES: TableNames = TableNames { accounts: "qopen.robot_account", changes: "qopen.change" };

/// A robot's new list, and the one that it is compared with.
struct Pair<'a> {
    robot_id: &'a RobotId,
    list: &'a Published,
    since: Predecessor,
    accounts_before: u64,
    number: i64,
    /// The number of the list that this one is a revision of.
    replaced: Option<i64>,
}

impl Pair<'_> {
    fn is_baseline(&self) -> bool {
        matches!(self.since, Predecessor::Baseline)
    }
}

impl Steps<'_> {
    /// Compares the new lists with those in the database, and adds changes and history. Locks the robots until
    /// the transaction ends. Returns `None` if the database holds a later list: the commit says so.
    pub(super) async fn compare(
        &self,
        lists: &[(&RobotId, &Published)],
        sent: Sent,
        options: CompareOptions,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<Option<Vec<Compared>>, SinkError> {
        let robots: Vec<&str> = lists.iter().map(|it| it.0.as_str()).collect();
        self.wait(COMPARING, self.client.batch_execute("SAVEPOINT before_comparison")).await?;
        self.lock(&robots).await?;
        for (robot, list) in lists {
            let later = list.is_superseded(self.client, robot.as_str());
            if self.wait("looking for a later list", later).await? {
                return Ok(None);
            }
        }
        let pairs = self.pairs(lists, options).await?;
        for (place, it) in (0..).zip(&pairs) {
            self.note_pair(place, it).await?;
        }
        let is_revision = pairs.iter().any(|it| it.replaced.is_some());
        let mut counts = BTreeMap::new();
        let mut changes = 0;
        if !pairs.iter().all(Pair::is_baseline) {
            for which in self.slices(COMPARING, ("new_account", sent.accounts)).await? {
                let differing = statements::differing(is_revision, &which);
                self.read_differing(&differing, &mut changes, &mut counts).await?;
            }
            let after: Parameter<'_> = (&changes, Type::INT8);
            let left = self.run(COMPARING, &statements::gone(is_revision), &[after]).await?;
            if left > 0 {
                self.name_gone(&mut counts, gone).await?;
            }
            changes = changes.saturating_add_unsigned(left);
        }
        self.stage(is_revision, changes).await?;
        let mut compared = Vec::new();
        for Pair { robot_id, list, since, accounts_before, .. } in pairs {
            let counts = counts.remove(robot_id.as_str()).unwrap_or_default();
            self.note_list(robot_id, accounts_before, list, &counts).await?;
            compared.push(Compared::new(robot_id.clone(), since, accounts_before, counts));
        }
        self.forget().await?;
        Ok(Some(compared))
    }

    /// Undoes the last comparison, and its locks with it.
    pub(super) async fn undo_comparison(&self) -> Result<(), SinkError> {
        let undo = self.client.batch_execute("ROLLBACK TO SAVEPOINT before_comparison");
        self.wait(COMPARING, undo).await
    }

    /// Finds the list before each new one.
    async fn pairs<'a>(
        &self,
        lists: &[(&'a RobotId, &'a Published)],
        options: CompareOptions,
    ) -> Result<Vec<Pair<'a>>, SinkError> {
        let robots: Vec<&str> = lists.iter().map(|it| it.0.as_str()).collect();
        let marks: Vec<&str> = lists.iter().map(|it| it.1.mark.as_str()).collect();
        let asked: [Parameter<'_>; 2] = [(&robots, Type::TEXT_ARRAY), (&marks, Type::TEXT_ARRAY)];
        let read = self.client.query_typed(statements::PREVIOUS, &asked);
        let rows = self.wait("looking for the last list", read).await?;
        let pair = |(row, (robot_id, list)): (&Row, &(&'a RobotId, &'a Published))| {
            let replaced: Option<i64> = row.get(4);
            let (since, accounts_before) = match options.new_baseline {
                true => (Predecessor::Baseline, 0),
                false => self.predecessor(row, robot_id, list)?,
            };
            let number = replaced.unwrap_or_else(|| row.get::<_, i64>(11) + 1);
            Ok(Pair { robot_id, list, since, accounts_before, number, replaced })
        };
        rows.iter().zip(lists).map(pair).collect()
    }

    /// The list before a new one, and its number of accounts.
    fn predecessor(
        &self,
        row: &Row,
        robot_id: &RobotId,
        list: &Published,
    ) -> Result<(Predecessor, u64), SinkError> {
        let history = row.get::<_, Option<bool>>(5).map(|baseline| ListHistory {
            baseline,
            since_mark_id: row.get(6),
            since_revision: row.get(7),
            accounts_before: row.get(8),
            changes: row.get(9),
            found: row.get(10),
        });
        let last = LastList {
            mark_id: row.get(0),
            revision: row.get(1),
            accounts: row.get(2),
            found: row.get(3),
            history,
        };
        last.predecessor(&list.mark, robot_id, self.location, NAMES)
    }

    async fn note_pair(&self, place: i64, pair: &Pair<'_>) -> Result<(), SinkError> {
        let Pair { robot_id, list: Published { mark, revision, .. }, number, replaced, .. } = pair;
        let (since_mark, since_revision) = match &pair.since {
            Predecessor::List { mark_id, revision } => {
                (mark_id.as_ref().map(MarkId::as_str), revision.map(i64::from))
            }
            _ => (None, None),
        };
        let (robot, baseline) = (robot_id.as_str(), pair.is_baseline());
        let values: [Parameter<'_>; 9] = [
            (&place, Type::INT8),
            (&robot, Type::TEXT),
            (number, Type::INT8),
            (mark, Type::TEXT),
            (revision, Type::INT8),
            (&baseline, Type::BOOL),
            (&since_mark, Type::TEXT),
            (&since_revision, Type::INT8),
            (replaced, Type::INT8),
        ];
        self.run(COMPARING, statements::NEW_LIST, &values).await.map(drop)
    }

    /// Reads accounts with both records, and adds their changes to the temporary table. Memory holds a few
    /// hundred rows.
    async fn read_differing(
        &self,
        differing: &str,
        changes: &mut i64,
        counts: &mut BTreeMap<String, ChangeCounts>,
    ) -> Result<(), SinkError> {
        let mut found = Vec::new();
        let cursor = format!("DECLARE differing NO SCROLL CURSOR FOR {differing}");
        self.wait(COMPARING, self.client.batch_execute(&cursor)).await?;
        let fetch = format!("FETCH {ROWS} FROM differing");
        loop {
            let rows = self.wait(COMPARING, self.client.query_typed(&fetch, &[])).await?;
            let is_last = rows.len() < ROWS;
            for row in &rows {
                let (robot, account): (&str, &str) = (row.get(0), row.get(1));
                let (change, fields) = match (row.get(2), row.get(3)) {
                    // A row that was edited may have anything for a record.
                    (Some(old), Some(new)) => {
                        compare_records(old, new).unwrap_or((Change::Changed, Vec::new()))
                    }
                    _ => (Change::Added, Vec::new()),
                };
                change.count(of_robot(counts, robot));
                let fields = text_array(&fields);
                *changes += 1;
                let number = changes.to_string();
                put_row(&mut found, &[number.as_str(), robot, account, change.as_str(), &fields]);
            }
            if found.len() >= CHUNK || is_last {
                self.copy_changes(&mut found).await?;
            }
            if is_last {
                break;
            }
        }
        self.wait(COMPARING, self.client.batch_execute("CLOSE differing")).await
    }

    async fn copy_changes(&self, found: &mut Vec<u8>) -> Result<(), SinkError> {
        if found.is_empty() {
            return Ok(());
        }
        let copy = self.client.copy_in(statements::COPY_CHANGES);
        let mut copy = Box::pin(self.wait(COMPARING, copy).await?);
        let rows = Bytes::from(std::mem::take(found));
        self.wait(COMPARING, copy.send(rows)).await?;
        self.wait(COMPARING, copy.as_mut().finish()).await.map(drop)
    }

    /// Calls `gone` for each account that is gone, in the order of the lists.
    async fn name_gone(
        &self,
        counts: &mut BTreeMap<String, ChangeCounts>,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        const STEP: &str = "reading who is gone";
        self.wait(STEP, self.client.batch_execute(statements::GONE)).await?;
        let fetch = format!("FETCH {ROWS} FROM gone");
        loop {
            let rows = self.wait(STEP, self.client.query_typed(&fetch, &[])).await?;
            for row in &rows {
                let (robot, account): (&str, &str) = (row.get(0), row.get(1));
                Change::Gone.count(of_robot(counts, robot));
                // A row with another id is no customer's.
                if let (Ok(robot), Ok(account)) = (robot.parse(), account.parse()) {
                    gone(&robot, &account)?;
                }
            }
            if rows.len() < ROWS {
                return self.wait(STEP, self.client.batch_execute("CLOSE gone")).await;
            }
        }
    }

    /// Adds the changes that were found to those in the database.
    async fn stage(&self, is_revision: bool, changes: i64) -> Result<(), SinkError> {
        const STEP: &str = "putting changes";
        if changes.unsigned_abs() > MANY {
            self.wait(STEP, self.client.batch_execute("ANALYZE new_change")).await?;
        }
        if is_revision {
            self.run(STEP, statements::UNSTAGE, &[]).await?;
        }
        match changes {
            0 => Ok(()),
            _ => self.put(STEP, ("new_change", changes), statements::stage).await.map(drop),
        }
    }

    /// Adds a list to the history.
    async fn note_list(
        &self,
        robot_id: &RobotId,
        before: u64,
        list: &Published,
        counts: &ChangeCounts,
    ) -> Result<(), SinkError> {
        let robot = robot_id.as_str();
        let figure = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
        let before = figure(before);
        let counts = counts.named().map(|(_, count)| figure(count));
        let [added, gone, lost, removed, returned, changed] = &counts;
        let digest = list.digest();
        let texts: [Parameter<'_>; 1] = [(&robot, Type::TEXT)];
        let figures = [&before, &list.accounts, added, gone, lost, removed, returned, changed];
        let figures = figures.map(|it| -> Parameter<'_> { (it, Type::INT8) });
        let values: Vec<Parameter<'_>> =
            texts.into_iter().chain(figures).chain([(&digest as _, Type::TEXT)]).collect();
        self.run("noting a list", statements::HISTORY, &values).await.map(drop)
    }

    /// Removes the changes of old lists.
    async fn forget(&self) -> Result<(), SinkError> {
        const STEP: &str = "removing old changes";
        self.clear(STEP, &statements::forget_changes(), &[]).await?;
        self.run(STEP, &statements::forget_lists(), &[]).await.map(drop)
    }
}

fn of_robot<'a>(
    counts: &'a mut BTreeMap<String, ChangeCounts>,
    robot: &str,
) -> &'a mut ChangeCounts {
    counts.entry(robot.to_owned()).or_default()
}
