//! Lists as Singer messages: their order, versions and state, read by targets from PyPI.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::guards::Scene;
#[cfg(unix)]
use crate::support::limited;
use crate::support::{Stage, ids, installed, qopen, text};

const REQUIRED: &str = "QOPEN_TEST_SINGER";

/// Each list has 4 customers fewer than the one before, and odd texts.
fn shrinking() -> Schedule {
    let (accounts, page_size, gone_each) = (20, 5, 4);
    Schedule { accounts, page_size, gone_each, unknown: true, nulls: true, ..Schedule::default() }
}

fn messages(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = messages.iter().map(|it| it["type"].as_str().unwrap()).collect();
    kinds.dedup();
    kinds
}

/// The version of all records, which are one version's.
fn version(messages: &[Value]) -> u64 {
    let of = |it: &&Value| it["type"] == "RECORD" || it["type"] == "ACTIVATE_VERSION";
    let versions: BTreeSet<_> =
        messages.iter().filter(of).map(|it| it["version"].as_u64().unwrap()).collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    versions.into_iter().next().unwrap()
}

fn pull(scene: &Scene, robots: &[&str], options: &[&str]) -> Output {
    let mut all = vec!["pull", "--out", "-", "--format", "singer", "--settle", "1s"];
    robots.iter().for_each(|robot| all.extend(["--robot", robot]));
    all.extend(options);
    scene.verb(&all)
}

