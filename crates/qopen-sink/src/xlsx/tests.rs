use std::io::{Cursor, Read as _};

use qopen_types::{Account, RobotId};
use zip::ZipArchive;

use super::cell::{Value, header, time};
use super::workbook::Workbook;
use super::{XlsxOptions, XlsxZone, holds};
use crate::small_disk::SmallDisk;
use crate::{FormatLimit, Labels, Record, SinkError};

fn robot(name: &str) -> RobotId {
    name.parse().unwrap()
}

fn account(json: &str) -> Account {
    serde_json::from_str(json).unwrap()
}

fn sheet(file: &[u8]) -> String {
    let mut archive = ZipArchive::new(Cursor::new(file)).unwrap();
    let mut sheet = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut sheet).unwrap();
    sheet
}

#[test]
fn a_time_is_a_date_in_the_zone_and_one_without_a_date_is_a_text() {
    let shanghai = XlsxZone::new("Asia/Shanghai", |_| 8 * 3600);
    let utc = XlsxZone::default();
    for (seconds, zone, value) in [
        (0, &utc, Value::Empty),
        (1, &utc, Value::Time(25_569.0 + 1.0 / 86_400.0)),
        (-1, &utc, Value::Time(25_568.0 + 86_399.0 / 86_400.0)),
        // 2022-05-12T10:00:00Z.
        (1_652_349_600, &utc, Value::Time(44_693.0 + 36_000.0 / 86_400.0)),
        (1_652_349_600, &shanghai, Value::Time(44_693.0 + 64_800.0 / 86_400.0)),
        // The first and the last day, and those beside them.
        (-2_203_891_200, &utc, Value::Time(61.0)),
        (-2_203_891_201, &utc, Value::Text("-2203891201".to_owned())),
        (-2_203_891_201, &shanghai, Value::Time(61.0 + 28_799.0 / 86_400.0)),
        (253_402_300_799, &utc, Value::Time(2_958_465.0 + 86_399.0 / 86_400.0)),
        (253_402_300_800, &utc, Value::Text("253402300800".to_owned())),
        (253_402_300_799, &shanghai, Value::Text("253402300799".to_owned())),
        // Milliseconds in the place of seconds.
        (1_652_349_600_000, &utc, Value::Text("1652349600000".to_owned())),
        (i64::MAX, &shanghai, Value::Text(i64::MAX.to_string())),
        (i64::MIN, &shanghai, Value::Text(i64::MIN.to_string())),
    ] {
        match (time(seconds, zone), value) {
            (Value::Time(found), Value::Time(it)) if (found - it).abs() < 1e-9 => {}
            (found, it) => assert_eq!(found, it, "{seconds} in {zone:?}"),
        }
    }
}

proptest::proptest! {
    /// Half a microsecond less would be the second before, where fractions are cut off.
    #[test]
    fn a_time_is_never_less_than_its_second(seconds in -2_203_891_200_i64..253_402_300_800) {
        let Value::Time(days) = time(seconds, &XlsxZone::default()) else { return Ok(()) };
        // 2⁻⁴⁷ is the precision of the least day.
        let scaled = (days * 2_f64.powi(47)) as i128 * 86_400;
        let exact = (i128::from(seconds) + 25_569 * 86_400) << 47;
        proptest::prop_assert!(scaled >= exact || seconds == 0);
        proptest::prop_assert!(scaled - exact < 86_400 << 18, "{}", days);
    }
}

#[test]
fn the_header_of_a_time_names_the_zone_and_no_unit() {
    let zone = XlsxZone::new("Asia/Shanghai", |_| 8 * 3600);
    for (labels, expected) in [
        (None, "add_at (Asia/Shanghai)"),
        (Some(Labels::Zh), "添加时间（Asia/Shanghai）"),
        (Some(Labels::En), "Added at (Asia/Shanghai)"),
    ] {
        let options = XlsxOptions::default().labels(labels).zone(zone.clone());
        let header = header(Account::COLUMNS, &options);
        assert_eq!(header[10], expected);
        assert_eq!(header.len(), crate::CSV_COLUMNS.len());
    }
}

