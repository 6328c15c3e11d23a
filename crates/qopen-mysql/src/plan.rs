//! What new lists change, from one state of the database.

use mysql_async::Conn;
use qopen_sink::storage::{Gone, ListPass, ListPlan, NewList, NewLists, Planner, TableNames};
use qopen_sink::{CompareOptions, SinkError};

use crate::blocking::bounded;
use crate::cursor::Cursor;
use crate::key::key_of;
use crate::place::Place;
use crate::published::{count, is_superseded, last};

const TABLES: TableNames = TableNames { accounts: "robot_account", changes: "change" };

/// Finds out what the new lists change. `None` if the database holds a later list.
pub(crate) async fn plan(
    connection: &mut Conn,
    place: &Place,
    new: NewLists<'_>,
    compare: Option<CompareOptions>,
    gone: Gone<'_>,
) -> Result<Option<ListPlan>, SinkError> {
    const STEP: &str = "reading the last list";
    for list in new.lists {
        if bounded(STEP, is_superseded(list, connection)).await? {
            return Ok(None);
        }
    }
    let mut planner = Planner::new(new, compare)?;
    for list in new.lists {
        let mut last = bounded(STEP, last(connection, list)).await?;
        if planner.is_compared() {
            last.list.found = bounded(STEP, count(list, connection)).await?;
        }
        let pass = planner.begin(&last, place.server.name(), TABLES)?;
        run(connection, list, pass, gone).await?;
    }
    planner.finish().map(Some)
}

async fn run(
    connection: &mut Conn,
    list: &NewList,
    mut pass: ListPass<'_, '_>,
    gone: Gone<'_>,
) -> Result<(), SinkError> {
    let key = key_of(list);
    let old = Cursor::new("robot_account", "account", "robot_key = ?", vec![(&key).into()]);
    let mut old = old.open(connection).await?;
    let past = vec![(&key).into(), pass.past().into()];
    let past = Cursor::new("`change`", "`before`", "robot_key = ? AND number = ?", past);
    let mut past = past.open(connection).await?;
    while let Some(passed) = pass.next(old.row(), past.row(), gone)? {
        if passed.old {
            old.advance(connection).await?;
        }
        if passed.past {
            past.advance(connection).await?;
        }
    }
    pass.end()
}
