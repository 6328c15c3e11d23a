//! Random histories of lists against a model.

use std::collections::{BTreeMap, BTreeSet};

use qopen_postgres::testing::Server;
use qopen_sink::{CompareOptions, Predecessor, Record};
use qopen_types::{Account, Json, RobotId};
use serde_json::Value;
use tokio_postgres::Client;

use crate::lists::{End, List, account, given, place, publish_with};

/// A source of numbers that replays.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn account(&mut self, id: &str) -> Account {
        let mut account = account(id, |_| {}).1;
        account.deleted_by_contact = self.roll(3) == 0;
        account.deleted_by_staff = self.roll(4) == 0;
        account.profile.name = ["Ann", "Bob", "\"\\{}\0"][self.roll(3) as usize].to_owned();
        account.profile.gender = i64::try_from(self.roll(2)).unwrap().into();
        account.tag_info_list = (0..self.roll(3)).map(|_| Default::default()).collect();
        for name in ["vip", "since \\ \"when\""] {
            if self.roll(3) == 0 {
                account.extra.insert(name, Json::parse(&self.roll(2).to_string()).unwrap());
            }
        }
        account
    }

    fn list(&mut self, last: &List) -> List {
        const IDS: [&str; 10] = ["B", "a", "b", "10", "9", "é", "z z", "\"", "企业", "\\N"];
        let mut list = last.clone();
        for _ in 0..self.roll(8) {
            let id = IDS[self.roll(10) as usize];
            match self.roll(3) {
                0 => drop(list.remove(id)),
                _ => drop(list.insert(id.to_owned(), self.account(id))),
            }
        }
        list
    }
}

fn json(robot: &str, account: &Account) -> Value {
    serde_json::to_value(Record::new(&robot.parse().unwrap(), account)).unwrap()
}

/// The changes between two lists, the slow way: kind, fields, and the records before and after.
fn naive(
    robot: &str,
    old: &List,
    new: &List,
) -> BTreeMap<String, (String, Vec<String>, Value, Value)> {
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = BTreeMap::new();
    for id in ids {
        let before = old.get(id).map_or(Value::Null, |it| json(robot, it));
        let after = new.get(id).map_or(Value::Null, |it| json(robot, it));
        if before == after {
            continue;
        }
        let became = |flag: &str, now: bool| before[flag] == !now && after[flag] == now;
        let flags = ["deleted_by_contact", "deleted_by_staff"];
        let change = match () {
            () if before.is_null() => "added",
            () if after.is_null() => "gone",
            () if became(flags[0], true) => "lost",
            () if became(flags[1], true) => "removed",
            () if flags.iter().any(|flag| became(flag, false)) => "returned",
            () => "changed",
        };
        let mut fields = Vec::new();
        if let (Value::Object(before), Value::Object(after)) = (&before, &after) {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
                match name.as_str() {
                    "profile" => {
                        let (old, new) = (&before[name], &after[name]);
                        let inner = old.as_object().unwrap().keys();
                        let inner = inner.filter(|name| old[*name] != new[*name]);
                        fields.extend(inner.map(|it| format!("profile.{it}")));
                    }
                    _ => fields.push(name.clone()),
                }
            }
        }
        fields.sort();
        changes.insert(id.clone(), (change.to_owned(), fields, before, after));
    }
    changes
}

/// One robot's history in the model.
struct History {
    robot: String,
    /// The list before the current pull's, unless the current one is a baseline.
    before: Option<List>,
    now: List,
    pull: u32,
    revision: u32,
    number: i64,
    /// The lists by number, from the last baseline.
    since: BTreeMap<i64, List>,
}

