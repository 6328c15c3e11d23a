//! The comparison of two lists against a model that is obviously right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use qopen_sink::{ListChanges, ListProblem, Record, SinkError, compare_lists};
use qopen_types::{Account, Item, Json, RobotId};
use serde_json::Value;

/// Lines of a list, by robot and account.
type Lists = BTreeMap<String, BTreeMap<String, String>>;

pub(crate) fn line(robot: &str, account: &str) -> String {
    let robot: RobotId = robot.parse().unwrap();
    let (Item::Valid(account), _) = Item::<Account>::read_with(Json::parse(account).unwrap())
    else {
        panic!("{account}");
    };
    serde_json::to_string(&Record::new(&robot, &account)).unwrap() + "\n"
}

fn text(lists: &Lists) -> String {
    lists.values().flat_map(BTreeMap::values).map(String::as_str).collect()
}

/// An account without its id and closing bracket.
fn account() -> impl Strategy<Value = String> {
    let flag = || prop::sample::select(vec!["false", "false", "true", "\"perhaps\""]);
    let names = [
        "vip",
        "x.y",
        "profile.name",
        "robot_id",
        "_unread",
        "account_robot_id",
        "z\"\\",
        "before",
    ];
    let values = ["1", "2", "{\"b\": 1, \"a\":[ ]}", "\"\\u00e9\"", "null"];
    let extra = (prop::sample::select(names.to_vec()), prop::sample::select(values.to_vec()));
    let extra = prop::collection::vec(extra, 0..3);
    let name = prop::sample::select(vec!["n", "m", "\\\"\\n", "张"]);
    let mood = prop::collection::vec(prop::sample::select(vec!["mood", "mind", "name "]), 0..3);
    (flag(), flag(), name, mood, extra, 0..3_usize, prop::bool::weighted(0.1)).prop_map(
        |(contact, staff, name, moods, extras, tags, odd)| {
            let moods: String =
                moods.iter().map(|it| format!(",{it:?}:{}", it.len() + tags)).collect();
            let extras: String = extras
                .iter()
                .map(|(name, value)| format!(",{}:{value}", serde_json::to_string(name).unwrap()))
                .collect();
            let tag = r#"{"parent_tag_name":"g","tag_name":"t"}"#;
            let profile = match odd {
                true => "[7]".to_owned(),
                false => format!("{{\"name\":\"{name}\"{moods}}}"),
            };
            format!(
                ",\"deleted_by_contact\":{contact},\"deleted_by_staff\":{staff},\"profile\":{profile},\"tag_info_list\":[{}]{extras}",
                vec![tag; tags].join(",")
            )
        },
    )
}

/// Three lists of two robots. Accounts are drawn from a pool, so that many stay equal.
fn history() -> impl Strategy<Value = [Lists; 3]> {
    let ids = ["a", "a\"b", "a\\", "aa", "é", "张"];
    let pool = prop::collection::vec(account(), 4);
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
                        let account = format!("{{\"account_id\":{quoted}{}}}", pool[it]);
                        list.insert(id.to_owned(), line(robot, &account));
                    }
                }
                (robot.to_owned(), list)
            };
            ["r 1", "r\"2"].into_iter().map(list).collect()
        })
    })
}

/// The kind of a change and the names of its fields, found by reading both records whole.
fn model(old: &str, new: &str) -> (&'static str, BTreeSet<String>) {
    let (old, new): (Value, Value) =
        (serde_json::from_str(old).unwrap(), serde_json::from_str(new).unwrap());
    let keys = |it: &Value| -> Vec<String> {
        it.as_object().into_iter().flat_map(|it| it.keys().cloned()).collect()
    };
    let mut fields = BTreeSet::new();
    for key in keys(&old).into_iter().chain(keys(&new)) {
        if key == "profile" {
            for inner in keys(&old[&key]).into_iter().chain(keys(&new[&key])) {
                if old[&key].get(&inner) != new[&key].get(&inner) {
                    fields.insert(format!("profile.{inner}"));
                }
            }
        } else if old.get(&key) != new.get(&key) {
            fields.insert(key);
        }
    }
    let turned = |name: &str, to: bool| {
        let unread = |it: &Value| it["_unread"].get(name).is_some();
        !unread(&old) && !unread(&new) && old[name] == !to && new[name] == to
    };
    let kind = match () {
        () if turned("deleted_by_contact", true) => "lost",
        () if turned("deleted_by_staff", true) => "removed",
        () if turned("deleted_by_contact", false) || turned("deleted_by_staff", false) => {
            "returned"
        }
        () => "changed",
    };
    (kind, fields)
}

