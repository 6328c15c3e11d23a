//! Changes since a list, and the history of lists that retention keeps short.

use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::guards::Scene;
use crate::served::Served;
use crate::shared::database;
use crate::support::{Stage, text};

fn moving() -> Schedule {
    Schedule { accounts: 60, gone_each: 7, ..Schedule::default() }
}

/// The marks and counts of headers, and the number of lines of changes.
fn read(body: &str) -> (Vec<(Value, Value, Value)>, usize) {
    let lines = body.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let (headers, changes): (Vec<_>, Vec<_>) = lines.partition(|it| it["type"] == "changes");
    let header =
        |it: &Value| (it["since"]["mark_id"].clone(), it["mark_id"].clone(), it["gone"].clone());
    (headers.iter().map(header).collect(), changes.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_changes_since_any_list_in_a_database_are_given() {
    let Some(mut server) = Server::start() else { return };
    let stage = Stage::new(&moving());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut command = Served::command(&stage, &["--out", &server.url()]);
    command.env("PGPASSWORD", "canary-password");
    let served = Served::spawn(command);
    let changes = "/v1/robots/r1/changes";
    assert_eq!(served.get(changes).await.status(), 404);
    let mut marks = Vec::new();
    for _ in 0..4 {
        marks.push(served.published("r1").await);
    }
    let get = async |query: &str| {
        let answer = served.get(&format!("{changes}{query}")).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let since = |n: usize| format!("?since={}", marks[n]);
    let step = |n: usize| (json!(marks[n - 1]), json!(marks[n]), json!(7));
    let (status, last) = get("").await;
    assert_eq!((status, read(&last)), (200, (vec![step(3)], 7)), "{last}");
    let (status, all) = get(&since(0)).await;
    assert_eq!((status, read(&all)), (200, (vec![step(1), step(2), step(3)], 21)));
    assert!(all.ends_with(&last), "the last step is the same bytes");
    assert_eq!(read(&get(&since(1)).await.1), (vec![step(2), step(3)], 14));
    assert_eq!(get(&since(3)).await, (200, String::new()));
    // What is not there, and what cannot be asked.
    assert_eq!(get(&format!("{}&revision=1", since(3))).await.0, 200);
    let (status, why) = get(&format!("{}&revision=2", since(3))).await;
    assert!(status == 410 && why.contains("has revision 1 now; read the whole list"), "{why}");
    let (status, why) = get("?since=another").await;
    assert!(status == 410 && why.contains("read the whole list"), "{why}");
    assert_eq!(get("?since=%00").await.0, 410);
    let (status, why) = get("?revision=1").await;
    assert!(status == 400 && why.contains("since=MARK"), "{why}");
    assert_eq!(get("?number=1").await.0, 400);
    assert_eq!(served.get("/v1/robots/r2/changes").await.status(), 404);
    // A later list that starts anew.
    let client = database(&server).await;
    let baseline = "UPDATE qopen.list SET baseline = true WHERE number = 3";
    client.batch_execute(baseline).await.unwrap();
    let (status, why) = get(&since(0)).await;
    assert!(status == 410 && why.contains("baseline"), "{why}");
    assert_eq!(get(&since(2)).await.0, 200);
    // A body that is not whole breaks off.
    client
        .batch_execute("DELETE FROM qopen.change WHERE ctid = (SELECT max(ctid) FROM qopen.change)")
        .await
        .unwrap();
    let cut = served.get(&format!("{changes}{}", since(2))).await;
    assert!(cut.status() == 200 && cut.text().await.is_err());
    // Without its database, and in a process that does not publish there.
    server.stop().unwrap();
    let (status, why) = get("").await;
    assert!(status == 503 && why.contains("the database of the lists: "), "{why}");
    assert!(!why.contains("canary") && !why.contains("written"), "{why}");
    assert!(!served.log().contains("canary-password"));
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &["--out", "lists"], None);
    let (status, why) = {
        let answer = served.get(changes).await;
        (answer.status(), answer.text().await.unwrap())
    };
    assert!(status == 409 && why.contains("read its table of changes"), "{why}");
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_file_has_the_changes_of_one_step() {
    let stage = Stage::new(&moving());
    let served = Served::with_lists(&stage, &[]);
    let mut marks = Vec::new();
    for _ in 0..3 {
        marks.push(served.published("r1").await);
    }
    let get = async |query: String| served.get(&format!("/v1/robots/r1/changes{query}")).await;
    let (headers, changes) = read(&get(format!("?since={}", marks[1])).await.text().await.unwrap());
    assert_eq!((headers.len(), changes), (1, 7));
    assert_eq!(get(format!("?since={}&revision=1", marks[1])).await.status(), 200);
    assert_eq!(get(format!("?since={}&revision=2", marks[1])).await.status(), 410);
    assert_eq!(get(format!("?since={}&revision=2", marks[2])).await.status(), 410);
    assert_eq!(get(format!("?since={}", marks[0])).await.status(), 410);
    assert_eq!(get("?revision=1".to_owned()).await.status(), 400);
}

#[test]
fn retention_shortens_the_history_in_a_database() {
    let Some(server) = Server::start() else { return };
    let mut scene = Scene::new(moving());
    scene.out = server.url();
    for _ in 0..3 {
        assert_eq!(scene.pull(&[]).0, 0);
    }
    let history = |scene: &Scene| {
        let read = "SELECT concat(number, ':', (SELECT count(*) FROM qopen.change AS past
                 WHERE (past.robot_id, past.number) = (list.robot_id, list.number)))
             FROM qopen.list ORDER BY number";
        scene.query(&server, read)
    };
    assert_eq!(history(&scene), "1:0 2:7 3:7");
    let (exit, summary) = scene.pull(&["--retain", "0s"]);
    assert_eq!((exit, &summary["changes"]["gone"]), (0, &json!(7)), "{summary}");
    assert_eq!(history(&scene), "3:7 4:7");
    // A pull elsewhere leaves the history alone.
    scene.out = "list.jsonl".to_owned();
    let (_, summary) = scene.pull(&["--retain", "0s"]);
    assert_eq!(summary["changes"]["baseline"], true, "{summary}");
    assert_eq!(history(&scene), "3:7 4:7");
    assert_eq!(scene.query(&server, "SELECT count(*) FROM qopen.robot_account"), "39");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_shortens_the_history_and_its_last_list_stays_readable() {
    let Some(server) = Server::start() else { return };
    let stage = Stage::new(&moving());
    let served = Served::new(&stage, &["--out", &server.url(), "--retain", "4s"], None);
    let mut last = String::new();
    for _ in 0..3 {
        last = served.published("r1").await;
    }
    let client = database(&server).await;
    let began = Instant::now();
    loop {
        let lists = client.query("SELECT mark_id FROM qopen.list", &[]).await.unwrap();
        let pulls = served.get_json("/v1/pulls").await["pulls"].clone();
        if lists.len() == 1 && pulls == json!([]) {
            assert_eq!(lists[0].get::<_, &str>(0), last);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(served.log().contains("older than --retain from the history in postgres://127."));
    // The journal no longer knows the pull; the database does.
    let (headers, changes) = read(&served.get("/v1/robots/r1/changes").await.text().await.unwrap());
    assert_eq!((headers.len(), changes), (1, 7));
    assert_eq!(headers[0].1, json!(last));
    assert_eq!(served.get("/v1/robots/r2/changes").await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

/// The place of a pull names its database, in a service without a place of its own too.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_finds_the_database_of_lists_that_a_command_pulled() {
    let Some(server) = Server::start() else { return };
    let stage = Stage::new(&moving());
    let mut marks = Vec::new();
    for _ in 0..3 {
        let output = stage.run(&["--robot", "r1", "--out", &server.url(), "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        let summary: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        marks.push(summary["mark_id"].as_str().unwrap().to_owned());
    }
    let served = Served::new(&stage, &[], None);
    let since = format!("/v1/robots/r1/changes?since={}", marks[0]);
    let (headers, changes) = read(&served.get(&since).await.text().await.unwrap());
    assert_eq!((headers.len(), changes), (2, 14));
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &["--retain", "1s"], None);
    // Together or one after the other, by their age.
    served.until_it_says(1, "older than --retain from the history").await;
    let client = database(&server).await;
    let began = Instant::now();
    let lists = loop {
        let lists = client.query("SELECT mark_id FROM qopen.list", &[]).await.unwrap();
        if lists.len() == 1 {
            break lists;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{} lists", lists.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(lists[0].get::<_, &str>(0), marks[2]);
    assert_eq!(served.stop().code(), Some(0));
}
