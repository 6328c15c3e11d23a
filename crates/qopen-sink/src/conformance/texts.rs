//! Texts of every kind.

use qopen_types::TagInfo;

use super::given::{
    List, account, changes, column, given, must_fit_together, names, plain, publish, publish_plain,
    read, records,
};
use super::subject::Subject;
use crate::{ListKind, Record};

/// Texts with the characters that COPY, SQL, JSON and C give a meaning.
const ODD: [&str; 10] = [
    "tab\t, line\n\r, \\ and \\N, \"quotes\" 'single', nothing \u{0}, 企业微信",
    "\\N",
    "\u{0}",
    "😀👩‍👩‍👧‍👦 four bytes",
    "'); DROP TABLE pull; --",
    "",
    " ",
    "{\"json\": [1]}",
    "\u{feff}\u{202e}\u{fffd}",
    "NULL",
];

pub(super) fn odd_texts_are_kept(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let tag = |text: &str| {
        let mut tag = TagInfo::default();
        (tag.parent_tag_name, tag.tag_name) = (text.to_owned(), format!("{text}|{text}"));
        tag
    };
    let list: List = ODD
        .iter()
        .zip('a'..)
        .map(|(text, id)| {
            account(&id.to_string(), |it| {
                (it.profile.name, it.profile.desc) = ((*text).to_owned(), (*text).to_owned());
                it.tag_info_list = vec![tag(text), tag(text)];
            })
        })
        .collect();
    publish(&*sink, &[given("r", "m1", 1, &list)]).unwrap();
    // Texts of tables have no NUL; the record has it.
    let shown = ODD.map(|it| it.replace('\0', "\u{fffd}"));
    assert_eq!(names(&mut *reader, "robot_account"), shown);
    let tags = "SELECT parent_tag_name FROM qopen.tag WHERE place = 1 ORDER BY account_id";
    assert_eq!(column(&mut *reader, tags), shown);
    let robot = "r".parse().unwrap();
    for (id, json) in records(&mut *reader, "r") {
        assert_eq!(json, serde_json::to_string(&Record::new(&robot, &list[&id])).unwrap());
    }
    // They are equal the next time.
    let done = publish(&*sink, &[given("r", "m2", 1, &list)]).unwrap();
    assert_eq!(done.0.unwrap()[0].counts.total(), 0);
    assert_eq!(changes(&mut *reader, "r", 2), [""; 0]);
}

pub(super) fn a_tag_of_any_length_is_kept(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let (id, mut long) = account("1", |_| {});
    for length in [3_000, 100_000] {
        let name = (0..length).map(|n| format!("{:x}", n * 7919 % 4096)).collect::<String>();
        let mut tag = TagInfo::default();
        (tag.parent_tag_name, tag.tag_name) = (name.clone(), name);
        long.tag_info_list.push(tag);
    }
    let list = List::from([(id, long.clone())]);
    publish(&*sink, &[given("r", "m1", 1, &list)]).unwrap();
    publish_plain(&*sink, ListKind::Partial, &given("r", "m2", 1, &list)).unwrap();
    for table in ["tag", "partial_tag"] {
        let tags = format!("SELECT tag_name FROM qopen.{table} ORDER BY place");
        let expected: Vec<_> = long.tag_info_list.iter().map(|it| it.tag_name.clone()).collect();
        assert_eq!(column(&mut *reader, &tags), expected);
    }
    // A customer who is gone takes the tags along.
    publish(&*sink, &[given("r", "m3", 1, &List::new())]).unwrap();
    let tags = "SELECT count(*) FROM qopen.tag";
    assert_eq!(column(&mut *reader, tags), ["0"]);
}

pub(super) fn ids_of_any_form_are_told_apart(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let long = "x".repeat(511);
    let ids = ["A", "a", "á", "a\u{301}", "😀", "a b", "%_", "\\", "\"", "1", "01", "1.0", "ａ"];
    let ids: Vec<String> = ids.iter().map(|it| (*it).to_owned()).collect();
    let ids: Vec<String> =
        ids.into_iter().chain([format!("{long}1"), format!("{long}2")]).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    // Robots, too.
    let robots: Vec<_> = ids.iter().map(|robot| given(robot, "m1", 1, &plain(&all))).collect();
    publish(&*sink, &robots).unwrap();
    let figures = "SELECT count(*), count(DISTINCT robot_id), count(DISTINCT account_id) FROM qopen.robot_account";
    let each = ids.len().to_string();
    let rows = (ids.len() * ids.len()).to_string();
    assert_eq!(reader.query(figures), [[&*rows, &each, &each]]);
    let next: Vec<_> = ids.iter().map(|robot| given(robot, "m2", 1, &plain(&all[1..]))).collect();
    let (found, gone) = publish(&*sink, &next).unwrap();
    assert!(found.unwrap().iter().all(|it| (it.counts.gone, it.counts.total()) == (1, 1)));
    let expected: Vec<_> = ids.iter().map(|robot| (robot.clone(), "A".to_owned())).collect();
    assert_eq!(gone, expected);
}

pub(super) fn unreadable_and_unknown_fields_are_kept(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let page = |name: &str| -> List {
        [
            read(&format!(
                r#"{{"account_id":"a","deleted_by_contact":"perhaps","robot_id":"another","new \u0000 field":[1,"\\N"],
                    "profile":{{"name":{name},"add_at":1700000000,"gender":9,"other":{{}}}}}}"#
            )),
            read(r#"{"account_id":"b","profile":{"name":"Bo","add_at":-1,"phone":123}}"#),
        ]
        .into()
    };
    let list = page("{}");
    assert_eq!(list["a"].unread.len(), 2);
    publish(&*sink, &[given("r", "m1", 1, &list)]).unwrap();
    let robot = "r".parse().unwrap();
    for (id, json) in records(&mut *reader, "r") {
        assert_eq!(json, serde_json::to_string(&Record::new(&robot, &list[&id])).unwrap());
        assert_eq!(json.contains("\"_unread\":"), id == "a", "{json}");
    }
    let columns = "SELECT name, phone, gender, CASE WHEN deleted_by_contact THEN 1 ELSE 0 END,
             CASE WHEN add_at IS NULL THEN '' ELSE CAST(add_at AS text) END
         FROM qopen.robot_account ORDER BY account_id";
    let rows = reader.query(columns);
    assert_eq!(rows[1], ["Bo", "123", "0", "0", ""]);
    assert_eq!(rows[0][..4], ["", "", "9", "0"]);
    assert!(rows[0][4].starts_with("2023-11-14"), "{:?}", rows[0]);
    publish(&*sink, &[given("r", "m2", 1, &page("\"Ann\""))]).unwrap();
    assert_eq!(changes(&mut *reader, "r", 2), [r#"changed a ["profile.name","_unread"]"#]);
    must_fit_together(&mut *reader, "r");
}
