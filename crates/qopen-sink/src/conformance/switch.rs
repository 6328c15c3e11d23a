//! Lists are switched whole, or not at all.

use super::given::{
    End, List, account, changes, column, count, given, history, names, plain, publish,
    publish_plain, publish_with,
};
use super::subject::Subject;
use crate::{CompareOptions, ListBasis, ListInfo, ListKind, SinkError};

pub(super) fn a_list_replaces_the_last_one_in_one_step(subject: &dyn Subject) {
    let sink = subject.sink();
    sink.check().unwrap();
    let first: List = [account("a", |_| {}), account("b", |_| {}), account("c", |_| {})].into();
    publish(&*sink, &[given("r1", "m1", 1, &first), given("r2", "n1", 1, &plain(&["z"]))]).unwrap();
    let mut reader = subject.reader();
    let all = ["name of a", "name of b", "name of c", "name of z"];
    assert_eq!(names(&mut *reader, "robot_account"), all);
    let robot = "r1".parse().unwrap();
    assert!(sink.holds(&robot).unwrap());
    // The other robot's list is not touched.
    let second: List =
        [account("a", |_| {}), account("c", |it| it.profile.name = "new".into())].into();
    publish(&*sink, &[given("r1", "m2", 3, &second)]).unwrap();
    assert_eq!(names(&mut *reader, "robot_account"), ["name of a", "new", "name of z"]);
    let pulls =
        "SELECT mark_id, revision, accounts FROM qopen.pull WHERE complete ORDER BY robot_id";
    assert_eq!(reader.query(pulls), [["m2", "3", "2"], ["n1", "1", "1"]]);
    let times = "SELECT count(*) FROM qopen.pull WHERE published_at IS NULL";
    assert_eq!(column(&mut *reader, times), ["0"]);
    assert!(sink.is_at(&sink.place().unwrap()));
    sink.check().unwrap();
}

pub(super) fn a_reader_keeps_its_list_and_delays_no_publication(subject: &dyn Subject) {
    let sink = subject.sink();
    publish(&*sink, &[given("r", "m1", 1, &plain(&["a", "b"]))]).unwrap();
    let (mut old, mut new) = (subject.reader(), subject.reader());
    old.begin();
    for (n, ids) in (2..).zip([&["b", "c"][..], &["c"], &["a", "d"]]) {
        publish(&*sink, &[given("r", &format!("m{n}"), 1, &plain(ids))]).unwrap();
        assert_eq!(names(&mut *old, "robot_account"), ["name of a", "name of b"]);
        assert_eq!(history(&mut *old, "r"), ["1 m1.1 since -.0: 2 baseline"]);
        assert_eq!(names(&mut *new, "robot_account").len(), ids.len());
    }
    old.execute("COMMIT");
    assert_eq!(names(&mut *old, "robot_account"), ["name of a", "name of d"]);
}

pub(super) fn a_partial_list_is_beside_the_complete_one(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    publish(&*sink, &[given("r", "m1", 1, &plain(&["a"]))]).unwrap();
    for ids in [&["x", "y"][..], &["z"]] {
        publish_plain(&*sink, ListKind::Partial, &given("r", "m2", 0, &plain(ids))).unwrap();
        assert_eq!(names(&mut *reader, "robot_account"), ["name of a"]);
        assert_eq!(names(&mut *reader, "partial_robot_account").len(), ids.len());
    }
    let pulls = "SELECT mark_id FROM qopen.pull ORDER BY mark_id";
    assert_eq!(column(&mut *reader, pulls), ["m1", "m2"]);
    publish(&*sink, &[given("r", "m3", 1, &plain(&["b"]))]).unwrap();
    assert_eq!(names(&mut *reader, "partial_robot_account"), [""; 0]);
    assert_eq!(column(&mut *reader, pulls), ["m3"]);
}

pub(super) fn a_list_never_replaces_a_later_one(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    // The start of a pull takes a number, and only the database gives them.
    let numbers: Vec<_> = (0..3).map(|_| subject.sink().next_order().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.iter().all(Option::is_some), "{numbers:?}");
    assert!(numbers[0] < numbers[1] && numbers[1] < numbers[2], "{numbers:?}");
    let publish = |mark: &str, order: Option<u64>, revision: u32| {
        let mut list =
            given("r", mark, revision, &[account("1", |it| it.profile.name = mark.into())].into());
        list.order = order;
        let info = ListInfo::new(&list.robot, &list.mark, revision).order(order);
        let is_late = sink.is_superseded(&info).unwrap();
        let done = publish_plain(&*sink, ListKind::Complete, &list);
        assert_eq!(is_late, matches!(done, Err(SinkError::Superseded)), "{mark}");
        done.is_ok()
    };
    assert!(publish("second", numbers[1], 1));
    assert!(!publish("first", numbers[0], 1));
    assert!(publish("second", numbers[1], 10));
    assert!(!publish("second", numbers[1], 9));
    assert!(publish("second", numbers[1], 10), "the same again");
    assert_eq!(names(&mut *reader, "robot_account"), ["second"]);
    assert!(publish("third", numbers[2], 1));
    // One without a number is later than the list there, and earlier than what is started then.
    assert!(publish("unnumbered", None, 1));
    assert!(publish("unnumbered", None, 2));
    assert!(!publish("third", numbers[2], 2));
    assert!(publish("fourth", sink.next_order().unwrap(), 1));
    assert_eq!(names(&mut *reader, "robot_account"), ["fourth"]);
}