#[test]
fn a_complete_list_is_schema_records_activation_and_state() {
    let scene = Scene::new(shrinking());
    let output = pull(&scene, &["r1", "r2"], &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let first = messages(&output.stdout);
    assert_eq!(kinds(&first), ["SCHEMA", "RECORD", "ACTIVATE_VERSION", "STATE"]);
    let schema = &first[0];
    assert_eq!(schema["key_properties"], json!(["robot_id", "account_id"]));
    let records: Vec<_> = first.iter().filter(|it| it["type"] == "RECORD").collect();
    assert_eq!(records.len(), 40);
    let keys: BTreeSet<_> = records
        .iter()
        .map(|it| {
            it["record"]["robot_id"].to_string() + it["record"]["account_id"].as_str().unwrap()
        })
        .collect();
    assert_eq!(keys.len(), 40);
    // The schema has each field of the specification, with the type of each record.
    let properties = schema["schema"]["properties"].as_object().unwrap();
    for record in &records {
        let record = record["record"].as_object().unwrap();
        for (name, schema) in properties.iter().filter(|it| it.0 != "_unread") {
            let value = &record[name];
            let kind = match value {
                Value::String(_) => "string",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
                Value::Null => "null",
            };
            assert!(schema["type"].to_string().contains(kind), "{name}: {value} {schema}");
        }
    }
    let state = &first.last().unwrap()["value"]["bookmarks"]["robot_account"];
    assert_eq!(
        (state["version"].as_u64(), &state["robots"]["r2"]["accounts"]),
        (Some(version(&first)), &json!(20))
    );
    assert!(state["robots"]["r1"]["mark_id"].is_string(), "{state}");

    let second = messages(&pull(&scene, &["r1", "r2"], &[]).stdout);
    assert_eq!(second.iter().filter(|it| it["type"] == "RECORD").count(), 32);
    assert!(version(&second) > version(&first));
    // Alone, the list of one robot would take the other's customers from a target.
    let output = pull(&scene, &["r1"], &[]);
    let (alone, said) = (messages(&output.stdout), text(&output.stderr));
    assert_eq!(kinds(&alone), ["SCHEMA", "RECORD", "STATE"]);
    assert!(said.contains("earlier messages: r2; pull all robots together"), "{said}");
    let robots = &alone.last().unwrap()["value"]["bookmarks"]["robot_account"]["robots"];
    assert_eq!(robots["r2"]["version"].as_u64(), Some(version(&second)), "{robots}");
    let dropped = messages(&pull(&scene, &["r1"], &["--new-baseline"]).stdout);
    assert_eq!(kinds(&dropped), ["SCHEMA", "RECORD", "ACTIVATE_VERSION", "STATE"]);
    let robots = &dropped.last().unwrap()["value"]["bookmarks"]["robot_account"]["robots"];
    assert_eq!(robots.as_object().unwrap().len(), 1, "{robots}");
    assert!(version(&dropped) > version(&alone) && version(&alone) > version(&second));
}

/// The bookmark of a robot in the state that ends the messages.
fn bookmark(messages: &[Value], robot: &str) -> Value {
    messages.last().unwrap()["value"]["bookmarks"]["robot_account"]["robots"][robot].clone()
}

#[test]
fn the_bookmark_of_a_robot_that_is_left_out_keeps_the_version_of_its_messages() {
    let scene = Scene::new(shrinking());
    // The pull of r2 starts when the pull of r1 has ended, so it has a greater version.
    let both = messages(&pull(&scene, &["r1", "r2"], &["--concurrency", "1"]).stdout);
    assert_eq!(bookmark(&both, "r1")["version"], version(&both));
    let other = messages(&pull(&scene, &["r2"], &[]).stdout);
    assert_eq!(bookmark(&other, "r1"), bookmark(&both, "r1"));
    assert!(version(&other) > version(&both));
}

#[test]
fn a_resumed_pull_keeps_its_version_unless_messages_have_a_greater_one() {
    let stage = Stage::new(&Schedule { accounts: 20, page_size: 5, ..Schedule::default() });
    // Kills a pull that has all pages, and returns its mark.
    let begin = |robot: &str| {
        let arguments = ["--robot", robot, "--out", "-", "--format", "singer"];
        let mut pull = stage.pull(&[&arguments[..], &["--json", "--settle", "5s"]].concat());
        let mut pull = pull.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(pull.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("\"pages\":4")));
        pull.kill().unwrap();
        pull.wait().unwrap();
        let listed = text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
        let pulls = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let pull = pulls.into_iter().find(|it| it["robot_id"] == robot).unwrap();
        pull["mark_id"].as_str().unwrap().to_owned()
    };
    let versions = |mark: &str| -> Vec<u64> {
        let shown = text(&stage.verb("pulls", &["show", mark]).output().unwrap().stdout);
        let places = shown.lines().filter_map(|line| line.split_once("its list has place "));
        places.map(|it| it.1.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let resume = |marks: &[&str]| {
        let arguments: Vec<_> = marks.iter().flat_map(|mark| ["--resume", mark]).collect();
        let output = stage.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        messages(&output.stdout)
    };
    let r1 = begin("r1");
    let started = versions(&r1);
    assert_eq!(vec![version(&resume(&[&r1]))], started);
    assert_eq!(versions(&r1), started, "a second note of the same version");

    let (r2, r3) = (begin("r2"), begin("r3"));
    let started = [versions(&r2), versions(&r3)].concat();
    assert!(started[0] < started[1]);
    assert_eq!(version(&resume(&[&r2, &r3])), started[1]);
    assert_eq!((versions(&r2), versions(&r3)), (started.clone(), vec![started[1]]));
}

#[test]
fn an_incomplete_list_activates_nothing_and_an_empty_one_only_where_that_is_allowed() {
    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "-", "--format", "singer"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(kinds(&messages(&output.stdout)), ["SCHEMA", "RECORD"]);
    let marks = stage.verb("pulls", &["list"]).output().unwrap();
    let mark = text(&marks.stdout).lines().nth(1).unwrap().split('\t').next().unwrap().to_owned();
    let export = ["export", &mark, "--out", "-", "--format", "singer", "--partial"];
    let output = stage.verb("pulls", &export).output().unwrap();
    assert_eq!(kinds(&messages(&output.stdout)), ["SCHEMA", "RECORD"]);

    let scene = Scene::new(Schedule { accounts: 5, gone_each: 5, ..Schedule::default() });
    assert_eq!(pull(&scene, &["r1"], &[]).status.code(), Some(0));
    let refused = pull(&scene, &["r1"], &[]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(3), 0));
    let empty = pull(&scene, &["r1"], &["--allow-empty"]);
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty.stderr));
    assert_eq!(kinds(&messages(&empty.stdout)), ["SCHEMA", "ACTIVATE_VERSION", "STATE"]);
}

