//! Lists in XLSX: what a spreadsheet reads is the list, and a list that does not fit is not lost.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use qopen::sink::{CSV_COLUMNS, FileSink, Format, ListKind, Record, Sink as _};
use qopen::types::{Account, Cell, RobotId};
use qopen_simulator::{Chance, Schedule};
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, python_reads, python_with, qopen, text, with_settings};

/// 18 digits, as robots and customers have them. A spreadsheet keeps 15 digits of a number.
const ROBOT: &str = "123456789012345678";

/// Customers with texts that spreadsheets change, run or cannot hold.
pub(crate) fn accounts() -> Vec<Value> {
    let long = "长".repeat(32_767);
    vec![
        json!({"account_id": "123456789012345679", "account_type": 2, "deleted_by_contact": true,
            "profile": {"name": "=1+1", "gender": 1, "phone": "8613800138000", "add_at": 1_652_349_600,
                "alias": "+1", "desc": "-1", "channel_name": "@SUM(A1)", "avatar": "https://a.example/?a=1&b=<2>"},
            "user_attr_field_list": [{"field_name": "生日", "field_value": "a|b:c=d\\"}],
            "tag_info_list": [{"parent_tag_name": "g", "tag_name": "t"}, {"tag_name": "u"}],
            "mood": {"x": 12_345_678_901_234_567_890_u64}, "robot_id": "another"}),
        json!({"account_id": "223456789012345678",
            "profile": {"name": "😀 👨‍👩‍👧 𝒳", "alias": "one\ntwo\r\nthree\rfour\n", "desc": " \t both ends \t ",
                "phone": "00123", "state_code": "1E5", "channel_name": "TRUE", "union_id": "2026-01-02"}}),
        json!({"account_id": "323456789012345678", "account_type": 99,
            "profile": {"name": "\u{0}\u{7}\u{1f}\u{7f}\u{fffe}", "alias": "_x0041_ _x005F_x0041_ _x00", "desc": "_x0041\u{7}",
                "gender": -7, "add_at": -1, "phone": "'1"}}),
        json!({"account_id": "423456789012345678", "profile": {"name": "", "add_at": 1_652_349_600_000_i64}}),
        json!({"account_id": "523456789012345678", "profile": {"name": long, "add_at": "soon", "phone": 13_800_138_000_u64}}),
        json!({"account_id": "<b>&amp;]]>", "profile": {"name": "\"'</t>", "add_at": 1_720_000_000}}),
    ]
}

fn page(accounts: &[Value]) -> String {
    json!({"event_type": 42016, "err_code": 0, "robot_id": ROBOT,
        "data": {"has_more": false, "mark_id": "m", "account_list": accounts}})
    .to_string()
}

