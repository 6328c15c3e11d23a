//! Lists, and their publication as the engine does it.

use std::collections::BTreeMap;

use qopen_types::{Account, Item, Json, MarkId, RobotId};

use super::subject::Reader;
use crate::{
    ChangeCounts, CompareOptions, Compared, ListBasis, ListInfo, ListKind, Predecessor, Quarantine,
    Record, Sink, SinkError,
};

/// A list: its customers by id.
pub(super) type List = BTreeMap<String, Account>;

/// A list to publish.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) robot: RobotId,
    pub(super) mark: MarkId,
    pub(super) revision: u32,
    pub(super) order: Option<u64>,
    pub(super) list: List,
    pub(super) basis: Option<ListBasis>,
}

pub(super) fn given(robot: &str, mark: &str, revision: u32, list: &List) -> Given {
    let (robot, mark) = (robot.parse().unwrap(), mark.parse().unwrap());
    Given { robot, mark, revision, order: None, list: list.clone(), basis: None }
}

pub(super) fn account(id: &str, edit: impl FnOnce(&mut Account)) -> (String, Account) {
    let mut account = Account::new(id.parse().unwrap());
    account.profile.name = format!("name of {id}");
    edit(&mut account);
    (id.to_owned(), account)
}

/// An account as the engine reads it from a page.
pub(super) fn read(json: &str) -> (String, Account) {
    let (Item::Valid(account), _) = Item::<Account>::read_with(Json::parse(json).unwrap()) else {
        panic!("{json}");
    };
    (account.account_id.to_string(), account)
}

pub(super) fn plain(ids: &[&str]) -> List {
    ids.iter().map(|id| account(id, |_| {})).collect()
}

/// The result of a publication: comparisons, and who is gone.
pub(super) type Done = Result<(Option<Vec<Compared>>, Vec<(String, String)>), SinkError>;

/// How a publication ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Hold,
    Drop,
}

/// Publishes complete lists as the engine does.
pub(super) fn publish_with(
    sink: &dyn Sink,
    lists: &[Given],
    options: CompareOptions,
    quarantine: &[&str],
    end: impl FnOnce() -> End,
) -> Done {
    let mut writer = sink.begin(ListKind::Complete)?;
    for Given { robot, mark, revision, order, list, .. } in lists {
        writer.begin_list(&ListInfo::new(robot, mark, *revision).order(*order))?;
        for account in list.values() {
            writer.write(&Record::new(robot, account))?;
        }
    }
    let mut lines = Quarantine::default();
    quarantine.iter().try_for_each(|line| lines.push(line))?;
    assert!(writer.set_aside(lines)?.is_none(), "the database keeps unreadable items");
    writer.settle()?;
    let mut gone = Vec::new();
    let compared = writer.compare(options, &mut |robot, account| {
        gone.push((robot.to_string(), account.to_string()));
        Ok(())
    })?;
    for Given { robot, basis, .. } in lists {
        basis.iter().try_for_each(|basis| writer.set_basis(robot, basis.clone()))?;
    }
    match end() {
        End::Commit => drop(writer.commit()?),
        End::Hold => assert!(writer.commit_held()?.is_none(), "no list is beside the last one"),
        End::Drop => drop(writer),
    }
    Ok((compared, gone))
}

pub(super) fn publish(sink: &dyn Sink, lists: &[Given]) -> Done {
    publish_with(sink, lists, CompareOptions::default(), &[], || End::Commit)
}

pub(super) fn anew(sink: &dyn Sink, lists: &[Given]) -> Done {
    let options = CompareOptions::default().new_baseline(true);
    publish_with(sink, lists, options, &[], || End::Commit)
}

/// Publishes a list that is not compared.
pub(super) fn publish_plain(
    sink: &dyn Sink,
    kind: ListKind,
    Given { robot, mark, revision, order, list, .. }: &Given,
) -> Result<(), SinkError> {
    let mut writer = sink.begin(kind)?;
    writer.begin_list(&ListInfo::new(robot, mark, *revision).order(*order))?;
    list.values().try_for_each(|account| writer.write(&Record::new(robot, account)))?;
    writer.commit().map(drop)
}

pub(super) fn only(done: Done) -> Compared {
    done.unwrap().0.unwrap().remove(0)
}