#[test]
fn a_fresh_journal_continues_from_the_state_and_no_clock_decides() {
    let scene = Scene::new(shrinking());
    let far = 9_007_199_254_740_000_u64;
    let robots = json!({ "r1": { "mark_id": "m", "version": far, "revision": 1, "accounts": 3 } });
    let other = json!({ "other_tap": { "since": 1 }, "robot_account": { "version": far, "robots": robots } });
    let state = scene.folder.path().join("state.json");
    // As `>>` collects what a target prints.
    std::fs::write(&state, format!("{{}}\n{}\n\n", json!({ "bookmarks": other }))).unwrap();
    let first = messages(&pull(&scene, &["r1"], &["--state", "state.json"]).stdout);
    assert_eq!(version(&first), far + 1);
    let told = first.last().unwrap();
    assert_eq!(told["value"]["bookmarks"]["other_tap"], json!({ "since": 1 }));
    // Without the state the journal knows, and a message is a state, too.
    assert_eq!(version(&messages(&pull(&scene, &["r1"], &[]).stdout)), far + 2);
    std::fs::write(&state, told.to_string()).unwrap();
    let fresh = ["--state", "state.json", "--data-dir", "fresh"];
    assert_eq!(version(&messages(&pull(&scene, &["r1"], &fresh).stdout)), far + 2);
    std::fs::write(&state, "").unwrap();
    let empty =
        pull(&scene, &["r1"], &["--state", "state.json", "--data-dir", "other", "--allow-empty"]);
    assert_eq!(kinds(&messages(&empty.stdout))[0], "SCHEMA");
    for (content, part) in [("no json", "STATE message"), (r#"{"bookmarks": 3}"#, "STATE message")]
    {
        std::fs::write(&state, content).unwrap();
        let output = pull(&scene, &["r1"], &["--state", "state.json"]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(
            said.contains(part) && said.contains("--state") && said.contains("example"),
            "{said}"
        );
    }
}

/// The state grows by a line with each run, for years.
#[cfg(unix)]
#[test]
fn a_state_of_any_size_needs_the_memory_of_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("l.jsonl"), "{\"robot_id\":\"r1\",\"account_id\":\"a\"}\n").unwrap();
    let last = r#"{"bookmarks":{"robot_account":{"version":9007199254740000}}}"#;
    for (name, end) in [("long", format!("\n{last}\n")), ("zeros", String::new())] {
        let mut state = std::fs::File::create(path(name)).unwrap();
        state.set_len(3 << 30).unwrap();
        state.seek(SeekFrom::End(0)).unwrap();
        state.write_all(end.as_bytes()).unwrap();
    }
    let run = |state: &str| {
        let convert = ["convert", "l.jsonl", "--out", "-", "--format", "singer", "--state", state];
        limited("-v 2000000", &qopen(folder.path(), &convert)).output().unwrap()
    };
    let output = run("long");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(version(&messages(&output.stdout)), 9_007_199_254_740_001);
    for state in ["zeros", "/dev/zero"] {
        let output = run(state);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains("at most 64 MiB") && said.contains("--state"), "{said}");
    }
}

