//! What a record looks like.

use qopen_sink::{
    CSV_COLUMNS, CsvOptions, FileSink, Format, Labels, ListKind, ListWriter, Record, Sink,
    StreamSink,
};
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

/// Writes an account from its JSON, if the sink takes that. Returns whether it does.
fn is_encoded(list: &mut dyn ListWriter, robot: &RobotId, account: &str) -> bool {
    let mut record = String::new();
    let taken = list.encoder(robot).unwrap()(account, &mut record);
    if taken {
        list.write_encoded(robot, record.as_bytes()).unwrap();
    }
    taken
}

/// Both ways of writing the same account give the same bytes.
#[test]
fn an_account_in_its_usual_spelling_need_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let robot: RobotId = "a \"robot\"".parse().unwrap();
    let account: Account = serde_json::from_str(r#"{"account_id":"张 1"}"#).unwrap();
    let usual = serde_json::to_value(&account).unwrap().to_string();
    for (format, before) in [(Format::Jsonl, 0), (Format::Csv, 1)] {
        let sink = FileSink::new(folder.path().join("list"), format);
        let mut list = sink.begin(ListKind::Complete).unwrap();
        assert!(!is_encoded(&mut *list, &robot, FULL), "it has unknown fields");
        assert!(is_encoded(&mut *list, &robot, &usual));
        list.write(&Record::new(&robot, &account)).unwrap();
        list.commit().unwrap();
        let text = std::fs::read_to_string(sink.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), before + 2);
        assert_eq!(lines[before], lines[before + 1]);
    }
}

/// What customers may choose, and what a spreadsheet makes of it.
const HOSTILE: [&str; 4] = [
    r#"{"account_id":"00012345678901234567","account_type":3,"deleted_by_contact":true,
        "profile":{"name":"=HYPERLINK(\"http://evil.example\",\"张三\")","gender":2,"alias":"'quoted",
          "phone":"+8613800138000","add_way":1,"add_at":-1,"desc":"a\u0000b","mood":"=1"},
        "tag_info_list":[{"parent_tag_name":"-g","tag_name":"t"}],
        "user_attr_field_list":[{"field_name":"＠x","field_value":"1"}]}"#,
    r#"{"account_id":"a2","account_type":99,"profile":{"name":"\t=1","gender":-7,"phone":"13800138000"}}"#,
    r#"{"account_id":"1E5","profile":{"name":"2026-01-02"}}"#,
    r#"{"account_id":"a4","profile":{"name":"\u0000=1"}}"#,
];

fn list_with(options: CsvOptions, accounts: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Csv).csv(options);
    let robot: RobotId = "=robot".parse().unwrap();
    let mut list = sink.begin(ListKind::Complete).unwrap();
    for account in accounts {
        let account: Account = serde_json::from_str(account).unwrap();
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    list.commit().unwrap();
    assert_eq!(sink.holds(&robot).unwrap(), !accounts.is_empty(), "{options:?}");
    assert!(!sink.holds(&"robot".parse().unwrap()).unwrap());
    std::fs::read(sink.path()).unwrap()
}

#[test]
fn csv_for_people() {
    let people = CsvOptions::default().bom(true).safe(true);
    for (name, labels) in [("csv_people_zh", Labels::Zh), ("csv_people_en", Labels::En)] {
        let text = list_with(people.labels(Some(labels)), &HOSTILE);
        insta::assert_snapshot!(
            name,
            String::from_utf8(text).unwrap().escape_debug().to_string().replace("\\n", "\n")
        );
    }
}

#[test]
fn a_byte_order_mark_is_written_once_at_the_start_of_every_list() {
    for accounts in [&[][..], &HOSTILE[..1], &HOSTILE[..]] {
        let with = list_with(CsvOptions::default().bom(true), accounts);
        let without = list_with(CsvOptions::default(), accounts);
        assert_eq!(with.strip_prefix("\u{feff}".as_bytes()), Some(&*without));
        assert!(!without.starts_with("\u{feff}".as_bytes()));
    }
}

#[test]
fn stripping_one_mark_from_each_cell_gives_the_plain_list_back() {
    let read = |list: Vec<u8>| -> Vec<csv::StringRecord> {
        csv::Reader::from_reader(&*list).records().map(Result::unwrap).collect()
    };
    let plain = read(list_with(CsvOptions::default(), &HOSTILE));
    let safe = read(list_with(CsvOptions::default().safe(true), &HOSTILE));
    assert_ne!(plain, safe);
    for (plain, safe) in plain.iter().zip(&safe) {
        let stripped: csv::StringRecord = safe.iter().map(CsvOptions::strip_mark).collect();
        assert_eq!(&stripped, plain);
    }
    // What qopen writes itself stays: a code, a time, JSON.
    assert_eq!(
        (&safe[1][6], &safe[0][10], &safe[0][20]),
        ("-7", "-1", r#"{"profile":{"mood":"=1"}}"#)
    );
}

#[test]
fn a_nul_in_a_text_is_shown_and_ends_no_cell() {
    let list = list_with(CsvOptions::default(), &HOSTILE);
    assert!(!list.contains(&0));
    assert!(String::from_utf8(list).unwrap().contains("a\u{fffd}b"));
}

#[test]
fn a_stream_writes_the_same_bytes_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let options = CsvOptions::default().bom(true).safe(true).labels(Some(Labels::Zh));
    let sink = StreamSink::new(std::fs::File::create(&path).unwrap(), Format::Csv).csv(options);
    let robot: RobotId = "=robot".parse().unwrap();
    let mut list = sink.begin(ListKind::Complete).unwrap();
    for account in HOSTILE {
        let account: Account = serde_json::from_str(account).unwrap();
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    list.commit().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), list_with(options, &HOSTILE));
}

#[test]
fn a_list_in_another_format_is_still_known_to_hold_a_robot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let robot: RobotId = "r1".parse().unwrap();
    let other: RobotId = "r2".parse().unwrap();
    for written in [Format::Jsonl, Format::Csv] {
        let mut list = FileSink::new(&path, written).begin(ListKind::Complete).unwrap();
        let account: Account = serde_json::from_str(FULL).unwrap();
        list.write(&Record::new(&robot, &account)).unwrap();
        list.commit().unwrap();
        for read in [Format::Jsonl, Format::Csv] {
            let sink = FileSink::new(&path, read);
            assert!(sink.holds(&robot).unwrap() && !sink.holds(&other).unwrap());
        }
    }
}
