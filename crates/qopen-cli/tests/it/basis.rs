//! What the completeness of a list rests on: the same in the summary, the journal, the API and the database.

use qopen_postgres::testing::Server;
use qopen_simulator::{Dataset, Schedule};
use serde_json::{Value, json};

use crate::guards::{Scene, lost_on};
use crate::served::Served;
use crate::shared::database;
use crate::support::{Stage, text};

/// The lines of `qopen pulls show MARK --json`: the pull, and the note of its last publication.
fn shown(scene: &Scene, mark: &Value) -> (Value, Value) {
    let shown = scene.verb(&["pulls", "show", mark.as_str().unwrap(), "--json"]);
    let shown = text(&shown.stdout);
    let mut lines = shown.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let pull = lines.next().unwrap();
    (pull, lines.rfind(|it| it["note"] == "published").unwrap())
}

/// The basis of a robot's last list, wherever it is said, and of every list of its history.
fn basis_of(scene: &Scene, server: &Server, mark: &Value) -> (String, Value, Vec<String>) {
    let (pull, note) = shown(scene, mark);
    let (basis, evidence) = (pull["basis"].as_str().unwrap().to_owned(), pull["evidence"].clone());
    assert_eq!((&note["basis"], &note["evidence"]), (&pull["basis"], &pull["evidence"]));
    let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
    let mut listed = listed.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let line = listed.find(|it| it["mark_id"] == *mark).unwrap();
    assert_eq!((&line["basis"], &line["evidence"]), (&pull["basis"], &pull["evidence"]));
    for name in ["published", "sequence", "changes", "revision", "accounts"] {
        assert!(!line[name].is_null(), "{name}: {line}");
    }
    let both = |from: &str| {
        let read =
            format!("SELECT jsonb_build_array(basis, evidence, mark_id, list_order) FROM {from}");
        let rows = scene.query(server, &read);
        serde_json::from_str::<Value>(&rows).unwrap()
    };
    let expected = json!([basis, evidence, mark, line["sequence"]]);
    assert_eq!(both("qopen.pull WHERE complete"), expected);
    assert_eq!(both("qopen.list ORDER BY number DESC LIMIT 1"), expected);
    let all = "SELECT jsonb_agg(basis ORDER BY number) FROM qopen.list";
    let all = serde_json::from_str(&scene.query(server, all)).unwrap();
    (basis, evidence, all)
}

#[test]
fn a_database_says_what_each_list_rests_on() {
    let Some(server) = Server::start() else { return };
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let mut scene = Scene::new(moving);
    scene.out = server.url();
    let (_, first) = scene.pull(&[]);
    let (basis, evidence, all) = basis_of(&scene, &server, &first["mark_id"]);
    assert_eq!((&first["basis"], &first["evidence"]), (&json!(basis), &evidence));
    assert_eq!((basis.as_str(), all.len()), ("the last page was seen, then 1s of quiet", 1));
    let (_, second) = scene.pull(&["--verify-gone", "--expect-accounts", "50"]);
    let (basis, evidence, all) = basis_of(&scene, &server, &second["mark_id"]);
    assert_eq!((&second["basis"], &second["evidence"]), (&json!(basis), &evidence));
    let expected =
        "the last page was seen, then 1s of quiet, with at least 50 accounts; 7 gone verified";
    assert_eq!((basis.as_str(), all.len()), (expected, 2));
    assert_eq!(
        (&evidence["gone_verified"], &evidence["expected_accounts"]),
        (&json!(true), &json!(50))
    );
}

/// A list that was folded from captured callbacks has no journal on a disk, and rests on something, too.
#[test]
fn an_assembled_list_says_what_it_rests_on() {
    let Some(server) = Server::start() else { return };
    let schedule = Schedule { accounts: 60, page_size: 10, ..Schedule::default() };
    let scene = Scene::new(schedule.clone());
    let pages = Dataset::new(&schedule, &"r1".parse().unwrap(), false).pages(&"m".parse().unwrap());
    let lines: String = pages.iter().map(|it| format!("{}\n", it.payload)).collect();
    std::fs::write(scene.folder.path().join("captured"), lines).unwrap();
    let assembled = scene.verb(&["assemble", "captured", "--out", &server.url(), "--json"]);
    assert_eq!(assembled.status.code(), Some(0), "{}", text(&assembled.stderr));
    let summary = text(&assembled.stdout);
    let summary: Value = serde_json::from_str(summary.lines().last().unwrap()).unwrap();
    let basis = summary["basis"].as_str().unwrap();
    assert_eq!(basis, "the last page was seen, and no more pages can come");
    for table in ["pull", "list"] {
        let read = format!("SELECT jsonb_build_array(basis, evidence) FROM qopen.{table}");
        let found: Value = serde_json::from_str(&scene.query(&server, &read)).unwrap();
        assert_eq!(found, json!([basis, summary["evidence"]]));
    }
}

#[test]
fn a_confirmed_list_names_both_pulls() {
    let Some(server) = Server::start() else { return };
    let mut scene = Scene::new(Schedule { accounts: 60, ..Schedule::default() });
    scene.out = server.url();
    let (_, summary) = scene.pull(&["--confirm"]);
    let (basis, evidence, all) = basis_of(&scene, &server, &summary["mark_id"]);
    assert_eq!((&summary["basis"], &summary["evidence"]), (&json!(basis), &evidence));
    let by = evidence["confirmed_by"].as_str().unwrap();
    assert_ne!(summary["mark_id"], by);
    assert!(basis.ends_with(&format!("; confirmed by pull {by}, which has the same customers")));
    assert_eq!(all, [basis]);
}