/// Checks every line of changes against the model.
fn check(changes: &str, old: &Lists, new: &Lists) {
    let mut lines = changes.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    for (robot, new) in
        new.iter().filter(|it| !it.1.is_empty()).chain(new.iter().filter(|it| it.1.is_empty()))
    {
        let old = &old[robot];
        if old.is_empty() && new.is_empty() {
            continue;
        }
        let header = lines.next().unwrap();
        assert_eq!(
            (&header["type"], &header["robot_id"]),
            (&"changes".into(), &robot.as_str().into())
        );
        assert_eq!(header["since"]["accounts"], old.len());
        assert_eq!(header["until"]["accounts"], new.len());
        let mut counts = BTreeMap::new();
        let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for id in ids {
            let (old, new) = (old.get(id), new.get(id));
            if old == new {
                continue;
            }
            let change = lines.next().unwrap();
            assert_eq!(change["type"], "change");
            assert_eq!(change["robot_id"], robot.as_str());
            assert_eq!(change["account_id"], id.as_str());
            let record =
                |it: Option<&String>| it.map(|it| serde_json::from_str::<Value>(it).unwrap());
            assert_eq!(change.get("account").cloned(), record(new));
            let (kind, fields) = match (old, new) {
                (None, _) => ("added", BTreeSet::new()),
                (_, None) => {
                    assert_eq!(change.get("before").cloned(), record(old));
                    ("gone", BTreeSet::new())
                }
                (Some(old), Some(new)) => model(old, new),
            };
            assert_eq!(change["change"], kind);
            let is_odd = |it: &String| {
                it.matches("\"_unread\":").count() > 1
                    || it.matches("\"account_robot_id\":").count() > 1
            };
            if !old.into_iter().chain(new).any(is_odd) {
                let named = change["fields"].as_array().unwrap().iter();
                let named: Vec<String> = named.map(|it| it.as_str().unwrap().to_owned()).collect();
                assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), fields, "{change}");
            }
            *counts.entry(kind).or_insert(0) += 1;
        }
        for kind in ["added", "gone", "lost", "removed", "returned", "changed"] {
            assert_eq!(header[kind], counts.get(kind).copied().unwrap_or(0), "{kind}");
        }
    }
    assert!(lines.next().is_none());
}

