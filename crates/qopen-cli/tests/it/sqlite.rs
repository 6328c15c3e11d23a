//! Lists in SQLite files.

use std::path::Path;
use std::process::{Command, Output};

use qopen_simulator::Schedule;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::guards::{Scene, lost_on};
use crate::served::{Served, expected};
use crate::support::{Stage, ids, limited, qopen, text};

/// The cells of a query's rows, row by row.
fn query(file: &Path, sql: &str) -> Vec<String> {
    let file = Connection::open(file).unwrap();
    let mut query = file.prepare(sql).unwrap();
    let columns = query.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |at| match row.get_ref(at).unwrap() {
            rusqlite::types::ValueRef::Null => "NULL".to_owned(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap().to_owned(),
        };
        Ok((0..columns).map(cell).collect::<Vec<_>>().join(" "))
    };
    query.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The records of a robot, as a file in JSON Lines has them.
fn records(file: &Path, robot: &str) -> String {
    let sql =
        format!("SELECT account FROM robot_account WHERE robot_id = '{robot}' ORDER BY account_id");
    query(file, &sql).iter().map(|it| format!("{it}\n")).collect()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn one_file_has_the_lists_of_several_robots_as_files_have_them() {
    let stage = Stage::new(&Schedule { accounts: 60, page_size: 10, ..Schedule::default() });
    let file = stage.folder.path().join("lists.db");
    for (robot, out) in [("r1", "lists.db"), ("r2", "sqlite:lists.db?busy_timeout=5s")] {
        let done = stage.run(&["--robot", robot, "--out", out, "--json"]);
        assert_eq!(code(&done), 0, "{}", text(&done.stderr));
        let summary: Value =
            serde_json::from_str(text(&done.stdout).lines().last().unwrap()).unwrap();
        assert_eq!((&summary["output"], &summary["accounts"]), (&json!("lists.db"), &json!(60)));
        let list = format!("{robot}.jsonl");
        assert_eq!(code(&stage.run(&["--robot", robot, "--out", &list])), 0);
        assert_eq!(records(&file, robot), stage.read(&list));
        // What it rests on is there, too.
        let basis = format!("SELECT basis FROM pull WHERE robot_id = '{robot}'");
        assert_eq!(query(&file, &basis), [summary["basis"].as_str().unwrap()]);
    }
    // One folder and one file, whatever the working directory is.
    let other = tempfile::tempdir().unwrap();
    let out = format!("sqlite:{}", file.display());
    let mut again = stage.pull(&["--robot", "r1", "--out", &out, "--json"]);
    let done = again.current_dir(other.path()).output().unwrap();
    let summary: Value = serde_json::from_str(text(&done.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((code(&done), &summary["changes"]["baseline"]), (0, &json!(false)), "{summary}");
    assert_eq!(query(&file, "SELECT robot_id, number FROM list"), ["r1 1", "r1 2", "r2 1"]);
}

#[test]
fn a_list_that_is_not_complete_has_tables_of_its_own() {
    let schedule =
        Schedule { accounts: 50, page_size: 10, lost_last_page: true, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let done = stage.run(&["--robot", "r1", "--out", "lists.db"]);
    let said = text(&done.stderr);
    assert!(code(&done) == 3 && said.contains("kept apart in lists.db"), "{said}");
    let file = stage.folder.path().join("lists.db");
    let counts =
        "SELECT (SELECT count(*) FROM robot_account), (SELECT count(*) FROM partial_robot_account)";
    assert_eq!(query(&file, counts), ["0 40"]);
}

#[test]
fn a_kept_list_is_exported_to_a_file_without_a_list_of_the_robot() {
    let stage = Stage::new(&Schedule { accounts: 30, page_size: 10, ..Schedule::default() });
    assert_eq!(code(&stage.run(&["--robot", "r1", "--out", "list.jsonl"])), 0);
    assert_eq!(code(&stage.run(&["--robot", "r2", "--out", "lists.db"])), 0);
    let marks = text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
    let mark_of = |robot: &str| {
        let pulls = marks.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let mut own = pulls.filter(|it| it["robot_id"] == robot);
        own.next().unwrap()["mark_id"].as_str().unwrap().to_owned()
    };
    let export = |robot: &str, out: &str| {
        let output =
            stage.verb("pulls", &["export", &mark_of(robot), "--out", out]).output().unwrap();
        (code(&output), text(&output.stderr))
    };
    let at = |name: &str| stage.folder.path().join(name);
    assert_eq!(export("r1", "copy.db").0, 0);
    assert_eq!(records(&at("copy.db"), "r1"), stage.read("list.jsonl"));
    // Another robot's list may lie beside it.
    assert_eq!(export("r1", "sqlite:lists.db").0, 0);
    assert_eq!(records(&at("lists.db"), "r1"), stage.read("list.jsonl"));
    for (robot, out) in [("r2", "lists.db"), ("r1", "copy.db"), ("r2", "./lists.db")] {
        let (code, said) = export(robot, out);
        assert!(code == 2 && said.contains("has a published list"), "{said}");
    }
    // The same from a running service.
    let _served = Served::new(&stage, &[], None);
    let (code, said) = export("r1", "served.sqlite3");
    assert_eq!(code, 0, "{said}");
    assert_eq!(records(&at("served.sqlite3"), "r1"), stage.read("list.jsonl"));
    assert_eq!(ids(&records(&at("served.sqlite3"), "r1")).len(), 30);
}

#[test]
fn a_held_list_leaves_the_last_one_until_it_is_accepted() {
    let mut scene = Scene::new(lost_on(1));
    scene.out = "lists.db".to_owned();
    let file = scene.folder.path().join("lists.db");
    let (exit, first) = scene.pull(&[]);
    assert_eq!((exit, &first["changes"]["baseline"]), (0, &json!(true)), "{first}");
    let (exit, held) = scene.pull(&["--max-gone", "15%"]);
    let why = held["error"].as_str().unwrap();
    assert!(exit == 3 && why.contains("10 of the 60 customers"), "{held}");
    assert_eq!(query(&file, "SELECT accounts FROM pull"), ["60"]);
    let accepted = scene.verb(&["pulls", "accept", held["mark_id"].as_str().unwrap()]);
    assert_eq!(code(&accepted), 0, "{}", text(&accepted.stderr));
    let changes =
        "SELECT change, count(*), (SELECT accounts FROM pull) FROM change GROUP BY change";
    assert_eq!(query(&file, changes), ["gone 10 50"]);
    let basis = query(&file, "SELECT basis, json_extract(evidence, '$.accepted') FROM pull");
    assert!(basis[0].ends_with("a person accepted it 1"), "{basis:?}");
    let (exit, third) = scene.pull(&["--verify-gone"]);
    assert_eq!((exit, &third["changes"]["added"]), (0, &json!(10)), "{third}");
    let file_of = Connection::open(&file).unwrap();
    file_of.execute_batch("DELETE FROM robot_account WHERE rowid = 3").unwrap();
    let (exit, refused) = scene.pull(&[]);
    let why = refused["error"].as_str().unwrap();
    assert!(exit == 7 && why.contains("--new-baseline") && why.contains("59 rows"), "{why}");
    assert_eq!(scene.pull(&["--new-baseline"]).0, 0);
    assert_eq!(query(&file, "SELECT accounts FROM list"), ["60", "50", "60", "60"]);
}

/// What cannot be a database is said before a request is sent, and stays as it is.
#[test]
fn a_file_that_cannot_be_written_costs_no_request() {
    let stage = Stage::new(&Schedule { accounts: 10, ..Schedule::default() });
    let folder = stage.folder.path();
    std::fs::write(folder.join("text.db"), "hello\n").unwrap();
    Connection::open(folder.join("other.db")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    std::fs::create_dir(folder.join("folder")).unwrap();
    for (out, exit, said) in [
        ("text.db", 7, "not an SQLite database"),
        ("other.db", 7, "another program's SQLite database"),
        ("sqlite:folder", 7, "not a regular file"),
        ("sqlite:/dev/null", 7, "not a regular file"),
        ("no/lists.db", 2, "does not exist"),
        ("sqlite:", 2, "sqlite:lists.db"),
        ("sqlite::memory:", 2, "give the path of a file"),
        ("sqlite://lists.db", 2, "write sqlite:PATH"),
        ("sqlite:lists?timeout=3s", 2, "busy_timeout=60s"),
    ] {
        let done = stage.run(&["--robot", "r1", "--out", out]);
        let words = text(&done.stderr);
        assert!(code(&done) == exit && words.contains(said), "{out}: {words}");
        let pulls = stage.verb("pulls", &["list", "--json"]).output().unwrap();
        assert_eq!(text(&pulls.stdout), "", "{out}");
    }
    let done = stage.run(&["--robot", "r1", "--out", "lists.db", "--format", "csv"]);
    assert!(code(&done) == 2 && text(&done.stderr).contains("--format"));
    assert_eq!(stage.read("text.db"), "hello\n");
    assert_eq!(query(&folder.join("other.db"), "SELECT name FROM sqlite_master"), ["t"]);
    // A folder is a folder, whatever its name is, and a file without the ending is a file.
    std::fs::create_dir(folder.join("folder.db")).unwrap();
    for out in ["folder.db", "lists", "lists"] {
        assert_eq!(code(&stage.run(&["--robot", "r1", "--out", out])), 0);
    }
    assert_eq!(stage.read("folder.db/r1.jsonl"), stage.read("lists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_publishes_to_a_file_and_a_schedule_may_name_one() {
    let schedule = Schedule { accounts: 30, page_size: 10, gone_each: 3, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let settings =
        "[[schedule]]\ncron = \"0 0 1 1 *\"\nrobots = [\"r9\"]\nout = \"other.sqlite\"\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let served = Served::new(&stage, &["--out", "lists.db"], None);
    let log = served.log();
    assert!(log.contains("other.sqlite"), "{log}");
    let mut marks = Vec::new();
    for robot in ["r1", "r2", "r1", "r1"] {
        let mark = served.start_pull(robot).await;
        let ended = served.until(&mark, |it| it["output"].is_string()).await;
        assert!(ended["output"].as_str().unwrap().ends_with("lists.db"), "{ended}");
        marks.push(mark);
    }
    let file = stage.folder.path().join("lists.db");
    assert_eq!(ids(&records(&file, "r2")), expected(&schedule, "r2"));
    assert_eq!(
        query(&file, "SELECT robot_id, number, gone FROM list"),
        ["r1 1 0", "r1 2 3", "r1 3 3", "r2 1 0"]
    );
    // A reader gets the changes since any list, as the table has them.
    let get = async |robot: &str, query: &str| {
        let answer = served.get(&format!("/v1/robots/{robot}/changes{query}")).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (query, lists, changes) in [
        (String::new(), 1, 3),
        (format!("?since={}", marks[0]), 2, 6),
        (format!("?since={}&revision=1", marks[2]), 1, 3),
        (format!("?since={}", marks[3]), 0, 0),
    ] {
        let (status, body) = get("r1", &query).await;
        let (headers, others): (Vec<_>, Vec<_>) = body
            .lines()
            .partition(|it| it.starts_with("{\"type\":\"changes\",\"robot_id\":\"r1\""));
        assert_eq!((status, headers.len(), others.len()), (200, lists, changes), "{query}: {body}");
        assert!(others.iter().all(|it| it.contains("\"change\":\"gone\"")), "{body}");
    }
    let (status, body) = get("r1", "?since=unknown").await;
    assert!(status == 410 && body.contains("read the whole list"), "{status} {body}");
    let (status, body) = get("r1", &format!("?since={}&revision=7", marks[0])).await;
    assert!(status == 410 && body.contains("has revision 1 now"), "{status} {body}");
    assert_eq!((get("r2", "").await.0, get("r3", "").await.0), (200, 404));
    // A table that was altered breaks the body off: a reader must not take it for the end.
    let edit = "DELETE FROM change WHERE number = 3 AND account_id = (SELECT max(account_id) FROM change WHERE number = 3)";
    Connection::open(&file).unwrap().execute_batch(edit).unwrap();
    let cut = served.get("/v1/robots/r1/changes").await;
    assert!(cut.status() == 200 && cut.bytes().await.is_err());
    assert!(served.stop().success());
    let doctor = stage.verb("doctor", &[]).output().unwrap();
    let said = text(&doctor.stdout) + &text(&doctor.stderr);
    assert!(said.contains("other.sqlite"), "{said}");
    assert!(!stage.exists("other.sqlite"), "a check leaves no trace");
    std::fs::write(stage.folder.path().join("other.sqlite"), "text").unwrap();
    let doctor = stage.verb("doctor", &[]).output().unwrap();
    let said = text(&doctor.stdout) + &text(&doctor.stderr);
    assert!(said.contains("not an SQLite database"), "{said}");
}

/// A capture of one robot's list: its customers have the name.
fn capture(mark: &str, name: &str, customers: usize) -> String {
    let account = |n| json!({ "account_id": format!("{n:05}"), "profile": { "name": name } });
    let accounts: Vec<_> = (0..customers).map(account).collect();
    let page = json!({
        "event_type": 42016, "err_code": 0, "robot_id": "r",
        "data": { "mark_id": mark, "account_list": accounts, "has_more": false },
    });
    format!("{page}\n")
}

fn assemble(folder: &Path, capture: &str, out: &str) -> Command {
    qopen(folder, &["assemble", capture, "--out", out])
}

#[test]
fn a_process_that_is_killed_leaves_the_old_list_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (mark, customers) in [("m0", 3_000), ("m1", 4_000)] {
        std::fs::write(folder.join(mark), capture(mark, mark, customers)).unwrap();
    }
    assert_eq!(code(&assemble(folder, "m0", "lists.db").output().unwrap()), 0);
    let file = folder.join("lists.db");
    for round in 0..30_u64 {
        let next = ["m1", "m0"][usize::try_from(round % 2).unwrap()];
        let mut process = assemble(folder, next, "lists.db").spawn().unwrap();
        // From before its first step until after its last one.
        std::thread::sleep(std::time::Duration::from_millis(4 * round));
        let _ = process.kill();
        process.wait().unwrap();
        let state = "SELECT count(*), count(DISTINCT name), min(name), (SELECT accounts FROM pull),
                 (SELECT mark_id FROM pull) FROM robot_account";
        let found = query(&file, state);
        assert!(["3000 1 m0 3000 m0", "4000 1 m1 4000 m1"].contains(&&*found[0]), "{found:?}");
    }
    assert_eq!(query(&file, "PRAGMA integrity_check"), ["ok"]);
}

/// The limit leaves room for the records, and not for the log.
#[cfg(unix)]
#[test]
fn a_limit_of_the_file_size_keeps_the_last_list() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for mark in ["m0", "m1"] {
        std::fs::write(folder.join(mark), capture(mark, mark, 15_000)).unwrap();
    }
    assert_eq!(code(&assemble(folder, "m0", "lists.db").output().unwrap()), 0);
    // 8 MiB, in blocks of 512 bytes.
    let done = limited("-f 16384", &assemble(folder, "m1", "lists.db")).output().unwrap();
    let said = text(&done.stderr);
    assert!(code(&done) == 7 && said.contains("ulimit -f"), "{said}");
    let file = folder.join("lists.db");
    assert_eq!(query(&file, "SELECT mark_id, accounts FROM pull"), ["m0 15000"]);
    assert_eq!(query(&file, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(code(&assemble(folder, "m1", "lists.db").output().unwrap()), 0);
    assert_eq!(query(&file, "SELECT mark_id, accounts FROM pull"), ["m1 15000"]);
}

/// What a publication would meet is said without a request and without a trace.
#[test]
fn doctor_says_whether_lists_can_be_published_to_a_file() {
    let stage = Stage::new(&Schedule { accounts: 10, ..Schedule::default() });
    let folder = stage.folder.path();
    let doctor = |out: &str| {
        let done = stage.verb("doctor", &["--out", out]).output().unwrap();
        (code(&done), text(&done.stdout) + &text(&done.stderr))
    };
    let (exit, said) = doctor("lists.db");
    assert!(
        exit == 0 && said.contains("ok    output: lists can be published to sqlite:/"),
        "{said}"
    );
    assert!(!stage.exists("lists.db"), "a check leaves no trace");
    std::fs::write(folder.join("m0"), capture("m0", "m0", 10)).unwrap();
    assert_eq!(code(&assemble(folder, "m0", "lists.db").output().unwrap()), 0);
    let file = folder.join("lists.db");
    let other = Connection::open(&file).unwrap();
    // A process that writes lists delays no check. One that has the file for itself does.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(doctor("lists.db").0, 0);
    other.execute_batch("ROLLBACK; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    let (exit, said) = doctor("sqlite:lists.db?busy_timeout=100ms");
    assert!(exit != 0 && said.contains("another process"), "{said}");
    other.execute_batch("ROLLBACK; PRAGMA user_version = 9000000").unwrap();
    let (exit, said) = doctor("lists.db");
    assert!(exit != 0 && said.contains("use the later qopen"), "{said}");
    drop(other);
    std::fs::write(&file, "text").unwrap();
    let (exit, said) = doctor("lists.db");
    assert!(exit != 0 && said.contains("not an SQLite database"), "{said}");
    let (exit, said) = doctor("no/lists.db");
    assert!(exit != 0 && said.contains("does not exist"), "{said}");
    let (exit, said) = doctor("postgres://qopen:hunter2@127.0.0.1/lists");
    assert!(exit != 0 && !said.contains("hunter2") && said.contains("PGPASSWORD"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_read_only_disk_keeps_the_last_list() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(disk) = crate::full_disk::Disk::new(folder.join("disk"), "4m") else { return };
    for (mark, customers) in [("m0", 1_000), ("m1", 20_000)] {
        std::fs::write(folder.join(mark), capture(mark, mark, customers)).unwrap();
    }
    let run = |mark: &str| {
        let done = assemble(folder, mark, "disk/lists.db").output().unwrap();
        (code(&done), text(&done.stderr))
    };
    assert_eq!(run("m0").0, 0);
    let (code, said) = run("m1");
    assert!(code == 7 && said.contains("the disk is full; the list before is unchanged"), "{said}");
    let file = folder.join("disk/lists.db");
    assert_eq!(query(&file, "SELECT mark_id, accounts FROM pull"), ["m0 1000"]);
    disk.read_only(true);
    let (code, said) = run("m1");
    assert!(code == 7 && said.contains("Read-only file system"), "{said}");
    disk.read_only(false);
    disk.resize("200m");
    assert_eq!(run("m1").0, 0);
    assert_eq!(query(&file, "SELECT mark_id, accounts FROM pull"), ["m1 20000"]);
}
