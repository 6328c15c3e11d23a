//! The format of a list is what its name says, and CSV is fit for people where they ask for it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use qopen::sink::{CSV_COLUMNS, CsvOptions};
use qopen_simulator::Schedule;

use crate::served::Served;
use crate::support::{Stage, qopen, text, with_settings};

const PAGE: &str = r#"{"event_type":42016,"err_code":0,"robot_id":"r1","data":{"has_more":false,"mark_id":"m","account_list":[
    {"account_id":"0001","profile":{"name":"=1+1","phone":"+8613800138000","gender":1}},
    {"account_id":"a2","profile":{"name":"a\u0000b","desc":"'x"}}]}}"#;

/// Runs a verb with a captured page as its input.
fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = with_settings(qopen(folder, arguments));
    command.env("QOPEN_BASE_URL", "http://127.0.0.1:9");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A refusal comes before the input is read.
    let _ = child.stdin.take().unwrap().write_all(PAGE.replace('\n', "").as_bytes());
    child.wait_with_output().unwrap()
}

fn assemble(folder: &Path, arguments: &[&str]) -> Output {
    run_in(folder, &[&["assemble"], arguments].concat())
}

/// What a refusal says. Nothing was written.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    assert!(output.stdout.is_empty() && !said.contains("canary"), "{said}");
    said
}