#[test]
fn lists_that_are_there_become_messages_and_files_do_not() {
    let scene = Scene::new(shrinking());
    let settled = ["--settle", "1s"];
    let output =
        scene.verb(&[&["pull", "--robot", "r1", "--out", "list.jsonl"][..], &settled].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = std::fs::read_to_string(scene.folder.path().join("list.jsonl")).unwrap();
    let converted = scene.verb(&["convert", "list.jsonl", "--out", "-", "--format", "singer"]);
    let mark = text(&scene.verb(&["pulls", "list"]).stdout);
    let mark = mark.lines().nth(1).unwrap().split('\t').next().unwrap().to_owned();
    let exported = scene.verb(&["pulls", "export", &mark, "--out", "-", "--format", "singer"]);
    for output in [converted, exported] {
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let messages = text(&output.stdout);
        // A record is the line of JSON Lines, byte for byte.
        let records = messages.lines().filter_map(|it| it.split_once("\"record\":"));
        let records: Vec<_> = records.map(|it| it.1.strip_suffix('}').unwrap()).collect();
        assert_eq!(records, list.lines().collect::<Vec<_>>());
        assert_eq!(
            kinds(
                &messages.lines().map(|it| serde_json::from_str(it).unwrap()).collect::<Vec<_>>()
            )
            .len(),
            4
        );
    }
    for (arguments, part) in [
        (&["--out", "list.singer", "--format", "singer"][..], "standard output"),
        (&["--out", "sqlite:x.db", "--format", "singer"], "standard output"),
        (&["--out", "-", "--format", "singer", "--bom"], "--bom"),
        (&["--out", "x.jsonl", "--state", "state.json"], "--state"),
    ] {
        let output = scene.verb(&[&["pull", "--robot", "r1"][..], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    assert_eq!(scene.simulator.counts().requests, 1);
}

/// Runs a target on messages. Returns the state that it prints last.
fn target(program: &Path, folder: &Path, options: &[&str], messages: &[u8]) -> Value {
    let mut command = Command::new(program);
    command.args(options).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut target = command.spawn().unwrap();
    target.stdin.take().unwrap().write_all(messages).unwrap();
    let output = target.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap()
}

#[test]
fn target_jsonl_reads_every_record() {
    let Some(program) = installed(&["target-jsonl"], REQUIRED) else { return };
    let scene = Scene::new(shrinking());
    let output = pull(&scene, &["r1", "客服"], &[]);
    let all = messages(&output.stdout);
    let state = target(&program, scene.folder.path(), &[], &output.stdout);
    assert_eq!(&state, &all.last().unwrap()["value"]);
    let files = std::fs::read_dir(scene.folder.path()).unwrap().map(|it| it.unwrap().path());
    let file =
        files.into_iter().find(|it| it.to_string_lossy().contains("robot_account-")).unwrap();
    let written = std::fs::read_to_string(file).unwrap();
    let records = all.iter().filter(|it| it["type"] == "RECORD").map(|it| &it["record"]);
    let read: Vec<Value> = written.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(read.iter().collect::<Vec<_>>(), records.collect::<Vec<_>>());
    assert_eq!(ids(&written).len(), 40);
}

#[test]
fn target_postgres_deactivates_who_left() {
    let Some(program) = installed(&["target-postgres"], REQUIRED) else { return };
    let Some(server) = Server::start() else { return };
    let scene = Scene::new(shrinking());
    let url = server.url().replace("postgres://", "postgresql+psycopg://");
    let config = json!({
        "sqlalchemy_url": url, "default_target_schema": "public", "validate_records": true,
    });
    std::fs::write(scene.folder.path().join("target.json"), config.to_string()).unwrap();
    let rows = "SELECT string_agg(account_id, ' ' ORDER BY account_id COLLATE \"C\") FROM public.robot_account WHERE _sdc_deleted_at IS NULL AND robot_id = ";
    let mut last: Option<Value> = None;
    for customers in [20, 16, 12] {
        if let Some(state) = &last {
            std::fs::write(scene.folder.path().join("state.json"), state.to_string()).unwrap();
        }
        let state = ["--state", "state.json"];
        let output = pull(&scene, &["r1", "r2"], if last.is_some() { &state } else { &[] });
        let all = messages(&output.stdout);
        let config = ["--config", "target.json"];
        last = Some(target(&program, scene.folder.path(), &config, &output.stdout));
        for robot in ["r1", "r2"] {
            let own = all.iter().filter(|it| it["record"]["robot_id"] == robot);
            let mut own: Vec<_> =
                own.map(|it| it["record"]["account_id"].as_str().unwrap()).collect();
            own.sort_unstable();
            assert_eq!(own.len(), customers);
            assert_eq!(scene.query(&server, &format!("{rows}'{robot}'")), own.join(" "));
        }
    }
    let all = scene.query(&server, "SELECT count(*)::text FROM public.robot_account");
    assert_eq!(all, "40", "rows stay, as deleted ones");
}