pub(crate) fn run_with(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A refusal comes before the input is read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn assemble(folder: &Path, arguments: &[&str], accounts: &[Value]) -> Output {
    let mut command = with_settings(qopen(folder, &[&["assemble"], arguments].concat()));
    command.env("QOPEN_BASE_URL", "http://127.0.0.1:9");
    command.env("QOPEN_TIME_ZONE", "Asia/Shanghai");
    run_with(command, &page(accounts))
}

/// A part of a workbook.
fn part(workbook: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(workbook).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn sheet(workbook: &Path) -> String {
    part(workbook, "xl/worksheets/sheet1.xml")
}

const OPENPYXL: &str = "QOPEN_TEST_OPENPYXL";

/// What openpyxl reads. `None`, said loudly, without it.
pub(crate) fn read(workbook: &Path) -> Option<Value> {
    let python = python_with("openpyxl", OPENPYXL)?;
    Some(python_reads(&python, "workbook.py", workbook))
}

/// The cell of a column, as JSON Lines and CSV have its value.
fn expected(cell: Cell, json: &Value, csv: &str) -> Value {
    let empty_or = |text: &str| match text {
        "" => Value::Null,
        text => json!({ "text": text }),
    };
    match cell {
        Cell::Text(_) => empty_or(json.as_str().unwrap()),
        Cell::Integer(_) | Cell::Code(_) => json!({ "number": json }),
        Cell::Flag(_) => json!({ "flag": json }),
        Cell::UnixSeconds(_) => match json.as_i64().unwrap() {
            0 => Value::Null,
            // Milliseconds are no time of a calendar.
            it if it > 253_402_300_799 => json!({ "text": it.to_string() }),
            it => {
                let at = jiff::Timestamp::from_second(it).unwrap().in_tz("Asia/Shanghai").unwrap();
                json!({ "time": at.strftime("%Y-%m-%dT%H:%M:%S").to_string() })
            }
        },
        Cell::Rows(..) | Cell::Json(_) => empty_or(csv),
    }
}

#[test]
fn openpyxl_reads_each_cell_as_the_list_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["list.xlsx", "list.jsonl", "list.csv"] {
        let output = assemble(folder.path(), &["--out", name], &accounts());
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
    }
    let Some(book) = read(&path("list.xlsx")) else { return };
    assert_eq!((&book["sheets"], &book["frozen"]), (&json!(["customers"]), &json!("A2")));
    assert_eq!(book["description"], "Time zone: Asia/Shanghai");
    let rows = book["rows"].as_array().unwrap();
    let header: Vec<Value> = CSV_COLUMNS
        .iter()
        .map(|it| json!({ "text": it.replace("add_at", "add_at (Asia/Shanghai)") }))
        .collect();
    assert_eq!(rows[0], Value::Array(header));

    let list = std::fs::read_to_string(path("list.jsonl")).unwrap();
    let mut csv = csv::Reader::from_path(path("list.csv")).unwrap();
    let lines: Vec<_> = list.lines().zip(csv.records().map(Result::unwrap)).collect();
    assert_eq!((rows.len(), lines.len()), (accounts().len() + 1, accounts().len()));
    for (row, (line, csv)) in rows[1..].iter().zip(&lines) {
        let json: Value = serde_json::from_str(line).unwrap();
        let mut cells = row.as_array().unwrap().iter();
        assert_eq!(cells.next(), Some(&json!({ "text": ROBOT })));
        for (n, column) in Account::COLUMNS.iter().enumerate() {
            let value = json.pointer(&format!("/{}", column.path.replace('.', "/")));
            let value = value.unwrap_or(&Value::Null);
            let cell = cells.next().unwrap();
            assert_eq!(*cell, expected(column.cell, value, &csv[n + 1]), "{}", column.name);
        }
        let rest = CSV_COLUMNS.len() - 2;
        for (n, cell) in cells.enumerate() {
            let text = &csv[rest + n];
            let expected = if text.is_empty() { Value::Null } else { json!({ "text": text }) };
            assert_eq!(*cell, expected, "{}", CSV_COLUMNS[rest + n]);
        }
    }
    // What the test is about is there.
    let first = rows[1].to_string();
    for words in ["\"8613800138000\"", "\"123456789012345679\"", "\"=1+1\"", "2022-05-12T18:00:00"]
    {
        assert!(first.contains(words), "{words}: {first}");
    }
}

#[test]
fn openpyxl_reads_labels_in_each_language() {
    let folder = tempfile::tempdir().unwrap();
    for (language, sheet, labels) in [
        ("zh", "客户", ["机器人ID", "添加时间（Asia/Shanghai）", "男", "是"]),
        ("en", "Customers", ["Robot ID", "Added at (Asia/Shanghai)", "male", "yes"]),
    ] {
        let options = ["--out", "list.xlsx", "--labels", language];
        let output = assemble(folder.path(), &options, &accounts());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let Some(book) = read(&folder.path().join("list.xlsx")) else { return };
        assert_eq!(book["sheets"], json!([sheet]));
        for label in labels {
            assert!(
                book["rows"].to_string().contains(&format!("{{\"text\":\"{label}\"}}")),
                "{label}"
            );
        }
        // An unknown code stays a number.
        assert!(book["rows"].to_string().contains("{\"number\":99}"));
    }
}

#[test]
fn a_pull_writes_the_list_of_a_simulated_platform() {
    let schedule = Schedule {
        accounts: 300,
        drift: true,
        nulls: true,
        unknown: true,
        conflicts: 3,
        duplicates: Chance::new(20),
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let output = stage.run(&["--robot", "r1", "--out", "c.xlsx", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = stage.folder.path().join("c.xlsx");
    assert_eq!(sheet(&list).matches("<row ").count(), 301);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&list).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let names: Vec<_> = std::fs::read_dir(stage.folder.path()).unwrap().collect();
    let is_left = |it: &std::io::Result<std::fs::DirEntry>| {
        it.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp")
    };
    assert!(!names.iter().any(is_left), "{names:?}");
    let summary: Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert!(summary.get("changes").is_none() && summary["accounts"] == 300, "{summary}");
}

#[test]
fn standard_output_gets_the_bytes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--labels", "en", "--format", "xlsx"];
    let file = assemble(folder.path(), &[&["--out", "c.xlsx"], &options[..]].concat(), &accounts());
    assert_eq!(file.status.code(), Some(0), "{}", text(&file.stderr));
    let stream = assemble(folder.path(), &[&["--out", "-"], &options[..]].concat(), &accounts());
    assert_eq!(stream.status.code(), Some(0), "{}", text(&stream.stderr));
    assert_eq!(stream.stdout, std::fs::read(folder.path().join("c.xlsx")).unwrap());
    assert!(zip::ZipArchive::new(Cursor::new(stream.stdout)).is_ok());
}

#[test]
fn an_option_that_only_csv_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--bom", "--csv-safe"] {
        let output = assemble(folder.path(), &["--out", "c.xlsx", option], &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{option}: for CSV only")), "{said}");
    }
    for (format, name) in [("csv", "x.xlsx"), ("xlsx", "x.csv"), ("xlsx", "x.jsonl")] {
        let output = assemble(folder.path(), &["--out", name, "--format", format], &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("contradicts") && said.contains(name), "{said}");
    }
}

#[test]
fn a_zone_that_cannot_be_used_matters_to_xlsx_only() {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in [("c.xlsx", 2), ("c.csv", 0)] {
        let mut command = with_settings(qopen(folder.path(), &["assemble", "--out", name]));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_TIME_ZONE", "Asia/Beijing");
        let output = run_with(command, &page(&accounts()));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(
            code == 2,
            said.contains("QOPEN_TIME_ZONE") && said.contains("Asia/Beijing"),
            "{said}"
        );
    }
}

#[test]
fn a_guard_is_refused_where_lists_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = with_settings(qopen(folder.path(), arguments));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_LISTEN", "127.0.0.1:0");
        command.env("QOPEN_CONTROL", "127.0.0.1:0");
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    for guard in [&["--max-gone", "5%"][..], &["--verify-gone"]] {
        for verb in [
            &["pull", "--robot", "r1", "--out", "c.xlsx"][..],
            &["pull", "--robot", "r1", "--out", "lists", "--format", "xlsx"],
            &["serve", "--out", "lists", "--format", "xlsx"],
        ] {
            let (code, said) = run(&[verb, guard].concat());
            assert_eq!(code, Some(2), "{verb:?}: {said}");
            let says = said.contains(guard[0]) && said.contains("XLSX is not compared");
            assert!(says && said.contains("JSON Lines"), "{said}");
        }
        // A schedule with a place of its own.
        let entry = "[[schedule]]\ncron = \"0 0 1 1 Mon\"\nrobots = [\"r1\"]\nout = \"lists\"\nformat = \"xlsx\"\n";
        std::fs::write(folder.path().join("qopen.toml"), entry).unwrap();
        let (code, said) = run(&[&["serve", "--out", "lists"], guard].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("[[schedule]]") && said.contains("XLSX is not compared"), "{said}");
        std::fs::remove_file(folder.path().join("qopen.toml")).unwrap();
    }
    // A guard of a schedule's own, at its place and at the default one.
    for place in ["out = \"lists\"\nformat = \"xlsx\"\n", ""] {
        for guard in ["max_gone = 5", "verify_gone = true"] {
            let entry = format!(
                "[[schedule]]\ncron = \"0 0 1 1 Mon\"\nrobots = [\"r1\"]\n{place}{guard}\n"
            );
            std::fs::write(folder.path().join("qopen.toml"), entry).unwrap();
            let (code, said) = run(&["serve", "--out", "lists", "--format", "xlsx"]);
            assert_eq!(code, Some(2), "{said}");
            let key = guard.split(' ').next().unwrap();
            assert!(said.contains(key) && said.contains("XLSX is not compared"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_service_publishes_workbooks_and_answers_with_them() {
    let stage = Stage::new(&Schedule { accounts: 30, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let options = ["--out", "lists", "--format", "xlsx", "--labels", "zh"];
    let served = Served::new(&stage, &options, None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["output"].is_string()).await;
    let list = stage.folder.path().join("lists/r1.xlsx");
    assert!(part(&list, "xl/workbook.xml").contains("客户"));
    let rows = |sheet: &str| sheet.matches("<row ").count();
    assert_eq!(rows(&sheet(&list)), 31);

    let answer = served.get(&format!("/v1/pulls/{mark}/accounts?format=xlsx&labels=zh")).await;
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.ends_with("spreadsheetml.sheet"), "{kind}");
    let copy = stage.folder.path().join("copy.xlsx");
    std::fs::write(&copy, answer.bytes().await.unwrap()).unwrap();
    assert_eq!(sheet(&copy), sheet(&list));
    // The robot's last list, too.
    let answer = served.get("/v1/robots/r1/accounts?format=xlsx&labels=zh").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], *kind);
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.contains(".zone="), "{tag}");
    std::fs::write(&copy, answer.bytes().await.unwrap()).unwrap();
    assert_eq!(sheet(&copy), sheet(&list));
    if let Some(book) = read(&copy) {
        assert_eq!(book["rows"].as_array().unwrap().len(), 31);
    }
    for list in [format!("/v1/pulls/{mark}/accounts"), "/v1/robots/r1/accounts".to_owned()] {
        let answer = served.get(&format!("{list}?format=xlsx&bom=true")).await;
        assert_eq!(answer.status(), 400);
    }
}

#[test]
fn an_empty_list_does_not_replace_a_workbook_with_customers() {
    let stage = Stage::new(&Schedule { accounts: 0, ..Schedule::default() });
    let path = stage.folder.path().join("c.xlsx");
    let robot: RobotId = "r1".parse().unwrap();
    let mut list = FileSink::new(&path, Format::Xlsx).begin(ListKind::Complete).unwrap();
    list.write(&Record::new(&robot, &Account::new("a1".parse().unwrap()))).unwrap();
    list.commit().unwrap();
    let output = stage.run(&["--robot", "r1", "--out", "c.xlsx"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("--allow-empty"), "{said}");
    let output = stage.run(&["--robot", "r1", "--out", "c.xlsx", "--allow-empty"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(sheet(&path).matches("<row ").count(), 1);
}

#[test]
fn an_incomplete_list_lies_beside_the_workbook() {
    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "c.xlsx"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!stage.exists("c.xlsx"));
    assert!(sheet(&stage.folder.path().join("c.xlsx.partial")).matches("<row ").count() > 1);
}