#[test]
fn a_list_that_a_person_accepted_says_so() {
    for guard in [&["--max-gone", "15%"][..], &["--verify-gone"]] {
        let Some(server) = Server::start() else { return };
        let mut scene = Scene::new(lost_on(1));
        scene.out = server.url();
        scene.pull(&[]);
        let (exit, held) = scene.pull(guard);
        assert_eq!((exit, &held["basis"]), (3, &Value::Null), "{held}");
        let mark = &held["mark_id"];
        let accepted = scene.verb(&["pulls", "accept", mark.as_str().unwrap()]);
        assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
        let (basis, evidence, _) = basis_of(&scene, &server, mark);
        assert_eq!(evidence["accepted"], true, "{evidence}");
        assert!(basis.ends_with("; a guard held the list, and a person accepted it"), "{basis}");
        let human = text(&scene.verb(&["pulls", "show", mark.as_str().unwrap()]).stdout);
        assert!(human.contains(&basis), "{human}");
        // No guard held the next list.
        let (exit, next) = scene.pull(&[]);
        assert_eq!(exit, 0, "{next}");
        let (basis, evidence, _) = basis_of(&scene, &server, &next["mark_id"]);
        assert_eq!(evidence["accepted"], Value::Null, "{evidence}");
        assert!(!basis.contains("accepted"), "{basis}");
    }
}

/// The history of lists in a file is in the notes of their pulls.
#[test]
fn the_journal_says_what_each_list_in_a_file_rests_on() {
    let scene = Scene::new(lost_on(1));
    let (_, first) = scene.pull(&[]);
    let (_, held) = scene.pull(&["--max-gone", "15%"]);
    let mark = &held["mark_id"];
    let (_, third) = scene.pull(&[]);
    // The list of a later pull is there: the held one is no longer wanted.
    let accepted = scene.verb(&["pulls", "accept", mark.as_str().unwrap()]);
    assert_ne!(accepted.status.code(), Some(0));
    let (mut sequences, mut changes) = (Vec::new(), Vec::new());
    for list in [&first, &third] {
        let (pull, note) = shown(&scene, &list["mark_id"]);
        assert_eq!((&pull["basis"], &pull["evidence"]), (&list["basis"], &list["evidence"]));
        assert_eq!((&note["basis"], &note["evidence"]), (&list["basis"], &list["evidence"]));
        assert_eq!(pull["changes"], list["changes"]);
        sequences.push(pull["sequence"].as_u64().unwrap());
        changes.push(pull["changes"]["baseline"] == true);
    }
    assert!(sequences.is_sorted() && sequences[0] < sequences[1], "{sequences:?}");
    assert_eq!(changes, [true, false]);
    let (_, held) = scene.pull(&["--confirm", "--new-baseline"]);
    let (pull, _) = shown(&scene, &held["mark_id"]);
    assert_eq!(pull["evidence"]["confirmed_by"], held["evidence"]["confirmed_by"]);
    assert!(pull["evidence"]["confirmed_by"].is_string());
}

#[tokio::test]
async fn a_revision_and_an_accepted_list_of_a_service_say_what_they_rest_on() {
    let Some(server) = Server::start() else { return };
    let late = Schedule {
        accounts: 60,
        page_size: 10,
        late_page: Some((4, 5_000)),
        max_attempts: 1000,
        ..Schedule::default()
    };
    let stage = Stage::new(&late);
    let served = Served::new(&stage, &["--out", &server.url(), "--max-gone", "0"], None);
    let client = database(&server).await;
    let row = async || {
        let read = "SELECT basis, evidence::text, revision FROM qopen.list WHERE number = (
             SELECT max(number) FROM qopen.list)";
        let row = client.query_one(read, &[]).await.unwrap();
        let evidence: Value = serde_json::from_str(row.get(1)).unwrap();
        (row.get::<_, String>(0), evidence, row.get::<_, i64>(2))
    };
    let mark = served.start_pull("r1").await;
    let done = |it: &Value| it["revision"] == 2 && it["newer_pages"] == false;
    let pull = served.until(&mark, done).await;
    let (basis, evidence, revision) = row().await;
    assert_eq!(revision, 2);
    assert_eq!((&pull["basis"], &pull["evidence"]), (&json!(basis), &evidence));
    assert!(basis.starts_with("the last page was seen, then "), "{basis}");

    // The late page of the next pull is gone for the guard, until a person accepts the list.
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["held"] == true).await;
    let accept = format!("/v1/pulls/{mark}/accept");
    assert_eq!(served.ask(reqwest::Method::POST, &accept).await.status(), 202);
    let pull = served.until(&mark, done).await;
    let (basis, evidence, _) = row().await;
    assert_eq!((&pull["basis"], &pull["evidence"]), (&json!(basis), &evidence));
    assert_eq!(evidence["accepted"], true, "{evidence}");
    let notes = served.get_json(&format!("/v1/pulls/{mark}/notes")).await;
    let notes = notes["notes"].as_array().unwrap();
    let published: Vec<_> = notes.iter().filter(|it| it["note"] == "published").collect();
    assert!(!published.is_empty());
    for note in published {
        assert!(note["basis"].as_str().unwrap().ends_with("a person accepted it"), "{note}");
    }
    assert_eq!(served.stop().code(), Some(0));
}
