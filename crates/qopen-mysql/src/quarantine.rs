//! Unreadable items on their way.

use std::path::Path;

use mysql_async::Conn;
use qopen_sink::storage::{NewList, Records, Spool, robot_of_line};
use qopen_sink::{Quarantine, SinkError};

use crate::batch::{Batch, Table};
use crate::commit::run;
use crate::key::{key_of, robot_key};

/// Unreadable items in a file. They are read again when a transaction is tried again.
pub(crate) struct SetAside(Records);

/// Keeps the items in a file.
pub(crate) fn keep(quarantine: Quarantine, scratch: Option<&Path>) -> Result<SetAside, SinkError> {
    let mut spool = Spool::new(scratch)?;
    for (place, line) in (1_u64..).zip(quarantine.into_lines()?) {
        let line = line?;
        robot_of_line(&line)?;
        spool.push(0, &format!("{place:016x}"), &line)?;
    }
    spool.finish().map(SetAside)
}

impl SetAside {
    /// Replaces the robots' quarantine.
    pub(crate) async fn put(
        &self,
        connection: &mut Conn,
        lists: &[NewList],
        limit: usize,
    ) -> Result<(), SinkError> {
        for list in lists {
            let old =
                "DELETE old FROM quarantine AS old FORCE INDEX (PRIMARY) WHERE old.robot_key = ?";
            run(connection, old, (key_of(list),)).await?;
        }
        let table = Table::new("quarantine (robot_key, robot_id, place, entry)", "(?, ?, ?, ?)");
        let mut batch = Batch::new(&table, limit);
        let mut reader = self.0.read()?;
        let mut place = 0_i64;
        while let Some(line) = reader.current() {
            place += 1;
            let robot = robot_of_line(&line.text)?;
            let key = robot_key(&robot);
            batch.push(vec![key.into(), robot.into(), place.into(), line.text.as_str().into()])?;
            if batch.is_full() {
                batch.send(connection).await?;
            }
            reader.advance()?;
        }
        batch.send(connection).await.map(drop)
    }
}
