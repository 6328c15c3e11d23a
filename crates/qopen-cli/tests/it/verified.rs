//! Lists that are not published: not verified, or empty.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use serde_json::{Value, json};
use tokio_postgres::SimpleQueryMessage;

use crate::guards::{Scene, lost_on};
use crate::shared::database;
use crate::support::text;

#[test]
fn an_answer_by_id_that_is_not_whole_verifies_nothing() {
    for data in [
        r#"{"has_more":true,"account_list":[]}"#,
        r#"{"has_more":"yes","account_list":[]}"#,
        r#"{"account_list":{}}"#,
        r#"{"account_list":null}"#,
        r#"{"account_list":""}"#,
        r#"{"account_list":7}"#,
        r#"{"account_list":{"a":1}}"#,
        r#"{"failed_list":["x"],"account_list":[]}"#,
        r#"{"errcode":45009,"account_list":[]}"#,
        r#"{"list":[]}"#,
        "{}",
        "[]",
        "null",
        "7",
    ] {
        let by_ids_data = Some(data.to_owned());
        let scene =
            Scene::new(Schedule { accounts: 60, gone_each: 7, by_ids_data, ..Schedule::default() });
        scene.pull(&[]);
        for version in ["v2", "v1"] {
            let (exit, summary) = scene.pull(&["--verify-gone", "--by-ids", version]);
            assert_eq!((exit, &summary["gone_unverified"]), (3, &json!(7)), "{data} {summary}");
            assert!(summary["error"].as_str().unwrap().contains("7 of the 7"), "{data} {summary}");
            assert!(summary["evidence"].is_null(), "{data} {summary}");
            assert_eq!(scene.list("list.jsonl").len(), 60, "{data}");
        }
    }
}

#[test]
fn a_paged_answer_by_id_is_followed_and_finds_the_lost_page() {
    // Two of the lost page have left, and so have seven others.
    let schedule = Schedule { by_ids_page: Some(4), gone_each: 7, ..lost_on(1) };
    let scene = Scene::new(schedule);
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    let why = summary["error"].as_str().unwrap();
    assert!(exit == 3 && why.contains("still has 8 of the 17 customers"), "{summary}");
    assert!(summary["gone_unverified"].is_null(), "{summary}");
}

#[test]
fn an_empty_list_that_was_refused_is_requested_anew_or_published_where_that_is_allowed() {
    let scene = Scene::new(Schedule { accounts: 5, gone_each: 5, ..Schedule::default() });
    let requests = || scene.simulator.counts().requests;
    assert_eq!(scene.pull(&[]).0, 0);
    let (exit, refused) = scene.pull(&[]);
    assert!(refused["error"].as_str().unwrap().contains("--allow-empty"), "{refused}");
    assert_eq!((exit, requests(), scene.list("list.jsonl").len()), (3, 2, 5), "{refused}");
    // The platform may have customers again.
    let (exit, again) = scene.pull(&[]);
    assert_eq!((exit, requests()), (3, 3), "{again}");
    assert_ne!(again["mark_id"], refused["mark_id"]);
    let (exit, published) = scene.pull(&["--allow-empty"]);
    assert_eq!((exit, requests(), &published["mark_id"]), (0, 3, &again["mark_id"]));
    assert!(scene.list("list.jsonl").is_empty());
    let (exit, last) = scene.pull(&[]);
    assert_eq!((exit, requests()), (0, 4), "{last}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_verification_and_leaves_no_temporary_file() {
    for signal in ["-TERM", "-INT"] {
        let unavailable = Schedule { by_ids_unavailable: 1000, ..Schedule::default() };
        let scene = Scene::new(Schedule { accounts: 60, gone_each: 7, ..unavailable });
        assert_eq!(scene.pull(&[]).0, 0);
        let arguments = ["pull", "--robot", "r1", "--out", "list.jsonl", "--settle", "1s"];
        let mut command = scene.command(&[&arguments[..], &["--verify-gone"]].concat());
        let mut pull = command.stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while scene.simulator.counts().by_ids == 0 {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(20));
        }
        let temporary = || -> Vec<String> {
            let files = std::fs::read_dir(scene.folder.path()).unwrap();
            let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.starts_with(".qopen-") && name.ends_with(".tmp")).collect()
        };
        assert!(!temporary().is_empty(), "the list waits beside its place");
        let sent = Command::new("kill").args([signal, &pull.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(pull.wait().unwrap().code(), Some(130), "{signal}");
        assert_eq!(temporary(), [""; 0], "{signal}");
        assert_eq!(scene.list("list.jsonl").len(), 60);
        // The same command without the flag publishes the list that was pulled.
        assert_eq!((scene.pull(&[]).0, scene.simulator.counts().requests), (0, 2));
    }
}

/// While the platform is asked, another publication neither waits nor is overlooked.
#[test]
fn a_verification_locks_no_robot_of_a_database_and_sees_what_changed_meanwhile() {
    let Some(server) = Server::start() else { return };
    let slow = Schedule { by_ids_unavailable: 3, ..Schedule::default() };
    let mut scene = Scene::new(Schedule { accounts: 60, gone_each: 7, ..slow });
    scene.out = server.url();
    let query = |statement: &str| -> String {
        scene.runtime.block_on(async {
            let client = database(&server).await;
            let rows = client.simple_query(statement).await.unwrap();
            let cells = rows.iter().filter_map(|it| match it {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            cells.collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(scene.pull(&[]).0, 0);
    let arguments = ["pull", "--robot", "r1", "--out", &scene.out, "--settle", "1s", "--json"];
    let mut command = scene.command(&[&arguments[..], &["--verify-gone"]].concat());
    let pull = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while scene.simulator.counts().by_ids == 0 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    // A publication takes the robot's lock. This one removes a customer, of whom the other has the list too.
    query(
        "BEGIN; SET LOCAL lock_timeout = '100ms';
         SELECT pg_advisory_xact_lock(hashtextextended('qopen r1', 0));
         DELETE FROM qopen.robot_account WHERE account_id IN (
             SELECT account_id FROM qopen.robot_account ORDER BY account_id LIMIT 1);
         UPDATE qopen.pull SET accounts = 59; COMMIT",
    );
    let output = pull.wait_with_output().unwrap();
    let said = text(&output.stdout);
    let summary: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{summary}");
    let changes = &summary["changes"];
    let (gone, added) = (changes["gone"].as_u64().unwrap(), changes["added"].as_u64().unwrap());
    assert_eq!(60 - 1 - gone + added, 53, "it was compared with the later rows: {summary}");
    assert!(gone == 6 || added == 1, "{summary}");
    assert_eq!(summary["evidence"]["gone_verified"], true, "{summary}");
    assert_eq!(query("SELECT count(*) FROM qopen.robot_account"), "53");
}