#[test]
fn a_row_too_many_does_not_fit() {
    let mut book = Workbook::with_limits(Vec::new(), XlsxOptions::default(), 2, 1 << 20).unwrap();
    let (robot, account) = (robot("r"), account(r#"{"account_id":"a"}"#));
    let record = Record::new(&robot, &account);
    book.write(&record).unwrap();
    book.write(&record).unwrap();
    let error = book.write(&record).unwrap_err();
    assert!(matches!(error, SinkError::Unfit(FormatLimit::Rows { most: 2 })), "{error}");

    let mut book = Workbook::with_limits(Vec::new(), XlsxOptions::default(), 2, 1 << 20).unwrap();
    book.write(&record).unwrap();
    book.write(&record).unwrap();
    let sheet = sheet(&book.finish().unwrap());
    assert!(sheet.contains("<row r=\"3\">") && !sheet.contains("<row r=\"4\">"), "{sheet}");
}

#[test]
fn a_text_longer_than_a_cell_does_not_fit_and_none_is_cut() {
    let robot = robot("r");
    // A character beyond the basic plane counts twice.
    for (text, length) in [("x".repeat(32_768), 32_768), ("𝒳".repeat(16_384), 32_768)] {
        let mut book = Workbook::new(Vec::new(), XlsxOptions::default()).unwrap();
        let mut account = account(r#"{"account_id":"a"}"#);
        account.profile.desc = text.clone();
        let error = book.write(&Record::new(&robot, &account)).unwrap_err();
        let limit = FormatLimit::Text { row: 2, column: "desc", length };
        assert!(matches!(&error, SinkError::Unfit(it) if *it == limit), "{error}");
        assert!(error.to_string().contains("the desc of the customer in row 2 has 32,768"));

        let mut book = Workbook::new(Vec::new(), XlsxOptions::default()).unwrap();
        let mut fits = text;
        fits.pop();
        account.profile.desc.clone_from(&fits);
        book.write(&Record::new(&robot, &account)).unwrap();
        assert!(sheet(&book.finish().unwrap()).contains(&fits));
    }
}

#[test]
fn a_worksheet_that_is_too_large_does_not_fit() {
    let (robot, account) = (robot("r"), account(r#"{"account_id":"a"}"#));
    let mut book =
        Workbook::with_limits(Vec::new(), XlsxOptions::default(), 1000, 1 << 16).unwrap();
    let fails = (0..1000).find_map(|_| book.write(&Record::new(&robot, &account)).err());
    assert!(matches!(fails, Some(SinkError::Unfit(FormatLimit::Bytes))), "{fails:?}");
}

#[test]
fn a_full_disk_is_an_error_at_every_byte() {
    let (robot, account) = (robot("r"), account(r#"{"account_id":"a"}"#));
    let write = |room: usize| {
        let mut book = Workbook::new(SmallDisk(room), XlsxOptions::default())?;
        for _ in 0..10 {
            book.write(&Record::new(&robot, &account))?;
        }
        book.finish().map(|left| room - left.0)
    };
    let all = write(1 << 20).unwrap();
    for room in 0..all {
        let Err(SinkError::Encode(error)) = write(room) else { panic!("{room} of {all}") };
        assert!(error.source().is_none(), "{room} of {all}: {error} repeats its cause");
    }
    assert_eq!(write(all).unwrap(), all);
}

#[test]
fn a_workbook_is_known_to_hold_its_robots() {
    let mut book = Workbook::new(Vec::new(), XlsxOptions::default()).unwrap();
    for name in ["r1", "a<b>&\"c", "_x0041_", "r3"] {
        let account = account(r#"{"account_id":"r2","profile":{"name":"r2"}}"#);
        book.write(&Record::new(&robot(name), &account)).unwrap();
    }
    let file = book.finish().unwrap();
    for (name, expected) in [
        ("r1", true),
        ("a<b>&\"c", true),
        ("_x0041_", true),
        ("r3", true),
        ("r2", false),
        ("A", false),
    ] {
        assert_eq!(holds(Cursor::new(&file), &robot(name)).unwrap(), expected, "{name}");
    }
    // A customer's text in the place of the header's or a robot's.
    let empty = Workbook::new(Vec::new(), XlsxOptions::default()).unwrap().finish().unwrap();
    assert!(!holds(Cursor::new(&empty), &robot("robot_id")).unwrap());
    assert!(holds(Cursor::new(&file[..file.len() / 2]), &robot("r1")).is_err());
}