#[test]
fn the_format_is_what_the_name_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists.csv")).unwrap();
    std::fs::create_dir(folder.path().join("a.b")).unwrap();
    for (name, options, csv) in [
        ("customers.csv", &[][..], true),
        ("CUSTOMERS.CSV", &[], true),
        ("customers.jsonl", &[], false),
        ("customers.ndjson", &[], false),
        ("customers.NDJSON", &["--format", "jsonl"], false),
        ("customers.json", &["--format", "jsonl"], false),
        ("customers.list", &["--format", "jsonl"], false),
        ("customers.list", &["--format", "csv", "--new-baseline"], true),
        ("customers", &[], false),
        ("customers.v1", &["--format", "csv"], true),
        ("a.xlsx.list", &["--format", "jsonl"], false),
        ("x.csv.", &["--format", "jsonl"], false),
        ("customers.2026", &[], false),
        ("customers.assembled", &[], false),
        (".customers", &[], false),
        ("a.b/x", &[], false),
    ] {
        let output = assemble(folder.path(), &[&["--out", name], options].concat());
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        let list = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(list.starts_with(&CSV_COLUMNS.join(",")), csv, "{name}");
        assert_eq!(list.starts_with("{\"robot_id\""), !csv, "{name}");
    }
    // A folder's name says nothing of the files in it.
    let output = assemble(folder.path(), &["--out", "lists.csv"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(folder.path().join("lists.csv/r1.jsonl").exists());
}

#[test]
fn a_format_that_is_not_written_is_refused_before_anything_is_made() {
    for verb in [&["assemble"][..], &["pull", "--robot", "r1"], &["demo"]] {
        for name in ["x.xlsm", "x.XLS", "x.orc", "x.tsv", "x.csv.gz", "x.mdb", "x.yaml", "x.xml"] {
            let said = refused(&[verb, &["--out", name]].concat());
            let ending = name.rsplit_once('.').unwrap().1.to_lowercase();
            for words in [name, &format!(".{ending} is not supported"), ".csv", ".jsonl"] {
                assert!(said.contains(words), "{said}");
            }
        }
        let said = refused(&[verb, &["--out", "x.json"]].concat());
        assert!(said.contains("JSON Lines") && said.contains("x.jsonl"), "{said}");
    }
    for verb in [&["assemble"][..], &["pull", "--robot", "r1"]] {
        for (format, name) in
            [("csv", "x.jsonl"), ("csv", "x.ndjson"), ("jsonl", "x.csv"), ("csv", "x.json")]
        {
            let said = refused(&[verb, &["--out", name, "--format", format]].concat());
            assert!(said.contains(name) && said.contains(format), "{said}");
        }
        assert!(
            refused(&[verb, &["--out", "x.xlsx", "--format", "csv"]].concat()).contains(".xlsx")
        );
        for options in [&["--bom"][..], &["--csv-safe"], &["--labels", "zh"]] {
            let jsonl = refused(&[verb, &["--out", "x", "--format", "jsonl"], options].concat());
            assert!(jsonl.contains(options[0]) && jsonl.contains("--format csv"), "{jsonl}");
            refused(&[verb, &["--out", "x.jsonl"], options].concat());
            refused(&[verb, &["--out", "-"], options].concat());
            let database = "postgres://h.example/d";
            let said = refused(&[verb, &["--out", database], options].concat());
            assert!(said.contains(options[0]) && said.contains("database"), "{said}");
        }
        refused(&[verb, &["--out", "postgres://h.example/d", "--format", "csv"]].concat());
    }
}

#[test]
fn an_ending_that_is_not_known_is_refused_unless_a_format_is_given() {
    for verb in [&["assemble"][..], &["pull", "--robot", "r1"], &["demo"]] {
        for name in [
            "x.xltx",
            "x.accdb",
            "x.fods",
            "x.png",
            "x.txt",
            "x.list",
            "x.v1",
            "x.ｃｓｖ",
            "x.csv.bak",
            "x.csv.",
            "x.csv..",
            "x.csv\"",
            "x.csv;",
            "x.jsonl~",
            ".x.png",
            "名单.表格",
        ] {
            let said = refused(&[verb, &["--out", name]].concat());
            let keeps = said.contains("--format csv to keep the name");
            assert!(said.contains(name) && said.contains("is not known"), "{said}");
            assert!(keeps != (verb[0] == "demo") && said.contains(".jsonl or .ndjson"), "{said}");
        }
        for (name, better) in
            [("x.csv.gz", "x.csv"), ("x.tar.gz", "x.csv"), (".csv.gz", ".csv.csv")]
        {
            let said = refused(&[verb, &["--out", name]].concat());
            assert!(said.contains(&format!("example: --out {better}")), "{said}");
        }
    }
    // The ends of a name that no one can mean.
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [
        ("x.csv\r", "x.csv"),
        ("y.csv ", "y.csv"),
        ("\"z.csv\"", "z.csv"),
        (" 'w.CSV'\n", "w.CSV"),
        ("\u{feff}v.csv", "v.csv"),
    ] {
        let output = assemble(folder.path(), &["--out", name]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name:?}: {said}");
        let list = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(list.starts_with("robot_id,"), "{name:?}");
        assert_eq!(said.contains("quotes around the path"), name.contains(['"', '\'']), "{said}");
    }
    // Each list has its changes beside it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 10);
}

#[test]
fn what_may_be_the_address_of_a_database_is_neither_a_file_nor_shown() {
    let verbs = [
        &["assemble", "--out"][..],
        &["pull", "--robot", "r1", "--out"],
        &["serve", "--out"],
        &["migrate", "--out"],
        &["demo", "--out"],
        &["pulls", "export", "mark", "--out"],
        &["journal", "copy", "from"],
    ];
    for verb in verbs {
        for out in [
            " postgres://u:canary@h/d",
            "'postgres://u:canary@h/d'",
            "\u{feff}postgres://u:canary@h/d\r\n",
            "postgres//u:canary@h/d",
            "postgres：//u:canary@h/d",
            " mysql://u:canary@h/d",
            "u:canary@h/d",
            "~u:canary@h/d",
            "host=h password=canary",
            "Server=h;Password=canary",
            "Server=h; Pwd = canary",
            "postgres://u:p@canary@127.0.0.1:1/d",
            "postgres://u@canary@127.0.0.1:1/d",
            "postgres://u@127.0.0.1:1/d?pass%77ord=canary",
            "postgres://u:a?canary@127.0.0.1:1/d",
        ] {
            let said = refused(&[verb, &[out]].concat());
            assert!(!said.contains("does not exist"), "{verb:?}: {said}");
        }
    }
    // A path that is one is not quoted by its errors.
    for out in ["./postgres//u:canary@h/d", "./password=canary/x.csv"] {
        refused(&["assemble", "--out", out]);
    }
    for out in ["postgres//u:canary@h/d", " postgres://u:canary@h/d", "password=canary"] {
        let folder = tempfile::tempdir().unwrap();
        let entry =
            format!("[[schedule]]\ncron = \"0 0 1 1 Mon\"\nrobots = [\"r1\"]\nout = \"{out}\"\n");
        std::fs::write(folder.path().join("qopen.toml"), entry).unwrap();
        let output = run_in(folder.path(), &["serve"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("[[schedule]]") && !said.contains("canary"), "{said}");
    }
}

#[test]
fn a_url_that_is_no_postgresql_database_is_not_supported() {
    for url in [
        "MySQL://u:canary@h/d",
        "s3://bucket/canary",
        "https://canary@h/x.csv",
        "sqlite:///canary.db",
        "sqlite3:canary.db",
        "jdbc:postgresql://h/d?password=canary",
        "POSTGRES://u:canary@h/d",
        "postgres:canary@h",
        "file:///canary",
        "mongodb+srv://u:canary@h",
    ] {
        for verb in [
            &["assemble", "--out"][..],
            &["pull", "--robot", "r1", "--out"],
            &["serve", "--out"],
            &["migrate", "--out"],
            &["demo", "--out"],
        ] {
            let said = refused(&[verb, &[url]].concat());
            let scheme = url.split(':').next().unwrap();
            let says = said.contains(&format!("{scheme}:")) && !said.contains("folder mysql");
            assert!(says && !said.contains("does not exist"), "{verb:?}: {said}");
            let supported = ["postgres://USER@HOST/DATABASE", "sqlite:PATH", "give the path alone"];
            assert!(supported.iter().any(|it| said.contains(it)), "{verb:?}: {said}");
        }
    }
    // A file whose name has a colon is a file.
    let folder = tempfile::tempdir().unwrap();
    for name in ["list:2", "C:list", "12:30"] {
        assert_eq!(assemble(folder.path(), &["--out", name]).status.code(), Some(0));
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_written_in_the_format_of_the_file_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    };
    link("target.csv", "latest");
    link("target.jsonl", "wrong.csv");
    link("report.xlsm", "report");
    link("/dev/null", "nothing.csv");
    for _ in 0..2 {
        // The first time the file behind the link is not there.
        let output = assemble(folder.path(), &["--out", "latest"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let list = std::fs::read_to_string(folder.path().join("target.csv")).unwrap();
        assert!(list.starts_with("robot_id,"));
    }
    for name in ["wrong.csv", "report"] {
        let output = assemble(folder.path(), &["--out", name]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output.stderr));
    }
    assert!(!folder.path().join("target.jsonl").exists());
}

#[test]
fn a_schedule_asks_for_a_format_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    for (lines, says) in [
        ("out = \"mongodb://u:canary@h/d\"", "mongodb:// is not supported"),
        ("out = \"lists\"\nbom = true", "bom: for CSV only"),
        ("out = \"lists\"\nlabels = \"fr\"", "`zh` or `en`"),
        ("out = \"postgres://h/d\"\nformat = \"csv\"", "format: a database"),
        ("csv_safe = true", "out = \"FOLDER\""),
    ] {
        let entry = format!("[[schedule]]\ncron = \"0 0 1 1 Mon\"\nrobots = [\"r1\"]\n{lines}\n");
        std::fs::write(folder.path().join("qopen.toml"), entry).unwrap();
        let output = run_in(folder.path(), &["serve"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("[[schedule]]") && said.contains(says), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn csv_for_people_is_written_by_every_verb_that_writes_lists() {
    let people = ["--bom", "--csv-safe", "--labels", "zh"];
    let folder = tempfile::tempdir().unwrap();
    let output = assemble(folder.path(), &[&["--out", "c.csv"], &people[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = std::fs::read_to_string(folder.path().join("c.csv")).unwrap();
    assert!(list.starts_with("\u{feff}机器人ID,客户ID,"), "{list}");
    assert!(list.contains(",'=1+1,男,") && list.contains(",'+8613800138000,"), "{list}");
    assert!(list.contains("r1,'0001,") && list.contains("a\u{fffd}b") && list.contains(",''x,"));
    // Standard output gets the same bytes.
    let output =
        assemble(folder.path(), &[&["--out", "-", "--format", "csv"], &people[..]].concat());
    assert_eq!(text(&output.stdout), list);

    let stage = Stage::new(&Schedule::default());
    let output = stage.run(&[&["--robot", "r1", "--out", "c.csv"], &people[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = stage.read("c.csv");
    assert!(list.starts_with("\u{feff}机器人ID,") && list.matches('\u{feff}').count() == 1);
    // An empty list has the mark, too.
    let stage = Stage::new(&Schedule { accounts: 0, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "c.csv", "--bom"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(stage.read("c.csv"), format!("\u{feff}{}\n", CSV_COLUMNS.join(",")));
}

#[test]
fn a_pull_that_is_resumed_keeps_its_format_and_options() {
    let schedule = Schedule { lost_last_page: true, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let output = stage.run(&[
        "--robot", "r1", "--out", "list", "--format", "csv", "--bom", "--labels", "en", "--json",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let begins = "\u{feff}Robot ID,Customer ID,";
    assert!(stage.read("list.partial").starts_with(begins));
    let summary: serde_json::Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    let mark = summary["mark_id"].as_str().unwrap();
    std::fs::remove_file(stage.folder.path().join("list.partial")).unwrap();
    let resume = |more: &[&str]| stage.run(&[&["--resume", mark], more].concat());
    assert_eq!(resume(&[]).status.code(), Some(3));
    assert!(stage.read("list.partial").starts_with(begins));
    // Elsewhere, as the name of the new place says.
    assert_eq!(resume(&["--out", "other.jsonl"]).status.code(), Some(3));
    assert!(stage.read("other.jsonl.partial").starts_with("{\"robot_id\""));
    assert_eq!(resume(&["--out", "other.csv", "--csv-safe"]).status.code(), Some(3));
    assert!(stage.read("other.csv.partial").starts_with("robot_id,"));
    assert_eq!(resume(&["--format", "jsonl", "--bom"]).status.code(), Some(2));
}

#[test]
fn a_demo_as_csv_replaces_its_own_list_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let demo = || qopen(folder.path(), &["demo", "--accounts", "10", "--out", "d.csv"]).output();
    for _ in 0..2 {
        let output = demo().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let list = std::fs::read_to_string(folder.path().join("d.csv")).unwrap();
        assert!(list.starts_with("robot_id,") && list.contains("\ndemo-robot,"));
    }
    std::fs::write(folder.path().join("d.csv"), format!("{}\nr1,a\n", CSV_COLUMNS.join(",")))
        .unwrap();
    assert_eq!(demo().unwrap().status.code(), Some(2));
}

#[test]
fn a_marked_list_is_read_back_by_stripping_one_mark() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |options: &[&str]| -> Vec<csv::StringRecord> {
        let output = assemble(folder.path(), &[&["--out", "c.csv"], options].concat());
        assert_eq!(output.status.code(), Some(0));
        let mut reader = csv::Reader::from_path(folder.path().join("c.csv")).unwrap();
        reader.records().map(Result::unwrap).collect()
    };
    let (plain, safe) = (rows(&[]), rows(&["--csv-safe", "--new-baseline"]));
    for (plain, safe) in plain.iter().zip(&safe) {
        let stripped: csv::StringRecord = safe.iter().map(CsvOptions::strip_mark).collect();
        assert_eq!(&stripped, plain);
    }
}

#[tokio::test]
async fn a_service_publishes_csv_for_people_and_keeps_json_for_programs() {
    let stage = Stage::new(&Schedule::default());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let csv = ["--out", "lists", "--format", "csv", "--bom", "--csv-safe", "--labels", "en"];
    let served = Served::new(&stage, &csv, None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["output"].is_string()).await;
    assert!(stage.read("lists/r1.csv").starts_with("\u{feff}Robot ID,Customer ID,"));
    let answer = served.get(&format!("/v1/pulls/{mark}/accounts")).await;
    assert!(answer.text().await.unwrap().starts_with("{\"robot_id\""));
}
