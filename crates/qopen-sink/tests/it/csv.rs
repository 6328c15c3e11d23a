//! Lists in CSV that are compared: options, damage, and what is refused.

use std::fs;
use std::path::Path;

use qopen_sink::{
    ChangesHeader, CompareOptions, CsvOptions, FileSink, Format, Labels, ListChanges, ListProblem,
    Predecessor, SinkError, compare_lists,
};

use crate::compare::{Files, compared};
use crate::lists::{
    A, B, C, UNKNOWN, compare, csv_sink, names, publish, publish_b_after_a, read, settled, since,
};

fn problem(error: SinkError) -> ListProblem {
    match error {
        SinkError::Previous { problem, .. } | SinkError::NotAList { problem, .. } => problem,
        error => panic!("{error}"),
    }
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
    publish_b_after_a(&sink, &earlier);
    insta::assert_snapshot!(read(sink.changes_path()));
    let (found, gone) = publish(&sink, &[("r", "m2", 2, C)]).unwrap();
    assert_eq!((found[0].since.clone(), gone), (since("m1", 1), vec!["r/b".to_owned()]));
    // A list without customers, and the next one.
    publish(&sink, &[("r", "m3", 1, &[])]).unwrap();
    assert_eq!(read(sink.path()).lines().count(), 1);
    let (found, _) = publish(&sink, &[("r", "m4", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.added), (since("m3", 1), 3));
    // Without changes it is compared as it is, unless it has no customers: it may have had some.
    fs::remove_file(sink.changes_path()).unwrap();
    let (found, _) = publish(&sink, &[("r", "m5", 1, &[])]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.gone), (UNKNOWN, 3));
    fs::remove_file(sink.changes_path()).unwrap();
    let refused = publish(&sink, &[("r", "m6", 1, A)]).unwrap_err();
    assert!(
        matches!(refused, SinkError::Previous { problem: ListProblem::Empty, .. }),
        "{refused}"
    );
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
    let plain = CsvOptions::default();
    let safe = plain.safe(true);
    let (zh, en) = (plain.labels(Some(Labels::Zh)), plain.labels(Some(Labels::En)));
    let people = safe.bom(true).labels(Some(Labels::Zh));
    let all = [plain, plain.bom(true), safe, zh, en, people];
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
            if one != plain {
                continue;
            }
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

/// The changes beside a removed list describe no other options and no other format.
#[test]
fn a_removed_list_is_not_restored_with_other_options_or_in_another_format() {
    let (_folder, csv) = csv_sink();
    let bom = csv.clone().csv(CsvOptions::default().bom(true));
    let jsonl = FileSink::new(csv.path(), Format::Jsonl);
    for (other, accounts) in [(&bom, A), (&bom, &[][..]), (&jsonl, &[])] {
        let _ = fs::remove_file(csv.path());
        let _ = fs::remove_file(csv.changes_path());
        publish(&csv, &[("r", "m1", 1, B)]).unwrap();
        publish(&csv, &[("r", "m2", 1, accounts)]).unwrap();
        fs::remove_file(csv.path()).unwrap();
        let error = publish(other, &[("r", "m2", 1, accounts)]).unwrap_err();
        assert_eq!(problem(error), ListProblem::Missing);
        publish(&csv, &[("r", "m2", 1, accounts)]).unwrap();
        let (found, _) = publish(&csv, &[("r", "m3", 1, C)]).unwrap();
        assert_eq!(found[0].since, since("m2", 1));
    }
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