pub(super) fn a_list_that_is_dropped_or_held_leaves_no_trace(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    publish(&*sink, &[given("r", "m1", 1, &plain(&["a", "b"]))]).unwrap();
    let next = [given("r", "m2", 1, &plain(&["a", "c"]))];
    for end in [End::Drop, End::Hold] {
        let line = r#"{"robot_id":"r"}"#;
        let done = publish_with(&*sink, &next, CompareOptions::default(), &[line], || end);
        assert_eq!(done.unwrap().1, [("r".to_owned(), "b".to_owned())]);
        let tables = ["change", "list", "quarantine"].map(|it| count(&mut *reader, it));
        assert_eq!(tables, [0, 1, 0]);
        assert_eq!(names(&mut *reader, "robot_account"), ["name of a", "name of b"]);
    }
    publish(&*sink, &next).unwrap();
    assert_eq!(changes(&mut *reader, "r", 2), ["gone b", "added c"]);
}

/// What was set aside before is there until the list is replaced, and what is new from then on.
pub(super) fn list_quarantine_and_changes_are_one_commit(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let put = |mark: &str, id: &str, lines: &[&str]| {
        let lists = [given("r", mark, 1, &plain(&[id])), given("s", mark, 1, &plain(&["x"]))];
        publish_with(&*sink, &lists, CompareOptions::default(), lines, || End::Commit)
    };
    let mut found = || {
        let lines =
            "SELECT robot_id, CAST(entry AS text) FROM qopen.quarantine ORDER BY robot_id, place";
        let lines = reader.query(lines).len();
        (names(&mut *reader, "robot_account"), lines, count(&mut *reader, "change"))
    };
    let line = |robot: &str, n: usize| {
        format!(r#"{{"robot_id":"{robot}","reason":"why","raw":"\u0000 {n} \\N"}}"#)
    };
    let many: Vec<String> = (0..600).map(|n| line(["r", "s"][n % 2], n)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    put("m1", "a", &many).unwrap();
    let first = (vec!["name of a".to_owned(), "name of x".to_owned()], 600, 0);
    assert_eq!(found(), first);
    // The last step of the commit fails: nothing is done.
    let good = line("r", 1);
    put("m2", "b", &[&good, "{}"]).unwrap_err();
    assert_eq!(found(), first);
    put("m3", "b", &[&good]).unwrap();
    assert_eq!(found(), (vec!["name of b".to_owned(), "name of x".to_owned()], 1, 2));
    put("m4", "b", &[]).unwrap();
    assert_eq!(found().1, 0);
}

pub(super) fn an_empty_list_is_a_list(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let robot = "r".parse().unwrap();
    publish(&*sink, &[given("r", "m1", 1, &List::new())]).unwrap();
    assert!(!sink.holds(&robot).unwrap());
    publish(&*sink, &[given("r", "m2", 1, &plain(&["a"]))]).unwrap();
    assert!(sink.holds(&robot).unwrap());
    publish(&*sink, &[given("r", "m3", 1, &List::new())]).unwrap();
    let expected = ["1 m1.1 since -.0: 0 baseline", "2 m2.1 since m1.1: 1", "3 m3.1 since m2.1: 0"];
    assert_eq!(history(&mut *reader, "r"), expected);
    assert_eq!(changes(&mut *reader, "r", 3), ["gone a"]);
    // A robot that the new lists leave out keeps its list.
    publish(&*sink, &[given("other", "m4", 1, &plain(&["a"]))]).unwrap();
    assert_eq!(count(&mut *reader, "pull"), 2);
}

pub(super) fn evidence_and_basis_are_recorded_with_the_list(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let order = sink.next_order().unwrap();
    let mut list = given("r", "m1", 1, &plain(&["a"]));
    list.order = order;
    let texts = |evidence: Option<&str>, sentence: &str| {
        Some(ListBasis::new(sentence, evidence.map(str::to_owned)))
    };
    list.basis = texts(Some("{\"quiet_ms\": 3000}"), "the last page was seen\0");
    publish(&*sink, &[list.clone()]).unwrap();
    let mut found = |table: &str, condition: &str| {
        let read = format!(
            "SELECT list_order, CAST(evidence AS text), basis FROM qopen.{table} WHERE {condition}"
        );
        reader.query(&read).remove(0)
    };
    let order = order.unwrap().to_string();
    let first = [&*order, "{\"quiet_ms\": 3000}", "the last page was seen\u{fffd}"];
    assert_eq!(found("pull", "complete"), first);
    assert_eq!(found("list", "number = 1"), first);
    // A revision has its own, and a list without a basis has none.
    (list.revision, list.basis) = (2, texts(None, "later"));
    publish(&*sink, &[list]).unwrap();
    let second = [&*order, "NULL", "later"];
    assert_eq!(found("list", "number = 1"), second);
    publish(&*sink, &[given("r", "m2", 1, &plain(&["b"]))]).unwrap();
    assert_eq!(found("list", "number = 1"), second);
    for table in ["pull", "list"] {
        assert_eq!(found(table, "mark_id = 'm2'")[1..], ["NULL", "NULL"]);
    }
}
