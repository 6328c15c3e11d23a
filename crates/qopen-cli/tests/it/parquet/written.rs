use std::fmt::Write as _;
use std::path::Path;

use qopen::types::{Account, Cell};
use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, ids, python_reads, python_with, qopen, text};
use crate::xlsx::{accounts, assemble};

const PYARROW: &str = "QOPEN_TEST_PYARROW";

/// What pyarrow reads. `None`, said loudly, without it.
fn read(list: &Path) -> Option<Value> {
    let python = python_with("pyarrow.parquet", PYARROW)?;
    Some(python_reads(&python, "columns.py", list))
}

/// The cell of a column, from the record in JSON Lines.
fn expected(cell: Cell, json: &Value, names: &[&str]) -> Value {
    match (cell, json) {
        (Cell::UnixSeconds(_), time) => match time.as_i64().unwrap() {
            0 => Value::Null,
            // Milliseconds are no time of a calendar.
            it if it > 253_402_300_799 => Value::Null,
            it => {
                let time = jiff::Timestamp::from_second(it).unwrap();
                json!(time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
            }
        },
        (Cell::Rows(..), Value::Array(rows)) => {
            let bare = |row: &Value| -> Value {
                names.iter().map(|it| ((*it).to_owned(), row[it].clone())).collect()
            };
            rows.iter().map(bare).collect()
        }
        (_, json) => json.clone(),
    }
}

#[test]
fn pyarrow_reads_each_cell_as_the_list_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let long = "标签😀\u{0}".repeat(300);
    let odd = json!({"account_id": "z", "account_type": i64::MAX,
        "profile": {"name": "nul \u{0} in it", "add_at": -1, "desc": [1]},
        "tag_info_list": [{"parent_tag_name": long, "tag_name": long}, {"tag_name": ""}]});
    let all = [accounts(), vec![odd]].concat();
    for name in ["list.parquet", "list.jsonl"] {
        let output = assemble(folder.path(), &["--out", name], &all);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
    }
    let Some(read) = read(&folder.path().join("list.parquet")) else { return };
    let types = &read["types"];
    for (name, kind) in [
        ("robot_id", "string"),
        ("account_id", "string"),
        ("account_type", "int64"),
        ("deleted_by_contact", "bool"),
        ("phone", "string"),
        ("add_at", "timestamp[ms, tz=UTC]"),
        ("extra", "string"),
        ("_unread", "string"),
    ] {
        assert_eq!(types[name], kind, "{name}");
    }
    let tags = types["tags"].as_str().unwrap();
    assert!(tags.contains("struct<parent_tag_name: string not null, tag_name: string"), "{tags}");
    assert_eq!(read["nullable"], json!(["add_at", "extra", "_unread"]));
    assert_eq!(read["compression"], json!(["ZSTD"]));

    let list = std::fs::read_to_string(folder.path().join("list.jsonl")).unwrap();
    let rows = read["cells"].as_array().unwrap();
    assert_eq!((rows.len(), list.lines().count()), (all.len(), all.len()));
    for (row, line) in rows.iter().zip(list.lines()) {
        let json: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["robot_id"], json["robot_id"]);
        for column in Account::COLUMNS {
            let value = json.pointer(&format!("/{}", column.path.replace('.', "/"))).unwrap();
            let names: Vec<_> = column.element_names().collect();
            let expected = expected(column.cell, value, &names);
            assert_eq!(row[column.name], expected, "{} of {line}", column.name);
        }
        let part = |name: &str| -> Value {
            row[name].as_str().map_or(json!({}), |it| serde_json::from_str(it).unwrap())
        };
        let mut unread = json.get("_unread").cloned().unwrap_or(json!({}));
        let add_at = json["profile"]["add_at"].as_i64().unwrap();
        if add_at > 253_402_300_799 {
            unread["profile.add_at"] = json!(add_at);
        }
        assert_eq!(part("_unread"), unread, "{line}");
    }
    // What the test is about is there.
    let text = read["cells"].to_string();
    for words in ["8613800138000", "123456789012345679", "nul \\u0000 in it", "1652349600000"] {
        assert!(text.contains(words), "{words}");
    }
    let first: Value = serde_json::from_str(rows[0]["extra"].as_str().unwrap()).unwrap();
    assert_eq!(first["mood"], json!({"x": 12_345_678_901_234_567_890_u64}));
}

#[test]
fn a_pull_of_several_robots_names_its_lists_in_the_metadata() {
    let stage = Stage::new(&Schedule { accounts: 40, ..Schedule::default() });
    let pull = ["--robot", "r1", "--robot", "r2", "--out", "c.parquet"];
    let output = stage.run(&pull);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(read) = read(&stage.folder.path().join("c.parquet")) else { return };
    assert_eq!((&read["rows"], &read["groups"]), (&json!(80), &json!([80])));
    assert_eq!(read["sorted"], true);
    let lists = read["lists"].as_array().unwrap();
    for (list, robot) in lists.iter().zip(["r1", "r2"]) {
        assert_eq!(list["robot_id"], robot);
        assert_eq!((&list["customers"], &list["complete"]), (&json!(40), &json!(true)));
        assert_eq!((&list["revision"], list["mark_id"].is_string()), (&json!(1), true));
    }
    assert_eq!(lists.len(), 2);
    assert!(read["created_by"].as_str().unwrap().starts_with("qopen-sink version "));
}

