//! What readers of changes get from a database.

use qopen_types::{MarkId, RobotId};

use super::given::{Given, List, account, given, plain, publish};
use crate::storage::{FoundChanges, NotKept};
use crate::{FileSink, Format, ListChanges, Sink};

/// Reads the changes of a robot since the list of a mark, whole.
pub type ReadChanges<'a> =
    &'a mut dyn FnMut(&RobotId, Option<(&MarkId, Option<u32>)>) -> FoundChanges<Vec<u8>>;

/// Publishes lists to a database without lists, and compares the changes that it gives with those of a file.
///
/// # Panics
/// If they differ.
pub fn check_changes(sink: &dyn Sink, read: ReadChanges<'_>) {
    let mut read = |robot: &str, since: Option<(&str, Option<u32>)>| {
        let since = since.map(|(mark, revision)| (mark.parse::<MarkId>().unwrap(), revision));
        let since = since.as_ref().map(|(mark, revision)| (mark, *revision));
        read(&robot.parse().unwrap(), since)
    };
    let text = |found: FoundChanges<Vec<u8>>| match found {
        FoundChanges::Lines(lines) => String::from_utf8(lines).unwrap(),
        other => panic!("{other:?}"),
    };
    let not_kept = |found: FoundChanges<Vec<u8>>, why: NotKept| {
        let is_so = matches!(&found, FoundChanges::NotKept(found) if *found == why);
        assert!(is_so, "{found:?}");
    };
    assert!(matches!(read("r", None), FoundChanges::Unknown));
    let folder = tempfile::tempdir().unwrap();
    let file = FileSink::new(folder.path().join("list.jsonl"), Format::Jsonl);
    let mut files = Vec::new();
    for step in steps() {
        publish(&file, std::slice::from_ref(&step)).unwrap();
        publish(sink, &[step]).unwrap();
        let changes = std::fs::read_to_string(file.changes_path()).unwrap();
        let found = text(read("r", None));
        assert!(found == changes, "{:?} {:?}", found.lines().next(), changes.lines().next());
        files.push(changes);
    }
    // The revision replaces what it revises.
    files.remove(2);
    for (n, since) in (1..).zip(["m1", "m2", "m3", "m4", "m5"]) {
        let found = text(read("r", Some((since, None))));
        assert!(found == files[n..].concat(), "since {since}");
    }
    ListChanges::open(file.changes_path()).unwrap();
    // The list of a reader may be any earlier one, in its last revision.
    assert_eq!(text(read("r", Some(("m3", Some(2))))), files[3..].concat());
    not_kept(read("r", Some(("m3", Some(1)))), NotKept::Revised { revision: 2 });
    not_kept(read("r", Some(("m0", None))), NotKept::Removed);
    assert!(matches!(read("s", None), FoundChanges::Unknown));
    super::given::anew(sink, &[given("r", "m6", 1, &plain(&["a"]))]).unwrap();
    not_kept(read("r", Some(("m5", None))), NotKept::Baseline);
    assert_eq!(text(read("r", Some(("m6", Some(1))))), "");
}

/// Lists with each kind of change, more changes than are read at once, odd texts, and a revision.
fn steps() -> [Given; 6] {
    let many: Vec<String> = (0..300).map(|n| format!("many {n:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let odd = "it's \\ \"odd\" 企业微信";
    let named = |ids: &[&str], name: &str| -> List {
        let one = |id: &&str| account(id, |it| it.profile.name = format!("{name} {id}\n\u{0}"));
        ids.iter().map(one).collect()
    };
    let mut third = named(&["B", "a", "é"], "x");
    third.extend([account(odd, |it| it.deleted_by_contact = true)]);
    [
        given("r", "m1", 1, &named(&["B", "a", "b", odd], "x")),
        given("r", "m2", 1, &named(&[&many[..], &["B", "b", odd]].concat(), "y")),
        given("r", "m3", 1, &third),
        given("r", "m3", 2, &named(&["B", "a", "ü"], "z")),
        given("r", "m4", 1, &named(&["B", "a", "ü"], "z")),
        given("r", "m5", 1, &List::new()),
    ]
}
