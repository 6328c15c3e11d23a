//! Columns of later fields in a file of an earlier version.

use std::time::Duration;

use qopen_sink::conformance::later_columns;
use qopen_sink::storage::TableWriter;
use qopen_sink::{ListInfo, ListKind, ListWriter as _, Record, SinkError};
use qopen_types::{Item, Json, MarkId, RobotId};

use super::*;
use crate::file::DatabaseFile;
use crate::writer::Tables;

fn publish(file: &DatabaseFile, names: &[&str]) -> Result<(), SinkError> {
    let (robot, mark): (RobotId, MarkId) = ("r".parse().unwrap(), "m".parse().unwrap());
    let tables = Tables::open(file.clone())?;
    let mut list = TableWriter::begin(tables, ListKind::Complete, None)?;
    list.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    for name in names {
        let json = format!(
            r#"{{"account_id":"{name}","nickname":"N {name}","order":7,"level":3,"seen_at":1700000000}}"#
        );
        let (Item::Valid(account), _) = Item::<Account>::read_with(Json::parse(&json).unwrap())
        else {
            panic!("{json}");
        };
        list.write(&Record::new(&robot, &account))?;
    }
    Box::new(list).commit().map(drop)
}

#[test]
fn a_file_of_an_earlier_version_gets_the_columns_of_later_fields_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists.db");
    let columns = Columns::of(Account::COLUMNS);
    let earlier = DatabaseFile { path, wait: Duration::from_secs(5), columns };
    let names: Vec<String> = (0..1_500).map(|n| format!("{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    publish(&earlier, &names).unwrap();

    let all: Vec<Column> = Account::COLUMNS.iter().copied().chain(later_columns()).collect();
    let now = DatabaseFile { columns: Columns::of(&all), ..earlier.clone() };
    let (file, steps) = now.open().unwrap();
    assert_eq!((steps, now.open().unwrap().1), (1, 0));
    let filled = r#"SELECT count(*) FROM robot_account
        WHERE nickname = 'N ' || account_id AND "order" = 7 AND level = 3 AND vip
            AND seen_at = '2023-11-14T22:13:20Z' AND json_extract(things, '$[0].a') = '\'
            AND json_extract(pairs, '$[0][0]') = account_id"#;
    let count = || file.query_row(filled, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1_500);
    publish(&now, &["0001", "new"]).unwrap();
    assert_eq!(count(), 2);
    // The earlier version would write rows without the columns.
    let error = publish(&earlier, &["a"]).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("use the later qopen"), "{source}");
    assert_eq!(count(), 2);
}

#[test]
fn every_column_of_an_account_is_in_its_table() {
    let file = Connection::open_in_memory().unwrap();
    let columns = Columns::of(Account::COLUMNS);
    file.execute_batch(&columns.create("")).unwrap();
    file.prepare(&columns.insert("")).unwrap();
    // The rest of the version counts steps.
    assert!(columns.len() < 1_000);
}
