//! Lists in CSV that are compared: rows, options, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use qopen_sink::{
    CSV_COLUMNS, ChangesHeader, CompareOptions, CsvOptions, FileSink, Format, Labels, ListChanges,
    ListKind, ListProblem, Predecessor, Record, Sink as _, SinkError, StreamSink, compare_lists,
};
use qopen_types::{Account, Item, Json, RobotId};
use serde_json::Value;

use crate::compare::Files;
use crate::lists::{A, B, C, UNKNOWN, compare, csv_sink, names, publish, read, settled, since};

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

fn compared(old: &Path, new: &Path) -> String {
    let mut out = Vec::new();
    compare_lists(old, new, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn patched(files: &Files, changes: &str, list: &Path, back: bool) -> String {
    let changes = ListChanges::open(files.write("changes", changes)).unwrap();
    let mut out = Vec::new();
    match back {
        true => changes.revert(list, &mut out).unwrap(),
        false => changes.apply(list, &mut out).unwrap(),
    }
    String::from_utf8(out).unwrap()
}

fn problem(error: SinkError) -> ListProblem {
    match error {
        SinkError::Previous { problem, .. } | SinkError::NotAList { problem, .. } => problem,
        error => panic!("{error}"),
    }
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

/// A last list in CSV, as the sink finds it.
fn of(options: CsvOptions) -> (tempfile::TempDir, FileSink) {
    let (folder, sink) = csv_sink();
    (folder, sink.csv(options))
}

#[test]
fn a_list_in_csv_has_its_changes_and_its_revisions() {
    let (folder, sink) = csv_sink();
    let (found, _) = publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    assert_eq!(found[0].since, Predecessor::Baseline);
    let earlier = folder.path().join("earlier");
    fs::copy(sink.path(), &earlier).unwrap();
    let (found, gone) = publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].accounts_before), (since("m1", 1), 3));
    let counts = found[0].counts;
    assert_eq!((counts.added, counts.gone, counts.changed, counts.total()), (1, 1, 1, 3));
    assert_eq!(gone, ["r/c"]);
    insta::assert_snapshot!(read(sink.changes_path()));
    let mut later = Vec::new();
    ListChanges::open(sink.changes_path()).unwrap().apply(&earlier, &mut later).unwrap();
    assert_eq!(String::from_utf8(later).unwrap(), read(sink.path()));
    let (found, gone) = publish(&sink, &[("r", "m2", 2, C)]).unwrap();
    assert_eq!((found[0].since.clone(), gone), (since("m1", 1), vec!["r/b".to_owned()]));
    // A list without customers, and the next one.
    publish(&sink, &[("r", "m3", 1, &[])]).unwrap();
    assert_eq!(read(sink.path()).lines().count(), 1);
    let (found, _) = publish(&sink, &[("r", "m4", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.added), (since("m3", 1), 3));
    // Without changes it is compared as it is, also when it has no customers.
    publish(&sink, &[("r", "m5", 1, &[])]).unwrap();
    fs::remove_file(sink.changes_path()).unwrap();
    let (found, _) = publish(&sink, &[("r", "m6", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.added), (UNKNOWN, 3));
}

#[test]
fn robots_of_one_csv_file_are_compared_each_with_its_own_list() {
    for safe in [false, true] {
        let (_folder, sink) = of(CsvOptions::default().safe(safe));
        publish(&sink, &[("007", "m1", 1, A), ("r,\"2\"", "n1", 1, B)]).unwrap();
        let lists = [("'x", "o1", 1, A), ("r,\"2\"", "n2", 1, &[]), ("007", "m2", 1, B)];
        let (found, gone) = publish(&sink, &lists).unwrap();
        let bases: Vec<_> = found.iter().map(|it| it.since.clone()).collect();
        assert_eq!(bases, [Predecessor::Baseline, since("n1", 1), since("m1", 1)]);
        assert_eq!(gone, ["r,\"2\"/a", "r,\"2\"/b", "r,\"2\"/d", "007/c"]);
    }
}

/// Lists of different options are told apart by the changes beside them, and without those by what they hold.
#[test]
fn a_last_list_of_other_options_or_another_format_is_refused_and_stays() {
    let all = [false, true].into_iter().flat_map(|bom| [false, true].map(|safe| (bom, safe)));
    let languages = [None, Some(Labels::Zh), Some(Labels::En)];
    let all: Vec<CsvOptions> = all
        .flat_map(|it| languages.map(|labels| (it, labels)))
        .map(|((bom, safe), labels)| CsvOptions::default().bom(bom).safe(safe).labels(labels))
        .collect();
    // The ids of these customers and robots do not tell; a name does.
    let named: &[(&str, &str)] = &[("a", "x"), ("b", "-1")];
    for (one, two) in all.iter().flat_map(|one| all.iter().map(move |two| (*one, *two))) {
        for (has_changes, customers) in [(true, A), (true, named), (false, named)] {
            let (folder, sink) = of(one);
            publish(&sink, &[("r", "m1", 1, customers)]).unwrap();
            if !has_changes {
                fs::remove_file(sink.changes_path()).unwrap();
            }
            let (list, beside) = (read(sink.path()), names(folder.path()));
            let sink = sink.csv(two);
            let published = publish(&sink, &[("r", "m2", 1, customers)]);
            if one == two {
                assert_eq!(published.unwrap().0[0].counts.total(), 0);
                continue;
            }
            let error = published.unwrap_err();
            assert!(error.to_string().contains("--new-baseline"), "{error}");
            assert_eq!(problem(error), ListProblem::OtherOptions { list: one, other: two });
            assert_eq!((read(sink.path()), names(folder.path())), (list, beside));
            let mut writer = settled(&sink, &[("r", "m2", 1, customers)]);
            let anew = CompareOptions::default().new_baseline(true);
            let (found, _) = compare(&mut *writer, anew).unwrap();
            assert_eq!(found[0].since, Predecessor::Baseline);
            writer.commit().unwrap();
            publish(&sink, &[("r", "m3", 1, B)]).unwrap();
        }
    }
    let (_folder, csv) = csv_sink();
    let jsonl = FileSink::new(csv.path(), Format::Jsonl);
    for (first, next) in [(&csv, &jsonl), (&jsonl, &csv)] {
        let _ = fs::remove_file(csv.path());
        let _ = fs::remove_file(csv.changes_path());
        publish(first, &[("r", "m1", 1, A)]).unwrap();
        let error = publish(next, &[("r", "m2", 1, B)]).unwrap_err();
        assert!(matches!(problem(error), ListProblem::OtherFormat { .. }));
    }
    fs::write(csv.path(), "").unwrap();
    let error = publish(&csv, &[("r", "m2", 1, B)]).unwrap_err();
    assert!(matches!(problem(error), ListProblem::NoHeader));
}

/// A customer cannot make a plain list look like one with marks: the changes beside it say that it has none.
#[test]
fn a_name_that_begins_with_a_mark_does_not_change_what_a_list_is() {
    let (_folder, sink) = csv_sink();
    let marked: &[(&str, &str)] = &[("a", "'=1"), ("b", "x")];
    publish(&sink, &[("r", "m1", 1, marked)]).unwrap();
    let (found, _) = publish(&sink, &[("r", "m2", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.changed), (since("m1", 1), 2));
    publish(&sink, &[("r", "m3", 1, marked)]).unwrap();
}

#[test]
fn a_damaged_list_in_csv_is_refused_with_its_line() {
    let (_folder, sink) = csv_sink();
    let broken: &[(&str, &str)] = &[("a", "1\\n2\\r\\n3"), ("b", "1"), ("c", "\\\"")];
    publish(&sink, &[("r", "m1", 1, broken)]).unwrap();
    let (list, changes) = (read(sink.path()), read(sink.changes_path()));
    let (head, rest) = list.split_once('\n').unwrap();
    let at = |id: &str| list.find(&format!("\nr,{id},")).unwrap() + 1;
    let [a, b, c] = [&list[at("a")..at("b")], &list[at("b")..at("c")], &list[at("c")..]];
    assert_eq!((a.lines().count(), b.lines().count()), (3, 1));
    let cases = [
        (format!("{head}\n{b}{a}{c}"), Some(ListProblem::Unsorted { line: 3 })),
        (format!("{head}\n{a}{a}{c}"), Some(ListProblem::Repeated { line: 5 })),
        (format!("{head}\n{a}{b}"), None),
        (format!("{head}\n{a}{b}{}", c.trim_end()), Some(ListProblem::CutOff { line: 6 })),
        (format!("{head}\n{}", &a[..=a.find('2').unwrap()]), Some(ListProblem::CutOff { line: 3 })),
        (format!("{head}\n{}", a.lines().next().unwrap()), Some(ListProblem::CutOff { line: 2 })),
        (
            format!("{head}\n{a}{}{c}", b.replace("r,b,0", "r,b,\"0\"")),
            Some(ListProblem::NotARecord { line: 5 }),
        ),
        (
            format!("{head}\n{a}{}{c}", b.replace("false,false", "false,no")),
            Some(ListProblem::NotARecord { line: 5 }),
        ),
        (
            format!("{head}\n{a}{}{c}", b.replace("\n", ",\n")),
            Some(ListProblem::NotARecord { line: 5 }),
        ),
        (
            format!("{head}\n{a}{}{c}", b.replace('\n', "\r\n")),
            Some(ListProblem::NotARecord { line: 5 }),
        ),
        (format!("{head}\n{a}r,b\n{c}"), Some(ListProblem::NotARecord { line: 5 })),
        (format!("{head}\n{a}\n{b}{c}"), Some(ListProblem::NotARecord { line: 5 })),
        (
            format!("{head}\n{a}{}{b}{c}", b.replace("r,", "s,")),
            Some(ListProblem::RobotRepeated { line: 6 }),
        ),
        (head[..40].to_owned(), Some(ListProblem::CutOff { line: 1 })),
        (head.to_owned(), Some(ListProblem::CutOff { line: 1 })),
        (list.replace('\n', "\r\n"), Some(ListProblem::Resaved)),
        (list.replace(',', ";"), Some(ListProblem::AnotherHeader)),
        (
            format!("{}\n{rest}", head.replace(",extra", ",more,extra")),
            Some(ListProblem::AnotherHeader),
        ),
        (
            format!("{}\n{rest}", head.replace("robot_id", "robot")),
            Some(ListProblem::AnotherFormat),
        ),
        (String::new(), Some(ListProblem::NoHeader)),
    ];
    for (damaged, expected) in cases {
        for has_changes in [false, true] {
            fs::write(sink.path(), &damaged).unwrap();
            match has_changes {
                true => fs::write(sink.changes_path(), &changes).unwrap(),
                false => drop(fs::remove_file(sink.changes_path())),
            }
            // Every account differs.
            let published =
                publish(&sink, &[("r", "m2", 1, &[("a", "7"), ("b", "7"), ("c", "7")])]);
            if expected.is_none() && !has_changes {
                assert_eq!(published.unwrap().0[0].counts.added, 1, "nothing says that it is cut");
                continue;
            }
            let found = problem(published.unwrap_err());
            let is_found = expected == Some(found) || has_changes && found == ListProblem::Altered;
            assert!(is_found, "{found:?}, not {expected:?}, in {damaged:?}");
            assert_eq!(read(sink.path()), damaged);
        }
    }
    // Equal rows are checked, too, where both lists come from outside.
    let files = Files::new();
    let bad = format!("{head}\n{a}{}{c}", b.replace("false,false", "false,no"));
    let (one, two) = (files.write("one", &bad), files.write("two", &bad));
    let error = compare_lists(&one, &two, &mut Vec::new()).unwrap_err();
    assert_eq!(problem(error), ListProblem::NotARecord { line: 5 });
    // Changes do not fit a list with another header.
    let old = files.write("old", &list);
    let open = |text: &str| ListChanges::open(files.write("changes", text)).unwrap();
    let same = compared(&old, &old);
    open(&same).apply(&old, &mut Vec::new()).unwrap();
    let error = open(&same).apply(files.write("bom", &format!("\u{feff}{list}")), &mut Vec::new());
    assert_eq!(problem(error.unwrap_err()), ListProblem::Mismatched);
    let header: ChangesHeader = serde_json::from_str(same.lines().next().unwrap()).unwrap();
    assert_eq!(header.csv, Some(CsvOptions::default()));
}

#[test]
fn lists_of_two_formats_are_not_compared_and_the_empty_one_is_named() {
    let (_folder, csv) = csv_sink();
    publish(&csv, &[("r", "m1", 1, A)]).unwrap();
    let (_other, jsonl) = crate::lists::sink();
    publish(&jsonl, &[("r", "m1", 1, A)]).unwrap();
    let files = Files::new();
    let empty = files.write("empty", "");
    let compare = |old: &Path, new: &Path| match compare_lists(old, new, &mut Vec::new()) {
        Err(SinkError::NotAList { path, problem }) => (path, problem),
        other => panic!("{other:?}"),
    };
    let (path, found) = compare(jsonl.path(), csv.path());
    assert_eq!(
        (&*path, found),
        (jsonl.path(), ListProblem::OtherFormat { list: Format::Jsonl, other: Format::Csv })
    );
    let (path, found) = compare(csv.path(), jsonl.path());
    assert_eq!(
        (&*path, found),
        (csv.path(), ListProblem::OtherFormat { list: Format::Csv, other: Format::Jsonl })
    );
    assert_eq!(compare(csv.path(), &empty), (empty.clone(), ListProblem::NoHeader));
    assert_eq!(compare(&empty, csv.path()), (empty.clone(), ListProblem::NoHeader));
}
