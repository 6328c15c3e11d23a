//! Workbooks in LibreOffice: it opens them, and its cells are those of openpyxl.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{installed, text};
use crate::xlsx::{accounts, assemble, read};

/// Cells as they are shown, in UTF-8, with commas, and quotes where needed.
const AS_SHOWN: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false";

/// The text that a spreadsheet shows for a cell that openpyxl reads.
fn shown(cell: &Value) -> String {
    let Some((kind, value)) = cell.as_object().and_then(|it| it.iter().next()) else {
        return String::new();
    };
    match (&**kind, value) {
        ("text", Value::String(text)) => one_break(text),
        ("time", Value::String(time)) => time.replace('T', " "),
        ("number", number) => number.to_string(),
        ("flag", flag) => flag.to_string().to_uppercase(),
        _ => panic!("{cell}"),
    }
}

/// LibreOffice has one kind of line break.
fn one_break(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[test]
fn libreoffice_shows_each_cell_as_openpyxl_reads_it() {
    let Some(office) = installed(&["soffice", "libreoffice"], "QOPEN_TEST_LIBREOFFICE") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Times whose nearest number is less than they are, and others.
    let times = (0..2000).map(|n| {
        json!({"account_id": format!("time-{n:04}"), "profile": {"add_at": 1_500_000_007 - n * 977_551}})
    });
    let accounts: Vec<Value> = accounts().into_iter().chain(times).collect();
    let output = assemble(folder.path(), &["--out", "list.xlsx"], &accounts);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(book) = read(&folder.path().join("list.xlsx")) else { return };
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.path().display());
    let mut command = Command::new(office);
    command.args([&*profile, "--headless", "--convert-to", AS_SHOWN, "list.xlsx"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    let csv = std::fs::read(folder.path().join("list.csv"));
    let csv = csv.unwrap_or_else(|it| panic!("{it}: {output:?}"));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*csv);
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(one_break).collect()).collect();
    let expected = book["rows"].as_array().unwrap();
    assert_eq!((rows.len(), expected.len()), (accounts.len() + 1, accounts.len() + 1));
    for (row, cells) in rows.iter().zip(expected) {
        let cells: Vec<_> = cells.as_array().unwrap().iter().map(shown).collect();
        assert_eq!(*row, cells);
    }
    // A phone number of 13 digits, an id of 18, and what a spreadsheet would compute.
    for text in ["8613800138000", "123456789012345679", "=1+1", "2022-05-12 18:00:00"] {
        assert!(rows[1].iter().any(|it| it == text), "{text}: {:?}", rows[1]);
    }
}
