//! The changes of published lists, read in one snapshot.

mod steps;

use std::fmt;
use std::time::Duration;

use qopen_sink::SinkError;
use qopen_sink::storage::{KeptList, ListsSince, lists_since, write_change};
use qopen_types::{MarkId, RobotId};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::blocking::failed;
use super::sessions::connect;
use crate::database::Database;
pub use qopen_sink::storage::NotKept;
use steps::{history, kept_list};

/// Time limit of one statement. The server has the same.
const STEP: Duration = Duration::from_secs(30);

/// Begins to read. Readers block no publication, and a publication blocks no reader. A reader that stops in the
/// middle must not keep old rows from being removed.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL statement_timeout = '30s';
    SET LOCAL lock_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// Rows that are read at once.
const ROWS: i64 = 64;

const CHANGES: &str = "
    SELECT account_id, before::text, account::text FROM qopen.change
    WHERE robot_id = $1 AND number = $2 AND account_id > $3 ORDER BY account_id LIMIT $4";

/// Bytes that are returned at once, unless rows are longer: 64 KiB.
const PIECE: usize = 1 << 16;

/// What a database has of the changes since a list.
pub type FoundChanges = qopen_sink::storage::FoundChanges<Box<ChangeLines>>;

/// The changes of one or more lists of a robot, from a snapshot. Dropping them ends the snapshot.
///
/// The lines are those of a file of changes: for each list a header, then a line for each account that changed. A
/// digest is absent if an earlier version published the list.
pub struct ChangeLines {
    client: Client,
    robot_id: RobotId,
    /// Lists that are not read yet, the next one last.
    left: Vec<KeptList>,
    current: Option<Current>,
    /// Reads changes of a list.
    read: Statement,
}

/// The list whose changes are read.
struct Current {
    number: i64,
    /// Changes that are not read yet.
    left: u64,
    /// The last account that was read; empty at first.
    account: String,
}

/// Finds the changes of the lists after the one of `since`, or of the last list.
pub(super) async fn find(
    database: &Database,
    robot_id: &RobotId,
    since: Option<(&MarkId, Option<u32>)>,
) -> Result<FoundChanges, SinkError> {
    let client = connect(database).await?;
    let robot = robot_id.as_str();
    let read = async {
        client.batch_execute(BEGIN).await?;
        client.query(&history(), &[&robot]).await
    };
    let history: Vec<_> = wait(read).await?.iter().map(kept_list).collect();
    Ok(match lists_since(&history, since) {
        ListsSince::Unknown => FoundChanges::Unknown,
        ListsSince::NotKept(why) => FoundChanges::NotKept(why),
        ListsSince::Lists(lists) => {
            let left = history[lists].iter().rev().cloned().collect();
            let robot_id = robot_id.clone();
            let read = wait(client.prepare(CHANGES)).await?;
            let lines = ChangeLines { client, robot_id, left, current: None, read };
            FoundChanges::Lines(Box::new(lines))
        }
    })
}

impl ChangeLines {
    /// Returns the next whole lines, about 64 KiB; `None` at the end.
    ///
    /// # Errors
    /// [`SinkError`], if the database does not answer within 30 s, or changes were deleted by hand. The lines
    /// so far are not all then.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        let mut out = Vec::new();
        while out.len() < PIECE {
            if self.current.is_some() {
                self.add_changes(&mut out).await?;
            } else if !self.begin_list(&mut out)? {
                break;
            }
        }
        Ok(Some(out).filter(|it| !it.is_empty()))
    }

    /// Adds the header of the next list. Returns false if there is none.
    fn begin_list(&mut self, out: &mut Vec<u8>) -> Result<bool, SinkError> {
        let Some(list) = self.left.pop() else { return Ok(false) };
        list.write_header(&self.robot_id, out)?;
        let left = list.counts.total();
        self.current = Some(Current { number: list.number, left, account: String::new() });
        Ok(true)
    }

    async fn add_changes(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let Some(Current { number, left, account }) = &mut self.current else { return Ok(()) };
        let robot = self.robot_id.as_str();
        let values: [&(dyn ToSql + Sync); 4] = [&robot, number, account, &ROWS];
        let rows = wait(self.client.query(&self.read, &values)).await?;
        for row in &rows {
            write_change(&self.robot_id, row.get(0), row.get(1), row.get(2), out)?;
        }
        let read = rows.len() as u64;
        if read > *left || rows.is_empty() && *left > 0 {
            let why = "qopen.change has other rows than qopen.list counts; read the whole list";
            return Err(SinkError::Database(why.into()));
        }
        *left -= read;
        match rows.last() {
            Some(last) => last.get::<_, &str>(0).clone_into(account),
            None => self.current = None,
        }
        Ok(())
    }
}

impl fmt::Debug for ChangeLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeLines").field("lists", &self.left.len()).finish_non_exhaustive()
    }
}

/// Waits for a statement, within its limit.
async fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, SinkError> {
    let step = "reading changes";
    let done = tokio::time::timeout(STEP, work).await;
    done.map_err(|_| SinkError::TimedOut { step, limit: STEP })?.map_err(failed)
}
