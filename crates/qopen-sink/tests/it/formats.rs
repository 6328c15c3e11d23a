//! What a record looks like.

use qopen_sink::{CSV_COLUMNS, FileSink, Format, ListKind, Record, Sink};
use qopen_types::{Account, RobotId};

const FULL: &str = r#"{"account_id":"a1","account_type":"2","deleted_by_contact":0,"deleted_by_staff":true,
    "profile":{"name":"张, \"三\"","gender":1,"avatar":"https://a.example/0","alias":"x\ny","phone":1399998888,
      "add_way":"16","add_at":"1624873867","union_id":"u","external_user_id":"e","state_code":7,
      "channel_name":"c","desc":"d","mood":[1, 2]},
    "user_attr_sys_field_list":[{"field_name":"生日","field_value":"2022-05-12"},{"field_name":"a=b","field_value":"c|d\\"}],
    "user_attr_field_list":null,
    "tag_info_list":[{"parent_tag_name":"g:h","tag_name":"t"}],"vip":true,"robot_id":"someone else's"}"#;

fn written(format: Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), format);
    let robot: RobotId = "r1".parse().unwrap();
    let mut list = sink.begin(ListKind::Complete).unwrap();
    for account in [FULL, r#"{"account_id":"a2"}"#] {
        let account: Account = serde_json::from_str(account).unwrap();
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    list.commit().unwrap();
    std::fs::read_to_string(sink.path()).unwrap()
}

#[test]
fn jsonl() {
    let text = written(Format::Jsonl);
    assert_eq!(text.lines().count(), 2, "a line a record");
    insta::assert_snapshot!(text);
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["robot_id"], "r1");
        assert!(value["user_attr_field_list"].is_array());
    }
}

#[test]
fn csv() {
    let text = written(Format::Csv);
    insta::assert_snapshot!(text);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), CSV_COLUMNS);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(&rows[0][8], "x\ny");
    let extra: serde_json::Value = serde_json::from_str(&rows[0][20]).unwrap();
    assert_eq!(extra["profile"]["mood"], serde_json::json!([1, 2]));
}

/// Both ways of writing the same account give the same bytes.
#[test]
fn an_account_in_its_usual_spelling_need_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let robot: RobotId = "a \"robot\"".parse().unwrap();
    let account: Account = serde_json::from_str(r#"{"account_id":"张 1"}"#).unwrap();
    let usual = serde_json::to_value(&account).unwrap().to_string();
    for (format, takes) in [(Format::Jsonl, true), (Format::Csv, false)] {
        let sink = FileSink::new(folder.path().join("list"), format);
        let mut list = sink.begin(ListKind::Complete).unwrap();
        assert!(!list.write_json(&robot, FULL).unwrap(), "it has fields that nobody knows");
        assert_eq!(list.write_json(&robot, &usual).unwrap(), takes);
        list.write(&Record::new(&robot, &account)).unwrap();
        list.commit().unwrap();
        let text = std::fs::read_to_string(sink.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0] == lines[1], takes);
    }
}
