//! The columns against the layout of an account.

use std::collections::BTreeSet;

use qopen_types::{Code, RobotId};

use super::*;
use crate::csv_options::marked;

/// Every path of a field in an account's JSON; the fields of an object are fields of the account.
fn paths_in_json() -> Vec<String> {
    let account = Account::new("a".parse().unwrap());
    let value = serde_json::to_value(&account).unwrap();
    let mut paths = Vec::new();
    for (name, value) in value.as_object().unwrap() {
        match value.as_object() {
            Some(inner) => paths.extend(inner.keys().map(|it| format!("{name}.{it}"))),
            None => paths.push(name.clone()),
        }
    }
    paths
}

#[test]
fn every_field_of_an_account_has_its_column() {
    let columns: BTreeSet<_> = Account::COLUMNS.iter().map(|it| it.path.to_owned()).collect();
    assert_eq!(columns, paths_in_json().into_iter().collect());
    assert_eq!(columns.len(), Account::COLUMNS.len(), "each once");
    assert_eq!(CSV_COLUMNS.to_vec(), header(Account::COLUMNS, CsvOptions::default()));
}

/// Each column shows its own field: a value that is in no other.
#[test]
fn every_column_shows_its_field() {
    let robot: RobotId = "r".parse().unwrap();
    for (n, column) in Account::COLUMNS.iter().enumerate() {
        let own = format!("7{n}");
        let (value, shown) = match column.cell {
            Cell::Text(_) => (format!("\"{own}\""), own),
            Cell::Integer(_) | Cell::UnixSeconds(_) | Cell::Code(_) => (own.clone(), own),
            Cell::Flag(_) => ("true".to_owned(), "true".to_owned()),
            Cell::Rows(..) | Cell::Json(_) => continue,
        };
        let mut account = serde_json::json!({"account_id": "a"});
        let pointer = format!("/{}", column.path.replace('.', "/"));
        if let Some((object, _)) = column.path.split_once('.') {
            account[object] = serde_json::json!({});
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        account.pointer_mut(parent).unwrap()[name] = serde_json::from_str(&value).unwrap();
        let account: Account = serde_json::from_value(account).unwrap();
        let row = row(Account::COLUMNS, &Record::new(&robot, &account), CsvOptions::default());
        for (at, (name, cell)) in CSV_COLUMNS.iter().zip(&row).enumerate() {
            assert_eq!(*cell == shown, at == n + 1, "{} in {name}", column.path);
        }
    }
}

#[test]
fn every_column_has_a_label_of_its_own_in_each_language() {
    for labels in [None, Some(Labels::Zh), Some(Labels::En)] {
        let options = CsvOptions::default().labels(labels);
        let mut header = header(Account::COLUMNS, options);
        assert!(header.iter().all(|it| !it.is_empty() && marked(it) == *it), "{header:?}");
        header.sort_unstable();
        header.dedup();
        assert_eq!(header.len(), COUNT);
    }
}

/// What a field that is new in the specification gets: a column of its kind, before the last two.
#[test]
fn a_new_field_has_a_column() {
    let new = [
        Column::new("nickname", Cell::Text(|it| &it.profile.name)),
        Column::new("seen", Cell::Integer(|it| it.profile.add_at + 1)),
        Column::new("level", Cell::Code(|_| Code::known(3, "金", "gold"))),
        Column::new("things", Cell::Json(|_| r#"[{"thing":"=1"}]"#.to_owned())),
        Column::new("nothings", Cell::Json(|_| "[]".to_owned())),
    ];
    let columns: Vec<Column> = Account::COLUMNS.iter().copied().chain(new).collect();
    let robot: RobotId = "r".parse().unwrap();
    let mut account = Account::new("a".parse().unwrap());
    account.profile.name = "=Ann".to_owned();
    account.profile.add_at = 8;
    let options = CsvOptions::default().safe(true).labels(Some(Labels::Zh));
    let (header, row) =
        (header(&columns, options), row(&columns, &Record::new(&robot, &account), options));
    let from = 1 + Account::COLUMNS.len();
    assert_eq!(header[from..from + 5], ["nickname", "seen", "level", "things", "nothings"]);
    assert_eq!(row[from..from + 5], ["'=Ann", "9", "金", r#"[{"thing":"=1"}]"#, ""]);
    assert_eq!((header.len(), row.len()), (COUNT + 5, COUNT + 5));
    // Those that were there before stay in their places.
    assert_eq!(header[..from], super::header(Account::COLUMNS, options)[..from]);
    assert_eq!(header[from + 5..], super::header(Account::COLUMNS, options)[from..]);
}
