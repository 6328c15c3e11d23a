//! What changed since the last list.

use qopen_types::{Account, Json, PullId};

use super::given::{
    List, account, anew, changes, count, counts, given, history, must_fit_together, only, plain,
    publish, since,
};
use super::subject::Subject;
use crate::{ChangeCounts, Predecessor, SinkError};

pub(super) fn each_kind_of_change_has_its_row(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let flags = |contact: bool, staff: bool| {
        move |it: &mut Account| (it.deleted_by_contact, it.deleted_by_staff) = (contact, staff)
    };
    let mut first = plain(&["B", "a", "b", "c", "d", "e", "é"]);
    let both = [account("lost and back", flags(true, false)), account("both", flags(true, false))];
    first.extend(both);
    let found = only(publish(&*sink, &[given("r", "m1", 1, &first)]));
    assert_eq!((found.since, found.accounts_before), (Predecessor::Baseline, 0));
    assert_eq!(found.counts, ChangeCounts::default());
    assert_eq!(count(&mut *reader, "change"), 0);

    let mut second = plain(&["B", "new", "é"]);
    second.extend([
        account("a", |it| {
            it.deleted_by_contact = true;
            it.profile.name = "odd \"name\" \\ {x}".to_owned();
        }),
        account("b", flags(false, true)),
        account("c", |it| it.profile.alias = "alias".to_owned()),
        account("d", |it| {
            it.tag_info_list = vec![Default::default()];
            it.extra.insert("odd \"field\" {a,b} \\", Json::parse("1").unwrap());
        }),
        account("lost and back", |_| {}),
        account("both", flags(false, true)),
    ]);
    let done = publish(&*sink, &[given("r", "m2", 1, &second)]);
    assert_eq!(done.as_ref().unwrap().1, [("r".to_owned(), "e".to_owned())]);
    let found = only(done);
    assert_eq!((found.since, found.accounts_before), (since("m1", 1), 9));
    assert_eq!(found.counts, counts([1, 1, 1, 2, 1, 2]));
    let expected = [
        r#"lost a ["deleted_by_contact","profile.name"]"#,
        r#"removed b ["deleted_by_staff"]"#,
        r#"removed both ["deleted_by_contact","deleted_by_staff"]"#,
        r#"changed c ["profile.alias"]"#,
        r#"changed d ["tag_info_list","odd \"field\" {a,b} \\"]"#,
        "gone e",
        r#"returned lost and back ["deleted_by_contact"]"#,
        "added new",
    ];
    assert_eq!(changes(&mut *reader, "r", 2), expected);
    let expected = ["1 m1.1 since -.0: 9 baseline", "2 m2.1 since m1.1: 9"];
    assert_eq!(history(&mut *reader, "r"), expected);
    let figures =
        "SELECT added, gone, lost, removed, returned, changed FROM qopen.list WHERE number = 2";
    assert_eq!(reader.query(figures), [["1", "1", "1", "2", "1", "2"]]);
    must_fit_together(&mut *reader, "r");
}

