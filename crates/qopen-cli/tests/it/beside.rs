//! `pulls` and `quarantine` beside a running service: the same answers as on the journal itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::{Schedule, SimulatedRobot};
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Killed, Stage, text};

/// One page of each pull cannot be read.
fn broken() -> Schedule {
    Schedule { accounts: 40, page_size: 10, broken_page: Some(1), ..Schedule::default() }
}

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    // Nothing needs the system's folder for temporary files.
    let missing = stage.folder.path().join("no such folder");
    stage.verb(arguments[0], &arguments[1..]).env("TMPDIR", missing).output().unwrap()
}

fn lines(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let output = run(stage, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn mark_of(stage: &Stage, robot: &str) -> String {
    let pulls = lines(stage, &["pulls", "list", "--json"]);
    let pull = pulls.iter().find(|it| it["robot_id"] == robot).unwrap();
    pull["mark_id"].as_str().unwrap().to_owned()
}

fn said(output: &Output) -> String {
    text(&output.stderr)
}

#[test]
fn every_question_has_the_same_answer_beside_a_service() {
    let robots = ["r1", "r2"].map(|id| SimulatedRobot::host(id.parse().unwrap(), "Robot")).to_vec();
    let stage = Stage::new(&Schedule { robots, ..broken() });
    for robot in ["r1", "r2"] {
        assert_eq!(stage.run(&["--robot", robot, "--out", "list"]).status.code(), Some(3));
    }
    let (first, second) = (mark_of(&stage, "r1"), mark_of(&stage, "r2"));
    // The second one is complete without its page, and published.
    let items = lines(&stage, &["quarantine", "list", "--json"]);
    let name = |robot: &str| {
        let item = items.iter().find(|it| it["robot_id"] == robot).unwrap();
        item["item"].as_str().unwrap().to_owned()
    };
    let (item, released) = (name("r1"), name("r2"));
    assert_eq!(run(&stage, &["quarantine", "release", &released]).status.code(), Some(0));
    assert_eq!(
        run(&stage, &["pull", "--resume", &second, "--settle", "1s"]).status.code(),
        Some(0)
    );

    // Marks differ where they were made last: all of them are of one time.
    let unknown = "0000-unknown";
    let questions: Vec<(Vec<&str>, i32)> = vec![
        (vec!["pulls", "list"], 0),
        (vec!["pulls", "list", "--json"], 0),
        (vec!["pulls", "show", &first], 0),
        (vec!["pulls", "show", &first, "--json"], 0),
        (vec!["pulls", "show", &first[..first.len() - 1]], 0),
        (vec!["pulls", "show", &second, "--json"], 0),
        (vec!["pulls", "show", unknown], 2),
        (vec!["pulls", "show", &first[..4]], 2),
        (vec!["pulls", "purge", &first[..4]], 2),
        (vec!["pulls", "check"], 0),
        (vec!["robots", "list", "--json"], 0),
        (vec!["quarantine", "list"], 0),
        (vec!["quarantine", "list", "--json"], 0),
        (vec!["quarantine", "show", &item], 0),
        (vec!["quarantine", "show", &item[..6], "--raw"], 0),
        (vec!["quarantine", "show", "none"], 2),
        (vec!["quarantine", "show", ""], 2),
        (vec!["quarantine", "show", &item[..3]], 2),
        (vec!["quarantine", "release", ""], 2),
        (vec!["quarantine", "release", &item[..3]], 2),
        (vec!["quarantine", "release", "0123456789abcdef0123456789abcdef"], 2),
        (vec!["pulls", "show", ""], 2),
        (vec!["pulls", "purge", ""], 2),
        (vec!["quarantine", "retry"], 3),
        (vec!["pulls", "export", &second, "--out", "-"], 0),
        (vec!["pulls", "export", &second, "--out", "-", "--format", "csv"], 0),
        (vec!["pulls", "export", &first, "--out", "-"], 3),
        (vec!["pulls", "export", &first, "--out", "-", "--partial"], 0),
        (vec!["pulls", "export", &second, "--out", "list"], 2),
        (vec!["pulls", "show", &first, "--lang", "zh"], 0),
        (vec!["pulls", "show", unknown, "--lang", "zh"], 2),
        (vec!["pulls", "check", "--lang", "zh"], 0),
        (vec!["quarantine", "show", "none", "--lang", "zh"], 2),
        (vec!["quarantine", "retry", "--lang", "zh"], 3),
        (vec!["pulls", "export", &first, "--out", "-", "--lang", "zh"], 3),
        (vec!["pulls", "export", &second, "--out", "list", "--lang", "zh"], 2),
    ];
    let answers = |what: &str| -> Vec<_> {
        let answer = |(question, code): &(Vec<&str>, i32)| {
            let output = run(&stage, question);
            let code_was = output.status.code();
            assert_eq!(code_was, Some(*code), "{what} {question:?}: {}", said(&output));
            let mut answer = text(&output.stdout);
            if question.starts_with(&["pulls", "check"]) {
                // The service gives room back when it starts, so that files and records are fewer.
                answer = answer.lines().last().unwrap().to_owned();
            }
            if let Some((before, after)) = answer.split_once("\"age_s\":") {
                // Time passes between two questions.
                let rest = after.trim_start_matches(|it: char| it.is_ascii_digit());
                answer = format!("{before}\"age_s\":N{rest}");
            }
            (question.join(" "), answer, said(&output))
        };
        questions.iter().map(answer).collect()
    };
    let alone = answers("alone");
    let served = Served::new(&stage, &[], None);
    let beside = answers("beside");
    for (alone, beside) in alone.iter().zip(&beside) {
        assert_eq!(alone, beside);
    }
    assert!(stage.exists("qopen-data/control.json"));
    assert_eq!(served.stop().code(), Some(0));
    assert!(!stage.exists("qopen-data/control.json"));
    assert_eq!(alone, answers("alone again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_knows_of_its_own_pulls_does_not_change_the_answer() {
    let stage = Stage::new(&broken());
    let served = Served::new(&stage, &[], None);
    let mark = served.start_pull("r1").await;
    // The service shows more than the journal has.
    let pull = served.until(&mark, |it| it["status"] == "incomplete").await;
    assert_eq!(pull["revision"], 0);
    let ask = || {
        let list = lines(&stage, &["pulls", "list", "--json"]);
        (list, lines(&stage, &["pulls", "show", &mark, "--json"]))
    };
    let beside = ask();
    assert_eq!(beside.0[0]["revision"], Value::Null);
    assert_eq!(served.stop().code(), Some(0));
    assert_eq!(ask(), beside);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_a_deletion_beside_a_service_count_there_at_once() {
    let stage = Stage::new(&broken());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["status"] == "incomplete").await;
    let items = lines(&stage, &["quarantine", "list", "--json"]);
    let item = items[0]["item"].as_str().unwrap();
    let output = run(&stage, &["quarantine", "release", &item[..8]]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said_of_it = text(&output.stdout);
    assert!(said_of_it.contains(&format!("robot r1 mark {mark}: the item no longer counts")));
    // What it says publishes the list does so.
    let resume = format!("{}/v1/pulls/{mark}/resume", served.control);
    assert!(said_of_it.contains(&format!("curl -X POST {resume} publishes")), "{said_of_it}");
    assert_eq!(served.http.post(&resume).send().await.unwrap().status(), 202);
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!((&pull["status"], &pull["accounts"]), (&json!("complete"), &json!(30)));
    assert_eq!(run(&stage, &["quarantine", "retry"]).status.code(), Some(0));

    let output = run(&stage, &["pulls", "purge", &mark[..mark.len() - 1]]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains(&format!("robot r1 mark {mark} is deleted")),
        "{}",
        said(&output)
    );
    assert_eq!(served.get_json("/v1/pulls").await, json!({ "pulls": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_pull_is_ended_and_deleted_beside_its_service() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::new(&stage, &["--idle-timeout", "600s"], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"].is_string()).await;
    let output = run(&stage, &["pulls", "purge", &mark]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(lines(&stage, &["pulls", "list", "--json"]), Vec::<Value>::new());
    assert_eq!(served.get(&format!("/v1/pulls/{mark}")).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_an_open_pull_that_is_deleted_beside_its_service_leaves_no_list() {
    // Pages have come, and more are waited for.
    let schedule =
        Schedule { accounts: 40, page_size: 10, lost_last_page: true, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--idle-timeout", "600s"], None);
    let files = || std::fs::read_dir(stage.folder.path().join("lists")).unwrap().count();
    for robot in ["r1", "r2"] {
        let mark = served.start_pull(robot).await;
        served.until(&mark, |it| it["pages"].as_u64() >= Some(3)).await;
        if robot == "r1" {
            let output = run(&stage, &["pulls", "purge", &mark]);
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            assert_eq!(served.get(&format!("/v1/pulls/{mark}")).await.status(), 404);
            assert_eq!(files(), 0, "a list of a deleted pull was written");
        } else {
            // Ended without deletion, it leaves what is there.
            let path = format!("/v1/pulls/{mark}");
            assert_eq!(served.ask(reqwest::Method::DELETE, &path).await.status(), 202);
            let began = Instant::now();
            while !stage.exists("lists/r2.jsonl.partial") {
                assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(served.get(&path).await.status(), 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_robots_pulls_with_one_mark_each_is_answered_for() {
    let stage = Stage::new(&Schedule { accounts: 20, page_size: 10, ..Schedule::default() });
    let served = Served::new(&stage, &[], None);
    for robot in ["r1", "r/2"] {
        let start = json!({ "robot_id": robot, "mark_id": "shared / mark" });
        assert_eq!(served.start(&start).await.status(), 202);
    }
    let began = Instant::now();
    let list = || lines(&stage, &["pulls", "list", "--json"]);
    while list().iter().any(|it| it["status"] == "open") {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", list());
    }
    let shown = lines(&stage, &["pulls", "show", "shared", "--json"]);
    let robots: Vec<_> = shown.iter().filter_map(|it| it["robot_id"].as_str()).collect();
    assert_eq!(robots, ["r/2", "r1"]);
    let export = ["pulls", "export", "shared", "--out", "-"];
    let output = run(&stage, &export);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--robot: r/2, r1"), "{}", said(&output));
    for robot in ["r1", "r/2"] {
        let output = run(&stage, &[&export[..], &["--robot", robot]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let list = text(&output.stdout);
        let begin = format!("{{\"robot_id\":\"{robot}\",");
        assert!(list.lines().count() == 20 && list.lines().all(|it| it.starts_with(&begin)));
    }
    assert_eq!(run(&stage, &["pulls", "purge", "shared"]).status.code(), Some(0));
    assert_eq!(served.get_json("/v1/pulls").await, json!({ "pulls": [] }));
}

#[test]
fn a_service_with_a_token_is_asked_with_it_and_never_by_a_proxy() {
    let stage = Stage::new(&Schedule::default());
    let token = "canary-control-token";
    // It listens on every address, and is asked on loopback.
    let mut command = stage.verb("serve", &["--control", "0.0.0.0:0"]);
    command.env("QOPEN_CONTROL_TOKEN", token);
    let served = Served::spawn(command);
    let output = run(&stage, &["pulls", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("set QOPEN_CONTROL_TOKEN"), "{}", said(&output));
    for wrong in [token, "another-control-token"] {
        let mut command = stage.verb("pulls", &["list"]);
        command.env("QOPEN_CONTROL_TOKEN", wrong);
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(proxy, "http://127.0.0.1:9");
        }
        let output = command.output().unwrap();
        let expected = if wrong == token { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
        assert!(!said(&output).contains("another-control-token"));
    }
    drop(served);
}

#[test]
fn a_pull_that_holds_the_journal_is_named_and_a_dead_services_note_is_not_used() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::new(&stage, &[], None);
    // Without a word: its note stays.
    drop(served);
    let note = Path::new("qopen-data/control.json");
    assert!(stage.folder.path().join(note).exists());
    assert_eq!(lines(&stage, &["pulls", "list", "--json"]), Vec::<Value>::new());
    assert!(!stage.folder.path().join(note).exists(), "the next process removes it");

    let mut pull = stage.pull(&["--robot", "r1", "--out", "list", "--idle-timeout", "600s"]);
    let pull = Killed(pull.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let held = format!("process {}", pull.0.id());
    let lock = stage.folder.path().join("qopen-data/lock");
    let began = Instant::now();
    while std::fs::read_to_string(&lock).is_ok_and(|it| it.lines().next() != Some(&held)) {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    for arguments in [&["pulls", "list"][..], &["quarantine", "retry"], &["pulls", "check"]] {
        let output = run(&stage, arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(&held), "{}", said(&output));
        assert!(said(&output).contains("wait for that process, stop it"), "{}", said(&output));
    }
    // One that was left behind although the journal is held leads to no one.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    drop(silent);
    let control = json!({ "control": address });
    std::fs::write(stage.folder.path().join(note), control.to_string()).unwrap();
    let output = run(&stage, &["pulls", "list"]);
    assert_eq!(output.status.code(), Some(2));
    let what = format!("no control API answers at {address}");
    assert!(said(&output).contains(&what) && said(&output).contains(&held), "{}", said(&output));
}

/// A journal that a process holds, with a note that leads to answers of the test's own.
fn led_to(stage: &Stage, answer: impl Fn(&str) -> String + Send + 'static) -> Killed {
    let mut pull =
        stage.pull(&["--robot", "r1", "--out", "held", "--idle-timeout", "600s", "--json"]);
    let mut pull = pull.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Its first line comes when it has opened the journal.
    let mut lines = BufReader::new(pull.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let control = json!({ "control": listener.local_addr().unwrap() });
    let note = stage.folder.path().join("qopen-data/control.json");
    std::fs::write(note, control.to_string()).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = head.next().unwrap().unwrap();
            head.find(|it| it.as_ref().is_ok_and(String::is_empty));
            stream.write_all(answer(&line).as_bytes()).unwrap();
        }
    });
    Killed(pull)
}

#[test]
fn i5_a_list_that_breaks_off_replaces_nothing_and_is_not_shown() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let pull = json!({
        "type": "pull", "robot_id": "r1", "mark_id": "mark-1", "status": "complete",
        "started": null, "last_activity": null, "pages": 1, "accounts": 2, "bytes": 3,
        "quarantined": 0, "set_aside": 0, "damaged": 0, "revision": 1, "output": null,
        "newer_pages": false, "superseded": false,
    });
    let list = json!({ "pulls": [pull] }).to_string();
    let whole = |status: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let answer = move |line: &str| {
        match line.split(['?', ' ']).nth(1).unwrap() {
        "/v1/pulls" => whole("200 OK", &list),
        // The head, a line, and not the rest.
        "/v1/pulls/mark-1/accounts" => "HTTP/1.1 200 OK\r\nqopen-complete: true\r\nqopen-revision: 1\r\ncontent-length: 1000\r\n\r\n{\"robot_id\":\"r1\"}\n".to_owned(),
        "/v1/pulls/mark-1/notes" => {
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        _ => whole("200 OK", "not what was asked for"),
    }
    };
    let _held = led_to(&stage, answer);
    std::fs::write(stage.folder.path().join("copy"), "old").unwrap();
    for out in ["copy", "-"] {
        let output = run(&stage, &["pulls", "export", "mark-1", "--out", out]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("broke off"), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(stage.read("copy"), "old");
    assert_eq!(std::fs::read_dir(stage.folder.path()).unwrap().count(), 2, "copy and qopen-data");
    for (arguments, what) in [
        (&["pulls", "show", "mark-1"][..], "answered 307"),
        (&["quarantine", "list"], "answered otherwise"),
    ] {
        let output = run(&stage, arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
    }
}