/// 300 histories of successive lists against a model, 30 robots in each commit: the changes of each list, and
/// baseline and changes together, which give the last list.
#[tokio::test(flavor = "multi_thread")]
async fn baseline_and_changes_are_the_list_in_random_histories() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..10 {
        let mut robots: Vec<History> = Vec::new();
        for step in 0..7 {
            let is_anew = dice.roll(8) == 0;
            if step == 0 {
                robots = (0..30)
                    .map(|n| History {
                        robot: format!("r{round} {n}"),
                        before: None,
                        now: List::new(),
                        pull: 0,
                        revision: 0,
                        number: 0,
                        since: BTreeMap::new(),
                    })
                    .collect();
            }
            for it in &mut robots {
                let list = dice.list(&it.now);
                if it.pull > 0 && dice.roll(3) == 0 {
                    it.revision += 1;
                    if is_anew {
                        it.before = None;
                    }
                } else {
                    let last = std::mem::take(&mut it.now);
                    it.before = (it.pull > 0 && !is_anew).then_some(last);
                    (it.pull, it.revision, it.number) = (it.pull + 1, 1, it.number + 1);
                }
                if it.before.is_none() {
                    it.since.clear();
                }
                it.since.insert(it.number, list.clone());
                it.now = list;
            }
            let given =
                |it: &History| given(&it.robot, &format!("m{}", it.pull), it.revision, &it.now);
            let lists = robots.iter().map(given).collect();
            let options = CompareOptions::default().new_baseline(is_anew);
            let (found, gone) = publish_with(&sink, lists, options, || End::Commit).await.unwrap();
            let mut all_gone = Vec::new();
            for (it, found) in robots.iter().zip(found.unwrap()) {
                let expected = it.before.as_ref().map(|old| naive(&it.robot, old, &it.now));
                let expected = expected.unwrap_or_default();
                let kind = |name: &str| expected.values().filter(|it| it.0 == name).count() as u64;
                assert!(found.counts.named().iter().all(|(name, count)| kind(name) == *count));
                assert_eq!(found.since == Predecessor::Baseline, it.before.is_none());
                assert_eq!(
                    found.accounts_before,
                    it.before.as_ref().map_or(0, |it| it.len() as u64)
                );
                let is_gone = expected.iter().filter(|(_, it)| it.0 == "gone");
                all_gone.extend(is_gone.map(|(id, _)| (it.robot.clone(), id.clone())));
                let read =
                    "SELECT account_id, change, fields, before::text, account::text, revision
                     FROM qopen.change WHERE robot_id = $1 AND number = $2";
                let rows = client.query(read, &[&it.robot, &it.number]).await.unwrap();
                let parsed = |text: Option<&str>| {
                    text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
                };
                let stored: BTreeMap<_, _> = rows
                    .iter()
                    .map(|row| {
                        let mut fields: Vec<String> = row.get(2);
                        fields.sort();
                        let records = (parsed(row.get(3)), parsed(row.get(4)));
                        assert_eq!(row.get::<_, i64>(5), i64::from(it.revision));
                        (row.get::<_, String>(0), (row.get(1), fields, records.0, records.1))
                    })
                    .collect();
                assert_eq!(stored, expected, "{} list {}", it.robot, it.number);
            }
            assert_eq!(gone, all_gone);
        }
        for it in &robots {
            replay(&client, it).await;
        }
    }
}

/// Applies all changes since the baseline to it, text for text.
async fn replay(client: &Client, history: &History) {
    let robot: RobotId = history.robot.parse().unwrap();
    let text = |account: &Account| serde_json::to_string(&Record::new(&robot, account)).unwrap();
    let texts = |list: &List| -> BTreeMap<String, String> {
        list.iter().map(|(id, it)| (id.clone(), text(it))).collect()
    };
    let (baseline, list) = history.since.first_key_value().unwrap();
    let mut list = texts(list);
    let read = "SELECT account_id, before::text, account::text FROM qopen.change
         WHERE robot_id = $1 AND number > $2 ORDER BY number, account_id";
    for row in client.query(read, &[&robot.as_str(), baseline]).await.unwrap() {
        let (id, before): (String, Option<String>) = (row.get(0), row.get(1));
        let replaced = match row.get::<_, Option<String>>(2) {
            Some(account) => list.insert(id, account),
            None => list.remove(&id),
        };
        assert_eq!(replaced, before);
    }
    let read = "SELECT account_id, account::text FROM qopen.robot_account WHERE robot_id = $1";
    let rows = client.query(read, &[&robot.as_str()]).await.unwrap();
    let table: BTreeMap<String, String> = rows.iter().map(|it| (it.get(0), it.get(1))).collect();
    assert_eq!((&list, &table), (&texts(&history.now), &texts(&history.now)));
}
