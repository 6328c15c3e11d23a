//! The comparison of lists in CSV against a reader of CSV.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use qopen_sink::{
    CSV_COLUMNS, CsvOptions, Format, Labels, ListKind, Record, Sink as _, StreamSink,
};
use qopen_types::{Account, Item, Json, RobotId};
use serde_json::Value;

use crate::compare::{Files, compared, patched};

/// Accounts as JSON by id, by robot.
type Lists = BTreeMap<String, BTreeMap<String, String>>;

fn account(json: &str) -> Account {
    match Item::<Account>::read_with(Json::parse(json).unwrap()) {
        (Item::Valid(account), _) => account,
        _ => panic!("{json}"),
    }
}

/// A buffer that a sink writes to.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lists as a sink writes them, without waiting for the disk.
fn write(path: &Path, options: CsvOptions, lists: &Lists) -> String {
    let buffer = Buffer::default();
    let sink = StreamSink::new(buffer.clone(), Format::Csv).csv(options);
    let mut writer = sink.begin(ListKind::Complete).unwrap();
    for (robot, accounts) in lists {
        let robot: RobotId = robot.parse().unwrap();
        for json in accounts.values() {
            // A plain list that has this text and no formula looks like a list with marks.
            let json = if options.safe { json.clone() } else { json.replace("'=1", "'x") };
            writer.write(&Record::new(&robot, &account(&json))).unwrap();
        }
    }
    writer.commit().unwrap();
    let text = String::from_utf8(std::mem::take(&mut buffer.0.lock().unwrap())).unwrap();
    fs::write(path, &text).unwrap();
    text
}

/// The members of an account behind its id: texts that CSV quotes and safe CSV marks.
fn members() -> impl Strategy<Value = String> {
    let texts =
        ["n", "a,b", "\"q\"", "1\r\n2", "\n", "=1+1", "'=1", "007", "张", "", "x\u{0}y", " "];
    let text = || prop::sample::select(texts.to_vec());
    let flag = || prop::sample::select(vec!["false", "false", "true", "\"perhaps\""]);
    let extra = prop::sample::select(vec![
        "",
        ",\"vip\":1",
        ",\"x,y\":{\"b\": 1, \"a\":[ \"\\n\" ]}",
        ",\"_unread\":\"\\\"\"",
    ]);
    let code = prop::sample::select(vec!["0", "1", "2", "77", "-3", "\"7\"", "\"many\""]);
    (text(), text(), flag(), flag(), code, 0..3_usize, extra).prop_map(
        |(name, tag, contact, staff, code, tags, extra)| {
            let [name, tag] = [name, tag].map(|it| serde_json::to_string(it).unwrap());
            let tag = format!("{{\"parent_tag_name\":\"g\",\"tag_name\":{tag}}}");
            format!(
                ",\"deleted_by_contact\":{contact},\"deleted_by_staff\":{staff},\"profile\":{{\"name\":{name},\"gender\":{code},\"add_at\":{code}}},\"tag_info_list\":[{}]{extra}",
                vec![tag; tags].join(",")
            )
        },
    )
}

fn options() -> impl Strategy<Value = CsvOptions> {
    let labels = prop::sample::select(vec![None, Some(Labels::Zh), Some(Labels::En)]);
    (any::<bool>(), any::<bool>(), labels)
        .prop_map(|(bom, safe, labels)| CsvOptions::default().bom(bom).safe(safe).labels(labels))
}

/// Three lists of two robots, whose ids need quotes and marks.
fn history() -> impl Strategy<Value = [Lists; 3]> {
    let ids = ["'a", "-x", "007", "a", "a\"b", "a,b", "aa", "é", "张"];
    let pool = prop::collection::vec(members(), 4);
    let pick = prop::option::weighted(0.7, 0..4_usize);
    let picks = prop::collection::vec(pick, ids.len() * 2 * 3);
    (pool, picks).prop_map(move |(pool, picks)| {
        let mut picks = picks.into_iter();
        std::array::from_fn(|_| {
            let list = |robot: &str| {
                let mut list = BTreeMap::new();
                for id in ids {
                    if let Some(it) = picks.next().unwrap() {
                        let quoted = serde_json::to_string(id).unwrap();
                        let json = format!("{{\"account_id\":{quoted}{}}}", pool[it]);
                        list.insert(id.to_owned(), json);
                    }
                }
                (robot.to_owned(), list)
            };
            ["007", "r,\"2"].into_iter().map(list).collect()
        })
    })
}