#[test]
fn an_incomplete_list_says_that_it_is_and_lies_beside_the_file() {
    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "c.parquet"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!stage.exists("c.parquet"));
    let Some(read) = read(&stage.folder.path().join("c.parquet.partial")) else { return };
    assert_eq!(read["lists"][0]["complete"], false, "{read}");
}

#[test]
fn an_empty_list_has_its_columns_and_replaces_customers_only_if_asked() {
    let stage = Stage::new(&Schedule { accounts: 0, ..Schedule::default() });
    let list = stage.folder.path().join("c.parquet");
    let kept = stage.folder.path().join("kept.jsonl");
    std::fs::write(&kept, "{\"robot_id\":\"r1\",\"account_id\":\"a\"}\n").unwrap();
    let convert = |robot: &str| {
        let line = format!("{{\"robot_id\":\"{robot}\",\"account_id\":\"a\"}}\n");
        std::fs::write(&kept, line).unwrap();
        let arguments = ["convert", "kept.jsonl", "--out", "c.parquet"];
        let output = qopen(stage.folder.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    let pull = |options: &[&str]| {
        stage.run(&[&["--robot", "r1", "--out", "c.parquet", "--new"], options].concat())
    };
    convert("r1");
    let refused = pull(&[]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("--allow-empty"), "{said}");
    assert_eq!(pull(&["--allow-empty"]).status.code(), Some(0));
    // Another robot's customers.
    convert("r2");
    let output = pull(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(read) = read(&list) else { return };
    assert_eq!((&read["rows"], &read["lists"][0]["customers"]), (&json!(0), &json!(0)));
    assert_eq!(read["types"]["add_at"], "timestamp[ms, tz=UTC]");
}

/// The size that a worksheet does not hold.
#[test]
fn a_list_of_a_million_customers_is_in_several_row_groups() {
    const CUSTOMERS: usize = 1_200_000;
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for n in 0..CUSTOMERS {
        writeln!(list, "{{\"robot_id\":\"r1\",\"account_id\":\"{n:07}\"}}").unwrap();
    }
    std::fs::write(folder.path().join("l.jsonl"), list).unwrap();
    let mut command = qopen(folder.path(), &["convert", "l.jsonl", "--format", "parquet"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(read) = read(&folder.path().join("l.parquet")) else { return };
    assert_eq!((&read["rows"], &read["sorted"]), (&json!(CUSTOMERS), &json!(true)));
    let groups: Vec<_> = read["groups"].as_array().unwrap().iter().map(|it| it.as_u64()).collect();
    assert_eq!(groups.len(), CUSTOMERS.div_ceil(122_880), "{groups:?}");
    let ranges = read["ranges"].as_array().unwrap();
    assert_eq!(ranges[0], json!(["0000000", "0122879"]));
    assert_eq!(read["lists"], json!([{"robot_id": "r1", "customers": CUSTOMERS}]));
}

#[tokio::test]
async fn a_service_publishes_lists_in_parquet_and_answers_with_them() {
    let stage = Stage::new(&Schedule { accounts: 30, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--format", "parquet"], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["output"].is_string()).await;
    let file = std::fs::read(stage.folder.path().join("lists/r1.parquet")).unwrap();
    for list in [format!("/v1/pulls/{mark}/accounts"), "/v1/robots/r1/accounts".to_owned()] {
        let answer = served.get(&format!("{list}?format=parquet")).await;
        assert_eq!(answer.headers()["content-type"], "application/vnd.apache.parquet");
        let body = answer.bytes().await.unwrap();
        assert!(body == file, "{list}");
        for query in ["bom=true", "labels=zh"] {
            let answer = served.get(&format!("{list}?format=parquet&{query}")).await;
            assert_eq!(answer.status(), 400, "{query}");
        }
        assert_eq!(ids(&served.get(&list).await.text().await.unwrap()).len(), 30);
    }
    let described = served.get("/openapi.json").await.text().await.unwrap();
    assert!(described.contains("\"parquet\"") && described.contains("vnd.apache.parquet"));
    assert_eq!(served.stop().code(), Some(0));
}

#[test]
fn what_parquet_has_not_is_refused_before_a_request() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    let pull = ["pull", "--robot", "r1", "--out", "c.parquet"];
    for (arguments, says) in [
        (&["--labels", "zh"][..], "--labels: for CSV and XLSX only"),
        (&["--csv-safe"], "--csv-safe: for CSV"),
        (&["--format", "csv"], "contradicts"),
        (&["--max-gone", "1"], "a list in Parquet is not compared"),
        (&["--verify-gone"], "a list in Parquet is not compared"),
    ] {
        let mut command = qopen(folder.path(), &[&pull[..], arguments].concat());
        command.envs(crate::support::SETTINGS).env("QOPEN_BASE_URL", "http://127.0.0.1:9");
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
