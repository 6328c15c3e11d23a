//! Singer messages: a record is its line of JSON Lines, and the state is read back.

use std::io;
use std::sync::{Arc, Mutex};

use qopen_sink::{ListInfo, ListKind, Record, SingerSink, SingerState, Sink as _};
use qopen_types::{Account, MarkId, RobotId};
use serde_json::{Value, json};

#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ODD: &str = r#"{"account_id":"a\"1","profile":{"name":"a\u0000\nb\u2028🙂","phone":"13912345678901234567890"},
    "vip":9007199254740993000001,"share":0.1000000000000000055511151231257827,"nothing":null,"robot_id":"theirs",
    "tag_info_list":[{"tag_name":"\\N"}]}"#;

/// Writes lists. Returns the version that the commit names.
fn list(sink: &SingerSink, robots: &[(&str, Option<u64>, &[&str])], kind: ListKind) -> Option<u64> {
    let mut list = sink.begin(kind).unwrap();
    for (robot, order, accounts) in robots {
        let (robot, mark): (RobotId, MarkId) = (robot.parse().unwrap(), "m".parse().unwrap());
        list.begin_list(&ListInfo::new(&robot, &mark, 1).order(*order)).unwrap();
        for account in *accounts {
            let account: Account = serde_json::from_str(account).unwrap();
            list.write(&Record::new(&robot, &account)).unwrap();
        }
    }
    list.commit().unwrap().order
}

fn said(out: &Out) -> Vec<String> {
    let text = String::from_utf8(std::mem::take(&mut *out.0.lock().unwrap())).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn numbers_and_texts_of_any_kind_come_as_they_are() {
    let out = Out::default();
    let sink = SingerSink::new(out.clone());
    list(&sink, &[("r\"1", Some(7), &[ODD, r#"{"account_id":"b"}"#])], ListKind::Complete);
    let said = said(&out);
    assert_eq!(said.len(), 5, "a line a message");
    let robot: RobotId = "r\"1".parse().unwrap();
    let account: Account = serde_json::from_str(ODD).unwrap();
    let record = serde_json::to_string(&Record::new(&robot, &account)).unwrap();
    assert!(record.contains("9007199254740993000001"), "{record}");
    assert_eq!(
        said[1],
        format!(r#"{{"type":"RECORD","stream":"robot_account","version":7,"record":{record}}}"#)
    );
    insta::assert_snapshot!(said[0]);
    insta::assert_snapshot!(said[3..].join("\n"));
}

#[test]
fn all_lists_of_a_commit_have_the_greatest_version() {
    let out = Out::default();
    let sink = SingerSink::new(out.clone());
    let one: &[&str] = &[r#"{"account_id":"a"}"#];
    let version = list(&sink, &[("r1", Some(7), one), ("r2", Some(9), one)], ListKind::Complete);
    assert_eq!(version, Some(9));
    let messages = said(&out);
    assert!(messages[1..4].iter().all(|it| it.contains(r#""version":9"#)), "{messages:?}");
    list(&sink, &[("r1", Some(10), one)], ListKind::Partial);
    assert_eq!(said(&out).len(), 2);
}

#[test]
fn a_robot_of_the_state_is_not_left_out_unasked() {
    let mut state = SingerState::default();
    let pull = |robot: &str| qopen_types::PullId {
        robot_id: robot.parse().unwrap(),
        mark_id: "m".parse().unwrap(),
    };
    state.add(&pull("r1"), 5, 1, 3);
    state.add(&pull("r2"), 4, 1, 0);
    state.add(&pull("r1"), 3, 9, 9);
    assert_eq!(state.version(), 5);
    let out = Out::default();
    let sink = SingerSink::new(out.clone()).after(state.clone());
    assert!(sink.holds(&"r1".parse().unwrap()).unwrap(), "it had customers");
    assert!(!sink.holds(&"r2".parse().unwrap()).unwrap());
    assert!(!sink.holds(&"r3".parse().unwrap()).unwrap());
    assert!(sink.next_order().unwrap() > Some(5));
    let one: &[&str] = &[r#"{"account_id":"a"}"#];
    list(&sink, &[("r1", Some(6), one)], ListKind::Complete);
    assert_eq!(sink.left_out().iter().map(RobotId::as_str).collect::<Vec<_>>(), ["r2"]);
    let last: Value = serde_json::from_str(said(&out).last().unwrap()).unwrap();
    let bookmark = |version, accounts| json!({ "mark_id": "m", "version": version, "revision": 1, "accounts": accounts });
    let robots = json!({ "r1": bookmark(6, 1), "r2": bookmark(4, 0) });
    assert_eq!(
        last["value"]["bookmarks"]["robot_account"],
        json!({ "version": 6, "robots": robots })
    );
    let read = SingerState::parse(&last.to_string()).unwrap();
    assert_eq!(SingerState::parse(&last["value"].to_string()), Some(read));

    let sink = SingerSink::new(out.clone()).after(state).forget_left_out(true);
    // A pull that began before those messages, and was resumed: else the target keeps the customers of r2.
    let version = list(&sink, &[("r1", Some(4), one)], ListKind::Complete);
    assert!(version > Some(5), "{version:?}");
    let messages = said(&out);
    assert!(messages[2].ends_with(&format!("\"version\":{}}}", version.unwrap())), "{messages:?}");
    list(&sink, &[("r1", Some(6), one)], ListKind::Complete);
    let messages = said(&out);
    assert!(
        messages[2].contains("ACTIVATE_VERSION") && !messages[3].contains("r2"),
        "{messages:?}"
    );
    assert!(sink.left_out().is_empty());
}

#[test]
fn versions_grow_after_any_state_and_without_one() {
    let sink = SingerSink::new(Out::default());
    let first = sink.next_order().unwrap().unwrap();
    assert!(first > 1_700_000_000_000, "milliseconds");
    // A clone counts with it: the pulls of one process.
    let second = sink.clone().next_order().unwrap().unwrap();
    assert!(second > first && sink.next_order().unwrap().unwrap() > second);
    // A clock that went back does not count.
    let ahead = SingerSink::new(Out::default()).after_version(u64::from(u32::MAX) << 20);
    assert_eq!(ahead.next_order().unwrap(), Some((u64::from(u32::MAX) << 20) + 1));
}

#[test]
fn what_is_no_state_is_refused() {
    for text in [
        "",
        "[]",
        "3",
        "null",
        r#"{"bookmarks":[]}"#,
        r#"{"type":"STATE"}"#,
        r#"{"bookmarks":{"robot_account":{"robots":[]}}}"#,
    ] {
        assert_eq!(SingerState::parse(text), None, "{text}");
    }
    for text in
        ["{}", r#"{"bookmarks":{}}"#, r#"{"type":"STATE","value":{"currently_syncing":null}}"#]
    {
        assert_eq!(SingerState::parse(text).map(|it| it.version()), Some(0), "{text}");
    }
}
