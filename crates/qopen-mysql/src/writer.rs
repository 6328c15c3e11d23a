//! A list on its way: in temporary files, until it is committed.

use std::fmt;
use std::path::PathBuf;

use mysql_async::Conn;
use qopen_sink::storage::{TableNames, write_record_json};
use qopen_sink::{
    Committed, CompareOptions, Compared, ListBasis, ListInfo, ListKind, ListWriter, Moved,
    Predecessor, Quarantine, Record, SinkError,
};
use qopen_types::{AccountId, RobotId};

use crate::blocking::{a_runtime, bounded};
use crate::commit::{Commit, lock};
use crate::error::MysqlError;
use crate::place::Place;
use crate::plan::{Gone, Pass};
use crate::published::{Comparison, Last, Published};
use crate::quarantine::{SetAside, keep};
use crate::server::end;
use crate::spool::{Records, Spool};
use crate::steps::{StepFile, Steps};
use crate::transaction::{snapshot, transaction};

const TABLES: TableNames = TableNames { accounts: "robot_account", changes: "change" };

pub(crate) struct Writer {
    place: Place,
    kind: ListKind,
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
    steps: StepFile,
    /// How often each robot was published before, and the comparison with its last list.
    from: Vec<(i64, Option<Comparison>)>,
}

impl Writer {
    pub(crate) fn begin(
        place: Place,
        kind: ListKind,
        scratch: Option<PathBuf>,
    ) -> Result<Self, SinkError> {
        let spool = Some(Spool::new(scratch.as_deref())?);
        Ok(Self {
            place,
            kind,
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
        let out_of_place = |when| SinkError::from(MysqlError::OutOfPlace { when });
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
        self.settled.as_ref().ok_or_else(|| MysqlError::OutOfPlace { when: "too late" }.into())
    }

    /// Finds out what the new lists change. `None` if the database holds a later list.
    async fn plan(
        &self,
        connection: &mut Conn,
        compare: Option<CompareOptions>,
        gone: Gone<'_>,
    ) -> Result<Option<Plan>, SinkError> {
        const STEP: &str = "reading the last list";
        let Some(records) = &self.settled else { return Ok(None) };
        for list in &self.lists {
            if bounded(STEP, list.is_superseded(connection)).await? {
                return Ok(None);
            }
        }
        let moved = || self.moved.iter().for_each(|moved| moved());
        let mut steps = Steps::new(self.scratch.as_deref())?;
        let mut from = Vec::new();
        let mut reader = records.read()?;
        let mut reader = reader.advance()?.then_some(reader);
        for (place, list) in self.lists.iter().enumerate() {
            let mut last = bounded(STEP, Last::of(connection, list)).await?;
            let (number, is_revision) = last.place();
            let anew = compare.is_some_and(|it| it.new_baseline);
            // What cannot be compared is found before a customer is named.
            let (mut since, mut before) = (Predecessor::Baseline, 0);
            if compare.is_some() && !anew {
                last.list.found = bounded(STEP, list.count(connection)).await?;
                let location = self.place.server.name();
                (since, before) =
                    last.list.predecessor(&list.mark, &list.robot_id, location, TABLES)?;
            }
            let pass = Pass {
                connection,
                list,
                place,
                replaced: is_revision.then_some(number),
                is_compared: !matches!(since, Predecessor::Baseline),
                steps: &mut steps,
                moved: &moved,
            };
            let (counts, digest) = pass.run(&mut reader, gone).await?;
            let comparison = compare.map(|_| Comparison {
                since,
                accounts_before: before,
                number,
                is_revision,
                counts,
                digest,
            });
            from.push((last.publications, comparison));
        }
        Ok(Some(Plan { steps: steps.finish()?, from }))
    }

    /// Publishes the lists, within a transaction.
    async fn publish(
        &self,
        connection: &mut Conn,
        quarantine: Option<&SetAside>,
    ) -> Result<(), SinkError> {
        let Some(records) = &self.settled else { return Ok(()) };
        let (now, limit) = bounded("publishing a list", self.place.now(connection)).await?;
        let complete = self.kind == ListKind::Complete;
        // In one order, so that two publications of several robots do not wait for each other.
        let mut places: Vec<usize> = (0..self.lists.len()).collect();
        places.sort_by_key(|it| &self.lists[*it].robot_key);
        let mut publications = vec![0; places.len()];
        for place in places {
            publications[place] = lock(connection, &self.lists[place], complete).await?;
        }
        let columns = &self.place.columns;
        let moved = self.moved.as_ref();
        let mut commit = Commit { connection, columns, records, moved, now, limit };
        if complete {
            self.replace(&mut commit, &publications).await?;
        } else {
            let mut reader = records.read()?;
            let mut reader = reader.advance()?.then_some(reader);
            for (place, list) in self.lists.iter().enumerate() {
                commit.replace_partial(place, list, &mut reader).await?;
            }
        }
        match quarantine {
            Some(quarantine) => quarantine.put(commit.connection, &self.lists, limit).await,
            None => Ok(()),
        }
    }

    /// Publishes complete lists. Their robots are locked.
    async fn replace(
        &self,
        commit: &mut Commit<'_>,
        publications: &[i64],
    ) -> Result<(), SinkError> {
        for list in &self.lists {
            let later = list.is_superseded(commit.connection);
            if bounded("publishing a list", later).await? {
                return Err(SinkError::Superseded);
            }
        }
        let own;
        let plan = match &self.plan {
            Some(plan) => {
                let same = |(from, now): (&(i64, _), &i64)| from.0 == *now;
                if !plan.from.iter().zip(publications).all(same) {
                    return Err(SinkError::Replaced { path: self.place.server.name().into() });
                }
                plan
            }
            None => {
                let plan = self.plan(commit.connection, None, &mut |_, _| Ok(())).await?;
                own = plan.ok_or(SinkError::Superseded)?;
                &own
            }
        };
        let mut steps = plan.steps.read()?;
        for ((list, (_, comparison)), publications) in
            self.lists.iter().zip(&plan.from).zip(publications)
        {
            commit.replace(list, comparison.as_ref(), *publications, &mut steps).await?;
        }
        Ok(())
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
        let writer = &*self;
        // One state of the database, whatever is published meanwhile. No lock is held until the commit: the platform may
        // be asked about many customers before.
        let plan = a_runtime()?.block_on(async {
            let mut connection = writer.place.open().await?;
            let plan = snapshot(&mut connection, async |connection| {
                writer.plan(connection, Some(options), gone).await
            });
            let plan = plan.await;
            end(connection).await;
            plan
        });
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
        let location = self.place.server.name().to_owned();
        let quarantine = self.quarantine.take();
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        // The quarantine is the complete list's, unless the partial one has its own.
        let counts = |it: &Quarantine| self.kind == ListKind::Complete || !it.is_empty();
        let quarantine = quarantine.filter(counts);
        let quarantine = quarantine.map(|it| keep(it, self.scratch.as_deref())).transpose()?;
        a_runtime()?.block_on(async {
            let mut connection = self.place.open().await?;
            let done = transaction(&mut connection, async |connection| {
                self.publish(connection, quarantine.as_ref()).await
            });
            let done = done.await;
            end(connection).await;
            done
        })?;
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
        f.debug_struct("Writer")
            .field("location", &self.place.server.name())
            .finish_non_exhaustive()
    }
}
