//! Lists that XLSX cannot hold: refused before the request, or kept as JSON Lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use qopen::journal::{Backend as _, DiskBackend, EndState, Note, PullId, Started};
use qopen_simulator::Schedule;
use reqwest::Method;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, qopen, text, with_settings};
use crate::xlsx::{accounts, assemble, sheet};

#[test]
fn a_list_that_does_not_fit_is_kept_as_json_lines_beside_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let long = |length: usize| {
        let mut accounts = accounts();
        accounts[0]["profile"]["desc"] = "x".repeat(length).into();
        accounts
    };
    let before = assemble(folder.path(), &["--out", "c.xlsx"], &accounts());
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stderr));
    let before = std::fs::read(path("c.xlsx")).unwrap();

    let output = assemble(folder.path(), &["--out", "c.xlsx", "--json"], &long(32_768));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let summary: Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    let error = summary["error"].as_str().unwrap();
    for words in ["c.xlsx.overflow.jsonl", "row 2", "desc", "32,768 characters", "CSV"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert_eq!(std::fs::read(path("c.xlsx")).unwrap(), before);
    let plain = assemble(folder.path(), &["--out", "c.jsonl"], &long(32_768));
    assert_eq!(plain.status.code(), Some(0));
    let all = std::fs::read(path("c.jsonl")).unwrap();
    assert_eq!(std::fs::read(path("c.xlsx.overflow.jsonl")).unwrap(), all);

    // Standard output gets nothing, and the file lies in the working directory.
    let inner = path("inner");
    std::fs::create_dir(&inner).unwrap();
    let output = assemble(&inner, &["--out", "-", "--format", "xlsx"], &long(32_768));
    assert!(output.status.code() == Some(7) && output.stdout.is_empty());
    let kept: Vec<PathBuf> =
        std::fs::read_dir(&inner).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), all);

    // The next list that fits makes it worthless.
    let output = assemble(folder.path(), &["--out", "c.xlsx"], &long(32_767));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!path("c.xlsx.overflow.jsonl").exists());
    assert!(sheet(&path("c.xlsx")).contains(&"x".repeat(32_767)));
}

#[test]
fn a_pull_whose_list_did_not_fit_is_published_elsewhere() {
    let stage = Stage::new(&Schedule { accounts: 20, description: 40_000, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "c.xlsx"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("c.xlsx.overflow.jsonl"), "{said}");
    assert!(!stage.exists("c.xlsx"));
    let output = stage.run(&["--robot", "r1", "--out", "c.jsonl"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("resuming"), "{said}");
    assert_eq!(stage.read("c.jsonl"), stage.read("c.xlsx.overflow.jsonl"));
}

/// A journal in which the last list of each robot has that number of customers.
fn journal(folder: &Path, lists: &[(&str, u64)]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let journal = DiskBackend::new(folder).open().await.unwrap().journal;
        for (n, (robot, accounts)) in lists.iter().enumerate() {
            let pull = PullId {
                robot_id: robot.parse().unwrap(),
                mark_id: format!("mark-{n}").parse().unwrap(),
            };
            let second = Duration::from_secs(1);
            let started = Note::Started(Started::new(second, second, second));
            journal.note(&pull, started).await.unwrap();
            let ended: Note = serde_json::from_value(json!({"note": "ended",
                "status": EndState::Complete.as_str(), "why": "", "accounts": accounts, "pages": 1}))
            .unwrap();
            journal.note(&pull, ended).await.unwrap();
        }
    });
}

#[test]
fn a_pull_is_refused_before_its_request_if_the_last_list_was_too_long() {
    for (lists, out, says) in [
        (
            &[("r1", 1_048_576)][..],
            "c.xlsx",
            Some("the last list of robot r1, mark mark-0, has 1048576"),
        ),
        (&[("r1", 1_048_575)], "c.xlsx", None),
        (&[("r1", 1_048_576)], "c.csv", None),
        // The later list counts.
        (&[("r1", 2_000_000), ("r1", 5)], "c.xlsx", None),
        (&[("r1", 5), ("r1", 2_000_000)], "c.xlsx", Some("mark mark-1, has 2000000")),
        (&[("r2", 2_000_000)], "c.xlsx", None),
        // Two robots in one file, and in two.
        (&[("r1", 600_000), ("r2", 600_000)], "c.xlsx", Some("have 1200000 customers")),
        (&[("r1", 600_000), ("r2", 600_000)], "lists", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lists")).unwrap();
        journal(&folder.path().join("data"), lists);
        let mut arguments =
            vec!["pull", "--robot", "r1", "--out", out, "--data-dir", "data", "--new"];
        if lists.iter().any(|it| it.0 == "r2") && lists.len() > 1 {
            arguments.extend(["--robot", "r2"]);
        }
        if out == "lists" {
            arguments.extend(["--format", "xlsx"]);
        }
        let mut command = with_settings(qopen(folder.path(), &arguments));
        // No platform is there: a request fails.
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_LISTEN", "127.0.0.1:0");
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        match says {
            Some(words) => {
                assert_eq!(output.status.code(), Some(2), "{lists:?}: {said}");
                assert!(said.contains(words) && said.contains("holds at most 1048575"), "{said}");
            }
            None => assert!(
                output.status.code() == Some(1) && !said.contains("at most"),
                "{lists:?}: {said}"
            ),
        }
    }
}

#[tokio::test]
async fn a_service_requests_no_list_that_was_too_long_and_keeps_one_that_does_not_fit() {
    let stage = Stage::new(&Schedule { accounts: 5, description: 40_000, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let data = stage.folder.path().join("qopen-data");
    let written = tokio::task::spawn_blocking(move || journal(&data, &[("r9", 2_000_000)]));
    written.await.unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--format", "xlsx"], None);
    let answer = served.start(&json!({ "robot_id": "r9" })).await;
    assert_eq!(answer.status(), 400);
    let says = answer.text().await.unwrap();
    assert!(says.contains("has 2000000 customers") && says.contains("at most 1048575"), "{says}");

    let mark = served.start_pull("r1").await;
    served.until_it_says(1, "r1.xlsx.overflow.jsonl").await;
    assert!(served.log().contains("the desc of the customer in row 2"), "{}", served.log());
    assert_eq!(stage.read("lists/r1.xlsx.overflow.jsonl").lines().count(), 5);
    assert!(!stage.exists("lists/r1.xlsx"));
    served.until(&mark, |it| it["status"] != "open").await;
    let deleted = served.ask(Method::DELETE, &format!("/v1/pulls/{mark}?purge=true")).await;
    assert_eq!(deleted.status(), 204);
    assert!(!stage.exists("lists/r1.xlsx.overflow.jsonl"));
}
