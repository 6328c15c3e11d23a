//! The publication of lists in a database.

use mysql_async::Conn;
use qopen_sink::storage::{Gone, ListPlan, ListTables, NewLists};
use qopen_sink::{CompareOptions, ListKind, Quarantine, SinkError};

use crate::blocking::{a_runtime, bounded};
use crate::commit::{Commit, lock};
use crate::key::key_of;
use crate::place::Place;
use crate::plan::plan;
use crate::published::is_superseded;
use crate::quarantine::{SetAside, keep};
use crate::server::end;
use crate::transaction::{snapshot, transaction};

/// The tables of a database.
pub(crate) struct Tables(pub(crate) Place);

impl Tables {
    /// Publishes the lists, within a transaction.
    async fn publish(
        &self,
        connection: &mut Conn,
        new: NewLists<'_>,
        plan: Option<&ListPlan>,
        quarantine: Option<&SetAside>,
    ) -> Result<(), SinkError> {
        let Self(place) = self;
        let (now, limit) = bounded("publishing a list", place.now(connection)).await?;
        let complete = new.kind == ListKind::Complete;
        // In one order, so that two publications of several robots do not wait for each other.
        let mut places: Vec<usize> = (0..new.lists.len()).collect();
        places.sort_by_cached_key(|it| key_of(&new.lists[*it]));
        let mut publications = vec![0; places.len()];
        for place in places {
            publications[place] = lock(connection, &new.lists[place], complete).await?;
        }
        let (columns, records, moved) = (&place.columns, new.records, new.moved);
        let mut commit = Commit { connection, columns, records, moved, now, limit };
        if complete {
            self.replace(&mut commit, new, plan, &publications).await?;
        } else {
            let mut reader = new.records.read()?;
            for (place, list) in new.lists.iter().enumerate() {
                commit.replace_partial(place, list, &mut reader).await?;
            }
        }
        match quarantine {
            Some(quarantine) => quarantine.put(commit.connection, new.lists, limit).await,
            None => Ok(()),
        }
    }

    /// Publishes complete lists. Their robots are locked.
    async fn replace(
        &self,
        commit: &mut Commit<'_>,
        new: NewLists<'_>,
        planned: Option<&ListPlan>,
        publications: &[i64],
    ) -> Result<(), SinkError> {
        let Self(place) = self;
        for list in new.lists {
            let later = is_superseded(list, commit.connection);
            if bounded("publishing a list", later).await? {
                return Err(SinkError::Superseded);
            }
        }
        let own;
        let plan = match planned {
            Some(plan) => {
                let now = publications.iter().copied().map(Some);
                if !plan.publications().eq(now) {
                    return Err(SinkError::Replaced { path: place.server.name().into() });
                }
                plan
            }
            None => {
                let plan = plan(commit.connection, place, new, None, &mut |_, _| Ok(())).await?;
                own = plan.ok_or(SinkError::Superseded)?;
                &own
            }
        };
        let mut steps = plan.steps()?;
        for ((list, comparison), publications) in
            new.lists.iter().zip(plan.comparisons()).zip(publications)
        {
            commit.replace(list, comparison, *publications, &mut steps).await?;
        }
        Ok(())
    }
}

impl ListTables for Tables {
    fn location(&self) -> String {
        self.0.server.name().to_owned()
    }

    fn plan(
        &mut self,
        new: NewLists<'_>,
        options: CompareOptions,
        gone: Gone<'_>,
    ) -> Result<Option<ListPlan>, SinkError> {
        let Self(place) = &*self;
        // One state of the database, whatever is published meanwhile. No lock is held until the commit: the platform may
        // be asked about many customers before.
        a_runtime()?.block_on(async {
            let mut connection = place.open().await?;
            let plan = snapshot(&mut connection, async |connection| {
                plan(connection, place, new, Some(options), gone).await
            });
            let plan = plan.await;
            end(connection).await;
            plan
        })
    }

    fn commit(
        &mut self,
        new: NewLists<'_>,
        plan: Option<ListPlan>,
        quarantine: Option<Quarantine>,
    ) -> Result<(), SinkError> {
        let quarantine = quarantine.map(|it| keep(it, new.scratch)).transpose()?;
        a_runtime()?.block_on(async {
            let mut connection = self.0.open().await?;
            let done = transaction(&mut connection, async |connection| {
                self.publish(connection, new, plan.as_ref(), quarantine.as_ref()).await
            });
            let done = done.await;
            end(connection).await;
            done
        })
    }
}
