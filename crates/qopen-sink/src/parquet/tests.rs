use std::io::{self, Write};

use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::{Field, Row};
use bytes::Bytes;
use proptest::prelude::*;
use qopen_types::{Account, Cell, MarkId, RobotId};
use serde_json::{Value, json};

use super::file::ParquetFile;
use super::holds;
use crate::small_disk::SmallDisk;
use crate::{CSV_COLUMNS, ListInfo, Record, SinkError};

fn robot(name: &str) -> RobotId {
    name.parse().unwrap()
}

fn account(json: &Value) -> Account {
    serde_json::from_value(json.clone()).unwrap()
}

/// A list in row groups of this many customers.
fn list(accounts: &[Account], rows: usize) -> Vec<u8> {
    let mut file = ParquetFile::with_limits(Vec::new(), rows, 1 << 20).unwrap();
    let robot = robot("r😀");
    for account in accounts {
        file.write(&Record::new(&robot, account)).unwrap();
    }
    file.finish().unwrap()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(it) => json!(it),
        Field::Long(it) => json!(it),
        Field::TimestampMillis(it) => json!({ "ms": it }),
        Field::Str(it) => json!(it),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}

fn object(row: &Row) -> Value {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn rows(file: Vec<u8>) -> Vec<Value> {
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    reader.get_row_iter(None).unwrap().map(|it| object(&it.unwrap())).collect()
}

/// The row of a record, from its JSON.
fn expected(record: &Record<'_>) -> Value {
    let json = serde_json::to_value(record).unwrap();
    let mut row = json!({ "robot_id": record.robot_id().as_str() });
    let mut unread = json["_unread"].as_object().cloned().unwrap_or_default();
    for column in Account::COLUMNS {
        let value = json.pointer(&format!("/{}", column.path.replace('.', "/"))).unwrap();
        row[column.name] = match (column.cell, value) {
            (Cell::UnixSeconds(_), time) => match time.as_i64().unwrap() {
                0 => Value::Null,
                it @ -62_135_596_800..=253_402_300_799 => json!({ "ms": it * 1000 }),
                it => {
                    unread.insert(column.path.to_owned(), it.into());
                    Value::Null
                }
            },
            // Unknown fields of elements are in JSON Lines only.
            (Cell::Rows(..), Value::Array(rows)) => {
                let bare = |it: &Value| -> Value {
                    column.element_names().map(|name| (name.to_owned(), it[name].clone())).collect()
                };
                rows.iter().map(bare).collect()
            }
            (_, value) => value.clone(),
        };
    }
    row["_unread"] = match unread.is_empty() {
        true => Value::Null,
        false => Value::Object(unread),
    };
    row
}

/// The rows as they are read, with their JSON as JSON, and without the unknown fields.
fn read_back(file: Vec<u8>) -> Vec<Value> {
    let mut rows = rows(file);
    for row in &mut rows {
        let names: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
        assert!(CSV_COLUMNS.iter().all(|it| names.iter().any(|name| name == it)), "{names:?}");
        row.as_object_mut().unwrap().remove("extra");
        if let Some(text) = row["_unread"].as_str() {
            row["_unread"] = serde_json::from_str(text).unwrap();
        }
    }
    rows
}

fn hostile() -> Vec<Account> {
    let tag = "标签\u{0}😀'\"".repeat(200);
    [
        json!({"account_id": "a", "account_type": i64::MAX, "deleted_by_contact": true,
            "profile": {"name": "\u{0}\u{7}👨‍👩‍👧\r\n", "gender": -7, "add_at": 1_652_349_600, "desc": "=1"},
            "tag_info_list": [{"parent_tag_name": tag, "tag_name": tag}, {"tag_name": "u", "more": 1}, {}],
            "user_attr_field_list": [{"field_name": "生日", "field_value": "a|b:c=d\\"}],
            "mood": {"x": 1}}),
        json!({"account_id": "b"}),
        json!({"account_id": "c", "profile": {"add_at": 1_652_349_600_000_i64}}),
        json!({"account_id": "d", "profile": {"add_at": 253_402_300_799_i64}}),
        json!({"account_id": "e", "profile": {"add_at": 253_402_300_800_i64}}),
        json!({"account_id": "f", "profile": {"add_at": i64::MIN}}),
        json!({"account_id": "g", "profile": {"add_at": -62_135_596_800_i64}, "deleted_by_staff": true}),
        json!({"account_id": "h", "profile": {"phone": 8_613_800_138_000_u64}}),
    ]
    .iter()
    .map(account)
    .map(|mut it| {
        if ["c", "h"].contains(&it.account_id.as_str()) {
            it.unread = serde_json::from_str(r#"{"profile.name":[1]}"#).unwrap();
        }
        it
    })
    .collect()
}

#[test]
fn a_row_has_the_values_of_its_record_in_row_groups_of_any_size() {
    let (robot, all) = (robot("r😀"), hostile());
    let expected: Vec<_> = all.iter().map(|it| expected(&Record::new(&robot, it))).collect();
    for size in 1..=all.len() + 1 {
        assert_eq!(read_back(list(&all, size)), expected, "{size}");
    }
    let first = &rows(list(&all, 3))[0];
    assert_eq!(first["extra"], r#"{"mood":{"x":1}}"#);
    let third = &rows(list(&all, 3))[2];
    assert_eq!(third["_unread"], r#"{"profile.name":[1],"profile.add_at":1652349600000}"#);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn lists_and_gaps_stay_with_their_customer(
        customers in prop::collection::vec((prop::collection::vec(("\\PC{0,3}", "\\PC{0,3}"), 0..4), any::<i64>(), any::<bool>()), 0..40),
        size in 1..50_usize,
    ) {
        let robot = robot("r😀");
        let accounts: Vec<_> = customers.iter().enumerate().map(|(n, (tags, number, flag))| {
            let tags: Vec<_> = tags.iter().map(|it| json!({"parent_tag_name": it.0, "tag_name": it.1})).collect();
            account(&json!({"account_id": n.to_string(), "tag_info_list": tags, "account_type": number,
                "deleted_by_staff": flag, "profile": {"add_at": number >> (n % 60), "name": "x".repeat(n)}}))
        }).collect();
        let expected: Vec<_> = accounts.iter().map(|it| expected(&Record::new(&robot, it))).collect();
        prop_assert_eq!(read_back(list(&accounts, size)), expected);
    }
}

/// A long list of one customer, beside short ones, is longer than what the encoder gets at once.
#[test]
fn a_list_longer_than_a_batch_is_not_torn() {
    let tags = |n: usize| -> Value {
        (0..n).map(|it| json!({"parent_tag_name": "g", "tag_name": it.to_string()})).collect()
    };
    let sizes = [1023, 0, 1, 5000, 1, 0, 1024, 2];
    let customer = |(n, size): (usize, &usize)| {
        account(&json!({"account_id": n.to_string(), "tag_info_list": tags(*size)}))
    };
    let accounts: Vec<_> = sizes.iter().enumerate().map(customer).collect();
    let rows = rows(list(&accounts, 100));
    let found: Vec<_> = rows.iter().map(|it| it["tags"].clone()).collect();
    assert_eq!(found, sizes.map(tags));
}

#[test]
fn a_row_group_ends_at_its_limit_of_customers_or_bytes() {
    let groups = |file: Vec<u8>| -> Vec<i64> {
        let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
        reader.metadata().row_groups().iter().map(|it| it.num_rows()).collect()
    };
    let plain = account(&json!({"account_id": "a"}));
    assert_eq!(groups(list(&vec![plain.clone(); 7], 3)), [3, 3, 1]);
    assert_eq!(groups(list(&vec![plain.clone(); 6], 3)), [3, 3]);
    assert_eq!(groups(list(&[], 3)), [0_i64; 0]);
    // Half of the limit each.
    let large = account(&json!({"account_id": "a", "profile": {"desc": "x".repeat(1 << 19)}}));
    assert_eq!(groups(list(&vec![large; 5], 100)), [2, 2, 1]);
    // Tags without any text take memory, too.
    let empty: Vec<_> = (0..1 << 15).map(|_| json!({})).collect();
    let empty = account(&json!({"account_id": "a", "tag_info_list": empty}));
    assert_eq!(groups(list(&vec![empty; 4], 100)), [2, 2]);
}

#[test]
fn a_full_disk_is_an_error_wherever_it_is_full() {
    let (robot, account) = (robot("r"), account(&json!({"account_id": "a"})));
    let write = |room: usize| {
        let mut file = ParquetFile::with_limits(SmallDisk(room), 4, 1 << 20)?;
        for _ in 0..6 {
            file.write(&Record::new(&robot, &account))?;
        }
        file.finish().map(|left| room - left.0)
    };
    let all = write(1 << 20).unwrap();
    // The last bytes, and some of all before.
    for room in (0..all).filter(|it| it % 53 == 0 || it + 20 > all) {
        let Err(SinkError::Encode(error)) = write(room) else { panic!("{room} of {all}") };
        assert!(error.source().is_none(), "{room} of {all}: {error} repeats its cause");
    }
    assert_eq!(write(all).unwrap(), all);
}

fn held(file: &[u8], name: &str) -> io::Result<bool> {
    let mut kept = tempfile::tempfile().unwrap();
    kept.write_all(file).unwrap();
    holds(&kept, &robot(name))
}

#[test]
fn a_file_is_known_to_hold_its_robots_and_names_its_lists() {
    let mut file = ParquetFile::with_limits(Vec::new(), 2, 1 << 20).unwrap();
    let marks: [MarkId; 2] = ["m1", "m2"].map(|it| it.parse().unwrap());
    let (first, empty) = (robot("r1"), robot("r2"));
    file.begin_list(&ListInfo::new(&first, &marks[0], 3), true);
    for name in ["a", "b", "c"] {
        file.write(&Record::new(&first, &account(&json!({"account_id": name})))).unwrap();
    }
    file.begin_list(&ListInfo::new(&empty, &marks[1], 0), true);
    file.write(&Record::new(&robot("r\"3"), &account(&json!({"account_id": "r2"})))).unwrap();
    let file = file.finish().unwrap();
    for (name, expected) in [("r1", true), ("r2", false), ("r\"3", true), ("a", false)] {
        assert_eq!(held(&file, name).unwrap(), expected, "{name}");
    }
    assert!(!held(&list(&[], 1), "r1").unwrap());
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let metadata = reader.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().unwrap();
    let lists = pairs.iter().find(|it| it.key == "qopen.lists").unwrap().value.clone().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&lists).unwrap(),
        json!([
            {"robot_id": "r1", "mark_id": "m1", "revision": 3, "complete": true, "customers": 3},
            {"robot_id": "r2", "mark_id": "m2", "revision": 0, "complete": false, "customers": 0},
            {"robot_id": "r\"3", "customers": 1},
        ])
    );
    assert!(metadata.created_by().unwrap().starts_with("qopen-sink version "));
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let file = list(&hostile(), 3);
    for length in 4..file.len() {
        assert!(held(&file[..length], "r").is_err(), "{length} of {}", file.len());
    }
    // Any byte of the footer.
    for at in file.len().saturating_sub(6000)..file.len() {
        for bits in [0xff, 0x01, 0x80] {
            let mut damaged = file.clone();
            damaged[at] ^= bits;
            let _ = held(&damaged, "r");
        }
    }
}
