//! A journal's file that is damaged while a process uses it.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use qopen_simulator::Schedule;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, ids, text};

/// The segments of the journal.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true => found.extend(segments(&path)),
            false if name.len() == 12 && name.ends_with(".log") => found.push(path),
            false => {}
        }
    }
    found
}

type Harm = (&'static str, fn(&Path));

const HARMS: [Harm; 3] = [
    ("truncated", |file| {
        OpenOptions::new().write(true).open(file).unwrap().set_len(200).unwrap();
    }),
    ("deleted", |file| fs::remove_file(file).unwrap()),
    ("replaced", |file| {
        fs::remove_file(file).unwrap();
        fs::write(file, vec![0; 1 << 20]).unwrap();
    }),
];

fn thirty() -> Schedule {
    Schedule { accounts: 30, page_size: 10, ..Schedule::default() }
}

#[tokio::test]
async fn a_service_counts_lost_pages_at_once_and_does_not_call_the_list_complete() {
    for (harm, damage) in HARMS {
        let stage = Stage::new(&thirty());
        let served = Served::with_lists(&stage, &["--settle", "3s"]);
        let mark = served.start_pull("r1").await;
        served.until(&mark, |it| it["last_page_seen"] == true && it["pages"] == 3).await;
        segments(stage.folder.path()).iter().for_each(|file| damage(file));
        let ended = served.until(&mark, |it| it["status"] == "incomplete").await;
        assert_eq!((&ended["damaged"], &ended["output"]), (&json!(3), &Value::Null), "{harm}");
        let why = ended["why"].as_str().unwrap();
        assert!(why.contains("the journal has lost it"), "{harm}: {why}");
        assert!(!stage.exists("lists/r1.jsonl"), "{harm}");
        assert_eq!(served.figure("qopen_journal_lost_pages").await, 3.0, "{harm}");
        // The next pull is not harmed.
        served.published("r1").await;
        assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 30, "{harm}");
        assert_eq!(served.stop().code(), Some(0), "{harm}");
    }
}

#[tokio::test]
async fn a_client_that_has_a_list_needs_no_page_of_it() {
    let stage = Stage::new(&thirty());
    let served = Served::with_lists(&stage, &[]);
    served.published("r1").await;
    let path = "/v1/robots/r1/accounts";
    let tag = served.get(path).await.headers()["etag"].clone();
    let (_, damage) = HARMS[0];
    segments(stage.folder.path()).iter().for_each(|file| damage(file));
    let url = format!("{}{path}", served.control);
    let again = served.http.get(url).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status(), &again.headers()["etag"]), (StatusCode::NOT_MODIFIED, &tag));
    assert!(!served.get(path).await.status().is_success());
    assert_eq!(served.stop().code(), Some(0));
}

#[test]
fn a_pull_whose_pages_the_journal_lost_is_incomplete_and_the_next_command_requests_anew() {
    for (harm, damage) in HARMS {
        let stage = Stage::new(&thirty());
        let arguments = ["--robot", "r1", "--out", "list.jsonl", "--json"];
        let mut command = stage.pull(&[&arguments[..], &["--settle", "3s"]].concat());
        let mut pull = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(pull.stdout.take().unwrap()).lines().map(Result::unwrap);
        let has_all = |line: &String| line.contains("\"last_page_seen\":true");
        let pages = |line: &str| serde_json::from_str::<Value>(line).unwrap()["pages"].clone();
        lines.find(|line| has_all(line) && pages(line) == 3).expect("all pages come");
        segments(stage.folder.path()).iter().for_each(|file| damage(file));
        let last: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
        assert_eq!(pull.wait().unwrap().code(), Some(3), "{harm}: {last}");
        assert_eq!(last["status"], "incomplete", "{harm}: {last}");
        assert!(last["error"].as_str().unwrap().contains("damaged"), "{harm}: {last}");
        let listed = text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
        assert!(!listed.contains("\"status\":\"complete\""), "{harm}: {listed}");
        let again = stage.run(&arguments);
        assert_eq!(again.status.code(), Some(0), "{harm}: {}", text(&again.stderr));
        assert_eq!(ids(&stage.read("list.jsonl")).len(), 30, "{harm}");
    }
}