/// Rows by robot and account, read by a reader of CSV.
type Rows = BTreeMap<(String, String), BTreeMap<&'static str, String>>;

fn rows(text: &str, options: CsvOptions) -> Rows {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bare = |cell: &str| match options.safe {
        true => CsvOptions::strip_mark(cell).to_owned(),
        false => cell.to_owned(),
    };
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        let row = row.unwrap();
        let cells = CSV_COLUMNS.into_iter().zip(row.iter().map(str::to_owned)).collect();
        ((bare(&row[0]), bare(&row[1])), cells)
    };
    csv::Reader::from_reader(text.as_bytes()).into_records().map(row).collect()
}

/// The kind of a change, from the cells of two rows.
fn kind(old: &BTreeMap<&str, String>, new: &BTreeMap<&str, String>) -> &'static str {
    let is = |cell: &str| matches!(cell, "true" | "yes" | "是");
    let turned = |name: &str, to: bool| {
        let unread = |it: &BTreeMap<&str, String>| it["_unread"].contains(&format!("\"{name}\":"));
        let flags = (is(&old[name]), is(&new[name]));
        !unread(old) && !unread(new) && flags == (!to, to)
    };
    match () {
        () if turned("deleted_by_contact", true) => "lost",
        () if turned("deleted_by_staff", true) => "removed",
        () if turned("deleted_by_contact", false) || turned("deleted_by_staff", false) => {
            "returned"
        }
        () => "changed",
    }
}

/// Checks every line of changes against the rows of both lists.
fn check(changes: &str, old: &Rows, new: &Rows) {
    let lines: Vec<Value> = changes.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let mut seen = BTreeMap::new();
    for line in lines.iter().filter(|it| it["type"] == "change") {
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        seen.insert((text("robot_id"), text("account_id")), line);
    }
    let mut expected = 0;
    for key in old.keys().chain(new.keys().filter(|it| !old.contains_key(*it))) {
        let (old, new) = (old.get(key), new.get(key));
        if old == new {
            continue;
        }
        expected += 1;
        let change = seen[key];
        let (kind, fields) = match (old, new) {
            (None, _) => ("added", vec![]),
            (_, None) => ("gone", vec![]),
            (Some(old), Some(new)) => {
                let differ = |it: &&&str| old[**it] != new[**it];
                (
                    kind(old, new),
                    CSV_COLUMNS.iter().filter(differ).map(|it| Value::from(*it)).collect(),
                )
            }
        };
        assert_eq!(
            (&change["change"], &change["fields"]),
            (&kind.into(), &fields.into()),
            "{change}"
        );
        for (record, row) in [("account", new), ("before", old.filter(|_| new.is_none()))] {
            let Some(row) = row else { continue };
            for (name, cell) in row {
                let value = &change[record][*name];
                let shown = match value {
                    Value::String(text) => *text == *cell,
                    Value::Number(number) => number.to_string() == *cell,
                    Value::Bool(is) => ["true", "yes", "是"].contains(&cell.as_str()) == *is,
                    json => serde_json::from_str::<Value>(cell).unwrap() == *json,
                };
                assert!(shown, "{name}: {value} and {cell}");
            }
        }
    }
    assert_eq!(seen.len(), expected);
}

/// 10,000 random histories of three lists in CSV: those of two robots in each case.
#[test]
fn the_earlier_list_in_csv_and_the_changes_give_the_later_list_byte_for_byte() {
    let files = Files::new();
    let [one, two, three, back] = ["a", "b", "c", "back"].map(|it| files.0.path().join(it));
    let config = ProptestConfig { cases: 5_000, failure_persistence: None, ..Default::default() };
    let tried = TestRunner::new(config).run(&(history(), options()), |([a, b, c], options)| {
        let texts =
            [(&one, &a), (&two, &b), (&three, &c)].map(|(it, list)| write(it, options, list));
        let changes = compared(&one, &two);
        check(&changes, &rows(&texts[0], options), &rows(&texts[1], options));
        prop_assert_eq!(&patched(&files, &changes, &one, false), &texts[1]);
        let reverted = patched(&files, &changes, &two, true);
        // Headers are in the order of the later list, where robots without accounts come last.
        prop_assert_eq!(rows(&reverted, options), rows(&texts[0], options));
        prop_assert_eq!(reverted.len(), texts[0].len());
        fs::write(&back, &reverted).unwrap();
        // Changes since the earlier list are the same through a list in between.
        prop_assert_eq!(compared(&back, &three), compared(&one, &three));
        Ok(())
    });
    tried.unwrap();
}