/// Counts of added, gone, lost, removed, returned and changed.
pub(super) fn counts(of: [u64; 6]) -> ChangeCounts {
    let mut counts = ChangeCounts::default();
    [counts.added, counts.gone, counts.lost, counts.removed, counts.returned, counts.changed] = of;
    counts
}

pub(super) fn since(mark: &str, revision: u32) -> Predecessor {
    Predecessor::List { mark_id: Some(mark.parse().unwrap()), revision: Some(revision) }
}

/// The values of the first column.
pub(super) fn column(reader: &mut dyn Reader, sql: &str) -> Vec<String> {
    reader.query(sql).into_iter().map(|row| row[0].clone()).collect()
}

pub(super) fn count(reader: &mut dyn Reader, table: &str) -> u64 {
    column(reader, &format!("SELECT count(*) FROM qopen.{table}"))[0].parse().unwrap()
}

/// The names of a table's customers, in the order of robots and ids.
pub(super) fn names(reader: &mut dyn Reader, table: &str) -> Vec<String> {
    column(reader, &format!("SELECT name FROM qopen.{table} ORDER BY robot_id, account_id"))
}

/// The changes of one list: kind, account and fields, in the order of the accounts.
pub(super) fn changes(reader: &mut dyn Reader, robot: &str, number: u32) -> Vec<String> {
    let fields = reader.fields();
    let sql = format!(
        "SELECT change, account_id, {fields} FROM qopen.change
         WHERE robot_id = '{robot}' AND number = {number} ORDER BY account_id"
    );
    reader.query(&sql).into_iter().map(|row| row.join(" ").replace(" []", "")).collect()
}

/// The history of one robot, from the first list: number, mark and revision, the list before, accounts.
pub(super) fn history(reader: &mut dyn Reader, robot: &str) -> Vec<String> {
    let sql = format!(
        "SELECT number, mark_id, revision, coalesce(since_mark_id, '-'), coalesce(since_revision, 0), accounts,
             CASE WHEN baseline THEN 'baseline' ELSE '' END
         FROM qopen.list WHERE robot_id = '{robot}' ORDER BY number"
    );
    let line = |row: Vec<String>| {
        let [number, mark, revision, since, since_revision, accounts, baseline] = &row[..] else {
            panic!("{row:?}");
        };
        let line = format!(
            "{number} {mark}.{revision} since {since}.{since_revision}: {accounts} {baseline}"
        );
        line.trim_end().to_owned()
    };
    reader.query(&sql).into_iter().map(line).collect()
}

/// The records of a robot's list, by id.
pub(super) fn records(reader: &mut dyn Reader, robot: &str) -> BTreeMap<String, String> {
    let sql = format!(
        "SELECT account_id, CAST(account AS text) FROM qopen.robot_account WHERE robot_id = '{robot}'"
    );
    reader.query(&sql).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

/// Undoes the changes of a robot's lists one after the other, from the list that is published. Each step must fit the
/// list, and lead to one with the number of accounts that the history has.
pub(super) fn must_fit_together(reader: &mut dyn Reader, robot: &str) {
    let mut list = records(reader, robot);
    let sql = format!(
        "SELECT number, accounts, accounts_before, CASE WHEN baseline THEN 1 ELSE 0 END,
             added + gone + lost + removed + returned + changed
         FROM qopen.list WHERE robot_id = '{robot}' ORDER BY number DESC"
    );
    for row in reader.query(&sql) {
        let figure = |at: usize| row[at].parse::<usize>().unwrap();
        assert_eq!(list.len(), figure(1), "{robot}: list {}", row[0]);
        let sql = format!(
            "SELECT account_id, CAST(before AS text), CAST(account AS text) FROM qopen.change
             WHERE robot_id = '{robot}' AND number = {}",
            row[0]
        );
        let changes = reader.query(&sql);
        assert_eq!(changes.len(), figure(4), "{robot}: changes of list {}", row[0]);
        if figure(3) == 1 {
            return;
        }
        for change in changes {
            let now = list.remove(&change[0]).unwrap_or_else(|| "NULL".to_owned());
            assert_eq!(now, change[2], "{robot}: {} of list {}", change[0], row[0]);
            if change[1] != "NULL" {
                list.insert(change[0].clone(), change[1].clone());
            }
        }
        assert_eq!(list.len(), figure(2), "{robot}: the list before list {}", row[0]);
    }
}
