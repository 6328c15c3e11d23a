//! The added fields are in every output.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use qopen_sink::{CsvOptions, FileSink, Format, Labels, ListKind, ListWriter, Record, Sink};
use qopen_types::{Account, RobotId};

const ACCOUNT: &str = r#"{"account_id":"a","level":3,"nickname":"Nick","profile":{"seen_at":1624873867}}"#;

/// Writes an account from its JSON, if the sink takes that. Returns whether it does.
fn is_encoded(list: &mut dyn ListWriter, robot: &RobotId, account: &str) -> bool {
    let mut record = String::new();
    let taken = list.encoder(robot).unwrap()(account, &mut record);
    if taken {
        list.write_encoded(robot, record.as_bytes()).unwrap();
    }
    taken
}

/// A list with the account, written from its JSON if the sink takes that, and else from what is read.
fn written(format: Format, options: CsvOptions, account: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), format).csv(options);
    let robot: RobotId = "r".parse().unwrap();
    let mut list = sink.begin(ListKind::Complete).unwrap();
    if !is_encoded(&mut *list, &robot, account) {
        let account: Account = serde_json::from_str(account).unwrap();
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    list.commit().unwrap();
    std::fs::read_to_string(sink.path()).unwrap()
}

#[test]
fn jsonl_has_them_in_either_way() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let mut list = sink.begin(ListKind::Complete).unwrap();
    let robot: RobotId = "r".parse().unwrap();
    assert!(is_encoded(&mut *list, &robot, ACCOUNT), "they are of the common form");
    // Another spelling must be read to be written.
    let quoted = ACCOUNT.replace("\"level\":3", "\"level\":\"3\"");
    assert!(!is_encoded(&mut *list, &robot, &quoted));
    let line = written(Format::Jsonl, CsvOptions::default(), ACCOUNT);
    assert_eq!(line, written(Format::Jsonl, CsvOptions::default(), &quoted));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["nickname"], "Nick");
    assert_eq!(value["level"], 3);
    assert_eq!(value["profile"]["seen_at"], 1_624_873_867);
    assert!(line.contains(r#""nickname":"Nick","level":3,"tag_info_list":[]}"#), "in their places: {line}");
}

#[test]
fn csv_has_them_behind_the_columns_that_were_there() {
    let list = written(Format::Csv, CsvOptions::default(), ACCOUNT);
    let (header, row) = list.split_once('\n').unwrap();
    assert!(header.ends_with(",user_attr_fields,seen_at,nickname,level,extra,_unread"), "{header}");
    assert!(row.trim_end().ends_with(",1624873867,Nick,3,,"), "{row}");
    let labelled = written(Format::Csv, CsvOptions::default().labels(Some(Labels::En)), ACCOUNT);
    assert!(labelled.trim_end().ends_with(",1624873867,Nick,gold,,"), "{labelled}");
}

#[test]
fn one_that_cannot_be_read_is_kept_as_it_came() {
    let broken = ACCOUNT.replace("\"Nick\"", "[1]");
    let callback = format!(r#"{{"event_type":42016,"data":{{"account_list":[{broken}]}}}}"#);
    let callback: qopen_types::RobotAccountListCallback = serde_json::from_str(&callback).unwrap();
    let account = callback.data.as_ref().unwrap().account_list.valid().next().unwrap();
    let unread: Vec<_> = account.unread.iter().map(|(path, value)| (path, value.as_str())).collect();
    assert_eq!((&*account.nickname, unread), ("", vec![("nickname", "[1]")]));
}

#[test]
fn tables_get_a_column_for_each() {
    let columns: Vec<_> = Account::COLUMNS.iter().filter(|it| it.in_tables).collect();
    let last: Vec<_> = columns.iter().rev().take(3).rev().map(|it| it.name).collect();
    assert_eq!(last, ["seen_at", "nickname", "level"]);
}
