//! What new lists change, from one state of the file.

use qopen_sink::storage::{
    Gone, ListPass, ListPlan, NewList, NewLists, OldRow, Planner, TableNames,
};
use qopen_sink::{CompareOptions, SinkError};
use rusqlite::{Connection, Rows, Statement};

use crate::error::failed;
use crate::file::DatabaseFile;
use crate::published::{is_superseded, last};

const TABLES: TableNames = TableNames { accounts: "robot_account", changes: "change" };

/// Finds out what the new lists change. `None` if the file holds a later list.
pub(crate) fn plan(
    file: &Connection,
    database: &DatabaseFile,
    new: NewLists<'_>,
    compare: Option<CompareOptions>,
    gone: Gone<'_>,
) -> Result<Option<ListPlan>, SinkError> {
    let fails = failed(database.wait);
    for list in new.lists {
        if is_superseded(list, file).map_err(fails)? {
            return Ok(None);
        }
    }
    let mut planner = Planner::new(new, compare)?;
    for list in new.lists {
        let mut last = last(file, list).map_err(fails)?;
        if planner.is_compared() {
            let count = "SELECT count(*) FROM robot_account WHERE robot_id = ?1";
            let count = file.query_row(count, [list.robot_id.as_str()], |row| row.get(0));
            last.list.found = count.map_err(fails)?;
        }
        let pass = planner.begin(&last, &database.path.to_string_lossy(), TABLES)?;
        run(file, database, list, pass, gone)?;
    }
    planner.finish().map(Some)
}

fn run(
    file: &Connection,
    database: &DatabaseFile,
    list: &NewList,
    mut pass: ListPass<'_, '_>,
    gone: Gone<'_>,
) -> Result<(), SinkError> {
    let fails = failed(database.wait);
    let robot = list.robot_id.as_str();
    let rows = "SELECT account_id, account, rowid FROM robot_account
         WHERE robot_id = ?1 ORDER BY account_id";
    let mut rows = file.prepare(rows).map_err(fails)?;
    let mut old = Cursor::new(&mut rows, &[&robot], database)?;
    let past = "SELECT account_id, before, rowid FROM change
         WHERE robot_id = ?1 AND number = ?2 ORDER BY account_id";
    let mut rows = file.prepare(past).map_err(fails)?;
    let mut past = Cursor::new(&mut rows, &[&robot, &pass.past()], database)?;
    while let Some(passed) = pass.next(old.row(), past.row(), gone)? {
        if passed.old {
            old.advance()?;
        }
        if passed.past {
            past.advance()?;
        }
    }
    pass.end()
}

/// Rows in the order of ids: id, text and number.
struct Cursor<'a> {
    rows: Rows<'a>,
    database: &'a DatabaseFile,
    is_at_row: bool,
    id: String,
    text: String,
    has_text: bool,
    row: i64,
}

impl<'a> Cursor<'a> {
    fn new(
        statement: &'a mut Statement<'_>,
        values: &[&dyn rusqlite::ToSql],
        database: &'a DatabaseFile,
    ) -> Result<Self, SinkError> {
        let rows = statement.query(values).map_err(failed(database.wait))?;
        let (id, text) = (String::new(), String::new());
        let mut cursor =
            Self { rows, database, is_at_row: false, id, text, has_text: false, row: 0 };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), SinkError> {
        let fails = failed(self.database.wait);
        self.is_at_row = false;
        let Some(row) = self.rows.next().map_err(fails)? else { return Ok(()) };
        let bytes = |at: usize| row.get_ref(at).map_err(fails).map(|it| it.as_bytes_or_null().ok());
        set(&mut self.id, bytes(0)?.flatten());
        let text = bytes(1)?.flatten();
        self.has_text = text.is_some();
        set(&mut self.text, text);
        self.row = row.get(2).map_err(fails)?;
        self.is_at_row = true;
        Ok(())
    }

    fn row(&self) -> Option<OldRow<'_>> {
        let record = self.has_text.then_some(&*self.text);
        self.is_at_row.then_some(OldRow { id: &self.id, record, row: Some(self.row) })
    }
}

/// Replaces a text. A row that was edited may have bytes that are no text.
fn set(text: &mut String, bytes: Option<&[u8]>) {
    text.clear();
    text.push_str(&String::from_utf8_lossy(bytes.unwrap_or_default()));
}