pub(super) fn a_revision_has_the_changes_since_the_list_before_its_pull(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    publish(&*sink, &[given("r", "m1", 3, &plain(&["a", "b", "c"]))]).unwrap();
    publish(&*sink, &[given("r", "m2", 1, &plain(&["a", "d", "x"]))]).unwrap();
    assert_eq!(changes(&mut *reader, "r", 2), ["gone b", "gone c", "added d", "added x"]);
    // One who was gone is back as before, one differs from before, one who was added never was there.
    let mut second = plain(&["b", "d"]);
    second.extend([account("c", |it| it.profile.name = "other".to_owned())]);
    let done = publish(&*sink, &[given("r", "m2", 2, &second)]);
    assert_eq!(done.as_ref().unwrap().1, [("r".to_owned(), "a".to_owned())]);
    let found = only(done);
    assert_eq!((found.since, found.accounts_before), (since("m1", 3), 3));
    assert_eq!(found.counts, counts([1, 1, 0, 0, 0, 1]));
    let composed = ["gone a", r#"changed c ["profile.name"]"#, "added d"];
    assert_eq!(changes(&mut *reader, "r", 2), composed);
    let expected = ["1 m1.3 since -.0: 3 baseline", "2 m2.2 since m1.3: 3"];
    assert_eq!(history(&mut *reader, "r"), expected);
    must_fit_together(&mut *reader, "r");
    // The same revision again, such as after a lost note, changes nothing.
    let found = only(publish(&*sink, &[given("r", "m2", 2, &second)]));
    assert_eq!((found.since, found.counts), (since("m1", 3), counts([1, 1, 0, 0, 0, 1])));
    assert_eq!(changes(&mut *reader, "r", 2), composed);
    must_fit_together(&mut *reader, "r");
    // The changes of a first list's revision begin with it.
    publish(&*sink, &[given("s", "m1", 1, &plain(&["a"]))]).unwrap();
    let found = only(publish(&*sink, &[given("s", "m1", 2, &plain(&["b"]))]));
    assert_eq!((found.since, count(&mut *reader, "change")), (Predecessor::Baseline, 3));
    assert_eq!(history(&mut *reader, "s"), ["1 m1.2 since -.0: 1 baseline"]);
    // Changes that a reader deleted cannot be continued.
    reader.execute("DELETE FROM qopen.change WHERE account_id = 'c'");
    let refused = publish(&*sink, &[given("r", "m2", 3, &second)]).unwrap_err();
    assert!(
        matches!(&refused, SinkError::PreviousRows { found: 2, expected: Some(3), .. }),
        "{refused}"
    );
    anew(&*sink, &[given("r", "m2", 3, &second)]).unwrap();
    assert_eq!(changes(&mut *reader, "r", 2), [""; 0]);
    assert_eq!(history(&mut *reader, "r")[1], "2 m2.3 since -.0: 3 baseline");
}

pub(super) fn a_half_deleted_list_is_refused_until_a_new_baseline(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let list = plain(&["a", "b", "c"]);
    publish(&*sink, &[given("r", "m1", 1, &list)]).unwrap();
    for (delete, published) in [
        ("DELETE FROM qopen.robot_account WHERE account_id = 'b'", "3 were published"),
        ("DELETE FROM qopen.pull", "no list was published"),
    ] {
        reader.execute(delete);
        let refused = publish(&*sink, &[given("r", "m2", 1, &list)]).unwrap_err().to_string();
        let said = format!(
            "has 2 rows of robot r, and {published}; restore them, or publish with --new-baseline to start anew"
        );
        assert!(refused.ends_with(&said) && refused.contains("robot_account in "), "{refused}");
        assert_eq!((count(&mut *reader, "robot_account"), count(&mut *reader, "list")), (2, 1));
    }
    let found = only(anew(&*sink, &[given("r", "m2", 1, &list)]));
    assert_eq!((found.since, found.accounts_before), (Predecessor::Baseline, 0));
    assert_eq!(count(&mut *reader, "robot_account"), 3);
    publish(&*sink, &[given("r", "m3", 1, &plain(&["a"]))]).unwrap();
    let expected =
        ["1 m1.1 since -.0: 3 baseline", "2 m2.1 since -.0: 3 baseline", "3 m3.1 since m2.1: 1"];
    assert_eq!(history(&mut *reader, "r"), expected);
    // A row that was edited is a change.
    reader.execute("UPDATE qopen.robot_account SET account = '[]'");
    let found = only(publish(&*sink, &[given("r", "m4", 1, &plain(&["a"]))]));
    assert_eq!(found.counts, counts([0, 0, 0, 0, 0, 1]));
    must_fit_together(&mut *reader, "r");
    // A list without customers is a list.
    publish(&*sink, &[given("r", "m5", 1, &List::new())]).unwrap();
    let found = only(publish(&*sink, &[given("r", "m6", 1, &plain(&["a"]))]));
    assert_eq!((found.since, found.counts), (since("m5", 1), counts([1, 0, 0, 0, 0, 0])));
}

/// The place says at the commit that it has a later list. The engine asks before that too.
pub(super) fn a_superseded_list_is_not_compared(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    publish(&*sink, &[given("r", "m1", 2, &plain(&["a"]))]).unwrap();
    let late = publish(&*sink, &[given("r", "m1", 1, &plain(&["b"]))]);
    assert!(matches!(late, Err(SinkError::Superseded)), "{late:?}");
    assert_eq!(history(&mut *reader, "r"), ["1 m1.2 since -.0: 1 baseline"]);
}

/// The changes of 30 lists are kept, and those of the last one always.
pub(super) fn old_changes_are_removed(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let lists = [plain(&["a"]), plain(&["b"])];
    for n in 0..35 {
        let list = given("r", &format!("m{n}"), 1, &lists[n % 2]);
        let other = given("other", "same", u32::try_from(n).unwrap(), &lists[n % 2]);
        publish(&*sink, &[list, other]).unwrap();
    }
    let kept = "SELECT min(number), max(number), count(*) FROM qopen.change WHERE robot_id = 'r'";
    assert_eq!(reader.query(kept), [["6", "35", "60"]]);
    assert_eq!(count(&mut *reader, "list"), 36);
    // A reader who empties the history cannot make numbers come twice.
    reader.execute("DELETE FROM qopen.list WHERE robot_id = 'r'");
    publish(&*sink, &[given("r", "last", 1, &lists[1])]).unwrap();
    assert_eq!(history(&mut *reader, "r"), ["36 last.1 since m34.1: 1"]);
}

pub(super) fn retention_spares_the_last_list(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let pull = |robot: &str, mark: &str| PullId {
        robot_id: robot.parse().unwrap(),
        mark_id: mark.parse().unwrap(),
    };
    assert_eq!(sink.forget(&[pull("r", "m1")]).unwrap(), 0);
    for (mark, ids) in [("m1", ["a", "b"]), ("m2", ["a", "c"]), ("m3", ["a", "d"])] {
        let both = ["r", "s"].map(|robot| given(robot, mark, 1, &plain(&ids)));
        publish(&*sink, &both).unwrap();
    }
    let gone = [pull("r", "m2"), pull("s", "m3"), pull("t", "m1"), pull("r", "m9")];
    assert_eq!(sink.forget(&gone).unwrap(), 2);
    assert_eq!(history(&mut *reader, "r"), ["3 m3.1 since m2.1: 2"]);
    assert_eq!(history(&mut *reader, "s").len(), 3);
    assert_eq!([2, 3].map(|n| changes(&mut *reader, "r", n).len()), [0, 2]);
    assert_eq!(count(&mut *reader, "robot_account"), 4);
    // The next list is compared with the last one.
    let found = only(publish(&*sink, &[given("r", "m4", 1, &plain(&["a"]))]));
    assert_eq!((found.since, found.counts), (since("m3", 1), counts([0, 1, 0, 0, 0, 0])));
}