pub(crate) struct Files(pub(crate) tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn compared(old: &Path, new: &Path) -> String {
    let mut out = Vec::new();
    compare_lists(old, new, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(crate) fn patched(files: &Files, changes: &str, list: &Path, back: bool) -> String {
    let changes = ListChanges::open(files.write("changes", changes)).unwrap();
    let mut out = Vec::new();
    match back {
        true => changes.revert(list, &mut out).unwrap(),
        false => changes.apply(list, &mut out).unwrap(),
    }
    String::from_utf8(out).unwrap()
}

/// 10,000 random histories of three lists: those of two robots in each case.
#[test]
fn the_earlier_list_and_the_changes_give_the_later_list_byte_for_byte() {
    let files = Files::new();
    let config = ProptestConfig { cases: 5_000, failure_persistence: None, ..Default::default() };
    let tried = TestRunner::new(config).run(&history(), |[a, b, c]| {
        let (one, two) = (files.write("a", &text(&a)), files.write("b", &text(&b)));
        let three = files.write("c", &text(&c));
        let changes = compared(&one, &two);
        check(&changes, &a, &b);
        assert_eq!(patched(&files, &changes, &one, false), text(&b));
        let back = patched(&files, &changes, &two, true);
        // Headers are in the order of the later list, where robots without accounts come last.
        let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(sorted(&back), sorted(&text(&a)));
        // Changes since the earlier list are the same through a list in between.
        let composed = compared(&files.write("back", &back), &three);
        assert_eq!(composed, compared(&one, &three));
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn what_is_no_list_is_refused_with_its_line() {
    let a = line("r", r#"{"account_id":"a"}"#);
    let b = line("r", r#"{"account_id":"b"}"#);
    let other = line("s", r#"{"account_id":"a"}"#);
    let refused = |old: &str| {
        let files = Files::new();
        let (old, new) = (files.write("old", old), files.write("new", &format!("{a}{b}")));
        let mut problems = Vec::new();
        for (one, two) in [(&old, &new), (&new, &old), (&old, &old)] {
            match compare_lists(one, two, &mut Vec::new()) {
                Err(SinkError::NotAList { path, problem }) => {
                    assert_eq!(path, old);
                    problems.push(problem);
                }
                other => panic!("{other:?}"),
            }
        }
        problems.dedup();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0]
    };
    for (old, problem) in [
        (format!("{b}{a}"), ListProblem::Unsorted { line: 2 }),
        (format!("{a}{b}{b}"), ListProblem::Repeated { line: 3 }),
        (format!("{a}{other}{b}"), ListProblem::RobotRepeated { line: 3 }),
        (format!("{a}{}", &b[..40]), ListProblem::CutOff { line: 2 }),
        (format!("{a}{}", b.trim_end()), ListProblem::CutOff { line: 2 }),
        (format!("{a}{}\n", &b[..40]), ListProblem::NotARecord { line: 2 }),
        (format!("{a}\n{b}"), ListProblem::NotARecord { line: 2 }),
        (
            format!("{a}{{\"robot_id\":\"r\",\"profile\":{{}}}}\n"),
            ListProblem::NotARecord { line: 2 },
        ),
        (
            format!("{a}{}", b.replace("\"account_id\":\"b\"", "\"account_id\":7")),
            ListProblem::NotARecord { line: 2 },
        ),
        (format!("{a}{}", b.replace("\"b\"", "\"\"")), ListProblem::NotARecord { line: 2 }),
        (format!("{a}{}", b.replace("\"b\"", "\"b\u{1}\"")), ListProblem::NotARecord { line: 2 }),
        (format!("{a}{}", b.replace("{\"name\"", "{name")), ListProblem::NotARecord { line: 2 }),
        ("{\"robot_id\":\"r\"}\n".to_owned(), ListProblem::NotARecord { line: 1 }),
        (format!("{a}{}", b.replace('\n', "\r\n")), ListProblem::NotARecord { line: 2 }),
        ("[]\n".to_owned(), ListProblem::AnotherFormat),
        ("robot_id,account_id\nr,a\n".to_owned(), ListProblem::AnotherHeader),
        ("robot,account\nr,a\n".to_owned(), ListProblem::AnotherFormat),
        (format!("\u{feff}{a}"), ListProblem::AnotherFormat),
        ("\0\0\0\0".to_owned(), ListProblem::CutOff { line: 1 }),
    ] {
        assert_eq!(refused(&old), problem, "{old}");
    }
}

#[test]
fn a_line_beyond_the_limit_is_refused_before_it_is_in_memory() {
    let files = Files::new();
    let old = files.0.path().join("old");
    fs::File::create(&old).unwrap().set_len(65 << 20).unwrap();
    let new = files.write("new", "");
    let error = compare_lists(&old, &new, &mut Vec::new()).unwrap_err();
    let problem = ListProblem::TooLong { line: 1, limit: 64 };
    assert!(matches!(error, SinkError::NotAList { problem: it, .. } if it == problem), "{error}");
}

#[test]
fn changes_that_do_not_fit_their_list_are_refused() {
    let files = Files::new();
    let a = line("r", r#"{"account_id":"a"}"#);
    let b = line("r", r#"{"account_id":"b"}"#);
    let (one, two) = (files.write("one", &a), files.write("two", &format!("{a}{b}")));
    let good = compared(&one, &two);
    let open = |text: &str| ListChanges::open(files.write("changes", text));
    let problem = |error: SinkError| match error {
        SinkError::NotAList { problem, .. } => problem,
        error => panic!("{error}"),
    };
    let out = &mut Vec::new();
    let mismatched = open(&good).unwrap().apply(&two, out).unwrap_err();
    assert_eq!(problem(mismatched), ListProblem::Mismatched);
    let (header, change) = good.split_once('\n').unwrap();
    for (text, expected) in [
        (header.to_owned(), ListProblem::CutOff { line: 1 }),
        (format!("{header}\n"), ListProblem::CutOff { line: 2 }),
        (change.to_owned(), ListProblem::NotChanges { line: 1 }),
        (format!("{header}\n{header}\n"), ListProblem::NotChanges { line: 2 }),
        (format!("{good}{change}"), ListProblem::NotChanges { line: 3 }),
        (format!("{good}{good}"), ListProblem::Mismatched),
        (
            good.replace("\"added\":1", "\"added\":18446744073709551615,\"x\":1")
                .replace("\"gone\":0", "\"gone\":1"),
            ListProblem::NotChanges { line: 1 },
        ),
        ("{}\n".to_owned(), ListProblem::NotChanges { line: 1 }),
    ] {
        assert_eq!(problem(open(&text).unwrap_err()), expected, "{text}");
    }
    for text in [
        good.replace("\"change\":\"added\"", "\"change\":\"gone\""),
        good.replace("\"account_id\":\"b\",\"change\"", "\"account_id\":\"a\",\"change\""),
        good.replace(
            "\"account_id\":\"b\",\"account_type\":0",
            "\"account_id\":\"b\",\"account_type\":9",
        ),
        good.replace(
            "\"type\":\"change\",\"robot_id\":\"r\"",
            "\"type\":\"change\",\"robot_id\":\"s\"",
        ),
    ] {
        assert_ne!(text, good);
        open(&text).unwrap().apply(&one, out).unwrap_err();
    }
}
