//! Pulls whose process was killed, and whose pages the platform has given up since.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::Stdio;

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::served::{Served, expected};
use crate::support::{Stage, free_port, ids, qopen, text, with_settings};

/// One page of six comes late, and only once.
fn one_late_page(page: usize) -> Schedule {
    Schedule {
        accounts: 60,
        page_size: 10,
        late_page: Some((page, 1_500)),
        max_attempts: 1,
        ..Schedule::default()
    }
}

/// Kills a pull at that point of its progress, and takes the late page in its place: it is lost.
fn kill_and_lose_a_page(stage: &Stage, arguments: &[&str], at: impl Fn(&Value) -> bool) {
    let mut child = stage.pull(&[arguments, &["--json"]].concat());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| at(&serde_json::from_str(&line.unwrap()).unwrap())));
    child.kill().unwrap();
    child.wait().unwrap();
    lose_a_page(stage);
}

/// Listens where the killed process did, until a callback has come to nothing.
fn lose_a_page(stage: &Stage) {
    let listener = TcpListener::bind(&stage.listen).unwrap();
    let (mut callback, _) = listener.accept().unwrap();
    let mut head = [0; 4];
    callback.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"POST");
}

fn pulls(stage: &Stage) -> Vec<Value> {
    let output = with_settings(qopen(stage.folder.path(), &["pulls", "list", "--json"]));
    let output = { output }.output().unwrap();
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_resumed_pull_that_stays_incomplete_is_followed_by_a_new_request() {
    let schedule = one_late_page(5);
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--idle-timeout", "3s"];
    kill_and_lose_a_page(&stage, &arguments, |line| line["pages"] == 5);
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for what in ["resuming the interrupted pull", "is incomplete", "requesting the list anew"] {
        assert!(said.contains(what), "{what} is not in {said}");
    }
    assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"));
    let statuses: Vec<_> = pulls(&stage).iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["incomplete", "complete"]);
    // The next run finds nothing to resume.
    let output = stage.run(&arguments);
    assert!(!text(&output.stderr).contains("resuming"), "{}", text(&output.stderr));
}

/// The last page is there, and one before it is lost: quiet alone would complete a short list.
#[test]
fn a_resumed_pull_that_only_quiet_completes_is_followed_by_a_new_request() {
    let schedule = one_late_page(2);
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--settle", "3s", "--idle-timeout", "3s"];
    kill_and_lose_a_page(&stage, &arguments, |line| line["pages"] == 5);
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("is complete: the last page was seen"), "{said}");
    assert!(said.contains("requesting the list anew"), "{said}");
    assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"));
}

/// The list counts with what is said of it, and why there is no better one is not lost.
#[test]
fn a_resumed_list_counts_if_the_new_request_brings_none() {
    let stage = Stage::new(&one_late_page(2));
    let arguments = ["--robot", "r1", "--out", "list", "--settle", "3s", "--idle-timeout", "3s"];
    kill_and_lose_a_page(&stage, &arguments, |line| line["pages"] == 5);
    let mut command = stage.pull(&arguments);
    command.env("QOPEN_BASE_URL", format!("http://127.0.0.1:{}", free_port()));
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for what in ["brought no complete list: ", "could not be reached", "the pull was interrupted"] {
        assert!(said.contains(what), "{what} is not in {said}");
    }
    assert_eq!(ids(&stage.read("list")).len(), 50);
}

#[test]
fn a_list_that_may_lack_a_page_says_so() {
    let schedule = one_late_page(2);
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--settle", "3s", "--idle-timeout", "3s"];
    kill_and_lose_a_page(&stage, &arguments, |line| line["pages"] == 5);
    let mark = pulls(&stage)[0]["mark_id"].as_str().unwrap().to_owned();
    let output = stage.run(&["--resume", &mark, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    let basis = summary["basis"].as_str().unwrap();
    assert!(
        basis.contains("a page that the platform gave up meanwhile would be missing"),
        "{basis}"
    );
}

#[test]
fn an_interrupted_pull_without_a_page_is_replaced_at_once() {
    let schedule = Schedule { page_size: 100, ..one_late_page(0) };
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--idle-timeout", "20s"];
    kill_and_lose_a_page(&stage, &arguments, |line| line["waiting_for"] == "the first page");
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("has no page; requesting the list anew"), "{said}");
    assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"));
    let statuses: Vec<_> = pulls(&stage).iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["incomplete", "complete"]);
}

#[test]
fn options_that_a_resumed_pull_keeps_are_said() {
    let stage = Stage::new(&Schedule { max_attempts: 1000, ..one_late_page(5) });
    let arguments = ["--robot", "r1", "--out", "list", "--settle", "1s", "--deadline", "90s"];
    let mut child = stage.pull(&[&arguments[..], &["--json"]].concat());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"pages\":5")));
    child.kill().unwrap();
    child.wait().unwrap();
    let other = ["--robot", "r1", "--out", "list", "--settle", "1500ms", "--idle-timeout", "9s"];
    let said = text(&stage.run(&other).stderr);
    assert!(said.contains("keeps --settle 1s --idle-timeout 4s --deadline 90s"), "{said}");
}

#[test]
fn a_resumed_list_goes_to_its_place_from_every_folder() {
    let stage = Stage::new(&Schedule { max_attempts: 1000, ..one_late_page(5) });
    let mut child = stage.pull(&["--robot", "r1", "--out", "list", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"pages\":5")));
    child.kill().unwrap();
    child.wait().unwrap();
    let mark = pulls(&stage)[0]["mark_id"].as_str().unwrap().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let data = stage.folder.path().join("qopen-data");
    let mut resume = stage.pull(&["--resume", &mark, "--data-dir", data.to_str().unwrap()]);
    let output = resume.current_dir(elsewhere.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("list")).len(), 60);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_killed_service_requests_anew_what_it_cannot_complete() {
    a_killed_service_requests_anew(5, "incomplete").await;
}

#[tokio::test]
async fn a_killed_service_requests_anew_what_only_quiet_completes() {
    a_killed_service_requests_anew(2, "complete").await;
}

/// The page of that number is lost while the service is down.
async fn a_killed_service_requests_anew(lost: usize, then: &str) {
    let schedule = one_late_page(lost);
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let arguments = ["--out", "lists", "--settle", "3s", "--idle-timeout", "3s"];
    let served = Served::new(&stage, &arguments, None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["pages"] == 5).await;
    served.signal("KILL");
    drop(served);
    let stage = tokio::task::spawn_blocking(move || {
        lose_a_page(&stage);
        stage
    });
    let stage = stage.await.unwrap();
    let served = Served::new(&stage, &arguments, None);
    served.until(&mark, |it| it["status"] == then).await;
    let began = std::time::Instant::now();
    let all = loop {
        let all = served.get_json("/v1/pulls").await["pulls"].take();
        let published = |it: &Value| it["mark_id"] != json!(mark) && it["output"].is_string();
        if all.as_array().unwrap().iter().any(published) {
            break all;
        }
        assert!(began.elapsed().as_secs() < 60, "{all}\n{}", served.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&schedule, "r1"));
    assert!(served.log().contains("requesting the list anew"), "{}", served.log());
}
