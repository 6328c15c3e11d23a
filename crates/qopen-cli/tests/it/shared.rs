//! Many processes on one journal in PostgreSQL, as a user runs them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::{Chance, ErrorFault, Schedule};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::served::{Served, expected, http};
use crate::support::{Stage, free_port, ids, qopen, text};

fn schedule() -> Schedule {
    Schedule {
        accounts: 60,
        page_size: 10,
        shuffle: true,
        duplicates: Chance::new(40),
        max_delay_ms: 50,
        ..Schedule::default()
    }
}

/// What connections to a server are called by their processes.
fn on(server: &Server, command: Command) -> Command {
    by(&server.url(), command)
}

fn by(url: &str, mut command: Command) -> Command {
    command.env("QOPEN_JOURNAL", url);
    command
}

pub(crate) async fn database(server: &Server) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The ids of a robot's published rows.
async fn rows(client: &Client, robot: &str) -> Vec<String> {
    let read = "SELECT account_id FROM qopen.robot_account WHERE robot_id = $1 ORDER BY account_id";
    client.query(read, &[&robot]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Callbacks to one address go to whichever receiver's turn it is; where that one does not answer, the
/// platform is told so.
pub(crate) fn spread(listen: &str, receivers: Vec<String>) {
    let listener = std::net::TcpListener::bind(listen).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let http = http().timeout(Duration::from_secs(5)).build().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let forward = move |body: axum::body::Bytes| {
        let receiver = &receivers[next.fetch_add(1, Ordering::Relaxed) % receivers.len()];
        let request = http.post(format!("http://{receiver}/callback")).body(body);
        async move {
            let bad = axum::http::StatusCode::BAD_GATEWAY;
            let Ok(answer) = request.send().await else { return (bad, String::new()) };
            let status = axum::http::StatusCode::from_u16(answer.status().as_u16()).unwrap();
            match answer.text().await {
                Ok(text) => (status, text),
                Err(_) => (bad, String::new()),
            }
        }
    };
    let router = axum::Router::new().fallback(forward);
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// A process of a role, on a journal, with its own address for callbacks.
pub(crate) fn process(
    stage: &Stage,
    server: &Server,
    role: &str,
    listen: &str,
    more: &[&str],
) -> Served {
    process_by(stage, &server.url(), role, listen, more)
}

pub(crate) fn process_by(
    stage: &Stage,
    url: &str,
    role: &str,
    listen: &str,
    more: &[&str],
) -> Served {
    let arguments = [&["--role", role, "--migrate"], more].concat();
    let mut command = by(url, Served::command(stage, &arguments));
    command.env("QOPEN_LISTEN", listen).env("QOPEN_LOG", "warn");
    Served::spawn(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_and_workers_are_processes_of_their_own() {
    let Some(mut server) = Server::start() else { return };
    let schedule = schedule();
    let stage = Stage::new(&schedule);
    let (out, addresses) = (server.url(), [0, 1].map(|_| format!("127.0.0.1:{}", free_port())));
    spread(&stage.listen, addresses.to_vec());
    // All of them migrate at the same moment.
    let receivers = addresses.each_ref().map(|it| process(&stage, &server, "receiver", it, &[]));
    let worker = process(&stage, &server, "worker", "127.0.0.1:1", &["--out", &out]);
    let client = database(&server).await;

    // Asked for at one process, done by another, seen at a third.
    let mark = receivers[0].start_pull("r1").await;
    let done = |pull: &Value| pull["output"].is_string();
    let pull = receivers[1].until(&mark, done).await;
    assert_eq!((&pull["status"], &pull["pages"]), (&"complete".into(), &6.into()), "{pull}");
    assert_eq!(pull["output"], json!(server.url().replace("qopen@", "")));
    assert_eq!(rows(&client, "r1").await, expected(&schedule, "r1"));
    for served in receivers.iter().chain([&worker]) {
        let list = served.get(&format!("/v1/pulls/{mark}/accounts")).await;
        assert_eq!(list.headers()["qopen-complete"], "true");
        assert_eq!(ids(&list.text().await.unwrap()), expected(&schedule, "r1"));
        let events = served.get(&format!("/v1/pulls/{mark}/events")).await.text().await.unwrap();
        assert!(events.contains("event: end"), "{events}");
    }
    let kept = receivers[0].figure("qopen_journal_records_total").await
        + receivers[1].figure("qopen_journal_records_total").await;
    assert_eq!(kept as u64, 6);
    assert_eq!(worker.figure("qopen_callbacks_received_total").await as u64, 0);
    // The list and the note of it were one transaction.
    let same = "SELECT count(*) FROM qopen.pull JOIN qopen_journal.note USING (robot_id, mark_id)
         WHERE note ->> 'note' = 'published' AND pull.xmin = note.xmin";
    assert_eq!(client.query_one(same, &[]).await.unwrap().get::<_, i64>(0), 1);

    // While the database is away no callback is acknowledged. The processes continue by themselves.
    let mark = receivers[0].start_pull("r2").await;
    server.stop().unwrap();
    for served in receivers.iter().chain([&worker]) {
        let began = Instant::now();
        while served.get("/readyz").await.status() != 503 {
            assert!(began.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    server.run().unwrap();
    let pull = receivers[1].until(&mark, done).await;
    assert_eq!(pull["status"], "complete", "{pull}");
    let client = database(&server).await;
    assert_eq!(rows(&client, "r2").await, expected(&schedule, "r2"));
    for served in receivers.iter().chain([&worker]) {
        assert_eq!(served.get("/readyz").await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_ended_and_deleted_from_anywhere() {
    let Some(server) = Server::start() else { return };
    let stage = Stage::new(&Schedule { lost_last_page: true, ..schedule() });
    let other = format!("127.0.0.1:{}", free_port());
    let both = process(&stage, &server, "both", &stage.listen, &["--idle-timeout", "60s"]);
    let receiver = process(&stage, &server, "receiver", &other, &["--idle-timeout", "60s"]);
    let mark = receiver.start_pull("r1").await;
    both.until(&mark, |pull| pull["pages"] == 5).await;
    let path = format!("/v1/pulls/{mark}");
    assert_eq!(receiver.ask(reqwest::Method::DELETE, &path).await.status(), 202);
    let pull = receiver.until(&mark, |pull| pull["status"] != "open").await;
    assert_eq!((&pull["status"], &pull["pages"]), (&"incomplete".into(), &5.into()), "{pull}");
    let list = receiver.get(&format!("{path}/accounts")).await;
    assert_eq!(list.status(), 409);
    let list = receiver.get(&format!("{path}/accounts?partial=true")).await;
    assert_eq!(list.headers()["qopen-complete"], "false");
    assert_eq!(list.text().await.unwrap().lines().count(), 50);
    assert_eq!(receiver.ask(reqwest::Method::DELETE, &path).await.status(), 204);
    assert_eq!(both.get(&path).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_without_a_mark_ends_the_pull_wherever_it_is_received() {
    let Some(server) = Server::start() else { return };
    let (code, message) = (40_001, "no such robot".to_owned());
    let error = ErrorFault { code, message, with_data: false, after_pages: 2 };
    let stage = Stage::new(&Schedule { error: Some(error), ..schedule() });
    let receiver = process(&stage, &server, "receiver", &stage.listen, &["--idle-timeout", "60s"]);
    let _worker = process(&stage, &server, "worker", "127.0.0.1:1", &["--idle-timeout", "60s"]);
    let mark = receiver.start_pull("r1").await;
    let pull = receiver.until(&mark, |pull| pull["status"] != "open").await;
    assert_eq!(pull["status"], "failed", "{pull}");
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_are_moved_and_lists_go_to_a_database_from_either() {
    let Some(server) = Server::start() else { return };
    let schedule = schedule();
    let stage = Stage::new(&schedule);
    let url = server.url();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    // The journal in a folder, the list in the database.
    run(&mut stage.pull(&["--robot", "r1", "--out", &url]));
    let client = database(&server).await;
    assert_eq!(rows(&client, "r1").await, expected(&schedule, "r1"));
    // A pull that is open, as a process that was killed leaves it.
    let serve = Served::command(&stage, &["--idle-timeout", "5s"]);
    let mut served = Served::spawn(serve);
    let mark = served.start_pull("r2").await;
    served.until(&mark, |pull| pull["pages"] == 6).await;
    served.process.kill().unwrap();
    drop(served);

    let before = run(&mut stage.verb("pulls", &["list", "--json"]));
    let copy =
        |from: &str, to: &str| run(&mut qopen(stage.folder.path(), &["journal", "copy", from, to]));
    run(&mut on(&server, qopen(stage.folder.path(), &["migrate"])));
    let copied = copy("qopen-data", &url);
    assert!(copied.starts_with("2 pulls, 12 pages"), "{copied}");
    // Again: there is nothing more.
    assert!(copy("qopen-data", &url).starts_with("2 pulls, 0 pages"));
    let told = |text: &str| -> Vec<Value> {
        let told = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            // Stored otherwise, and looked at at another time.
            for field in ["bytes", "last_activity"] {
                line.as_object_mut().unwrap().remove(field);
            }
            line
        };
        text.lines().map(told).collect()
    };
    let there = run(&mut on(&server, qopen(stage.folder.path(), &["pulls", "list", "--json"])));
    assert_eq!(told(&there), told(&before));
    run(&mut on(&server, qopen(stage.folder.path(), &["pulls", "check"])));
    let doctor = on(&server, stage.verb("doctor", &[])).output().unwrap();
    assert!(text(&doctor.stdout).contains("ok    journal: postgres://127.0.0.1"), "{doctor:?}");
    assert!(!text(&doctor.stdout).contains("qopen@"), "{doctor:?}");
    // And back, into another folder.
    copy(&url, "again");
    let mut again = stage.verb("pulls", &["list", "--json", "--data-dir", "again"]);
    assert_eq!(told(&run(&mut again)), told(&before));

    // The pull that was open goes on where its journal is now.
    let worker = process(&stage, &server, "both", &stage.listen, &["--out", &url]);
    let pull = worker.until(&mark, |pull| pull["output"].is_string()).await;
    assert_eq!(pull["status"], "complete");
    assert_eq!(rows(&client, "r2").await, expected(&schedule, "r2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_with_a_shared_journal_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://me:canary-password@127.0.0.1:1/x";
    let plain = "postgres://me@127.0.0.1:1/x";
    let stage = Stage::new(&schedule());
    for (arguments, said) in [
        (vec!["serve"], "cannot be opened; --journal names another"),
        (vec!["pull", "--robot", "r", "--out", "list"], "is shared: ask a `qopen serve`"),
        (vec!["pulls", "list"], "cannot be opened"),
        (vec!["migrate"], "cannot be migrated"),
        (vec!["migrate", "--out", "postgres://h:p/x"], "cannot be"),
        (vec!["migrate", "--out", url], "put it into PGPASSWORD"),
        (vec!["serve", "--journal", url], "put it into PGPASSWORD"),
        (vec!["pull", "--robot", "r", "--out", url, "--journal", "data"], "put it into PGPASSWORD"),
        (vec!["journal", "copy", url, "data"], "put it into PGPASSWORD"),
        (vec!["journal", "copy", "nowhere", plain], "there is no journal in nowhere"),
        (vec!["journal", "copy", plain, plain], "into itself"),
    ] {
        let mut command = stage.verb(arguments[0], &arguments[1..]);
        let output = command.env("QOPEN_JOURNAL", url).output().unwrap();
        let error = text(&output.stderr);
        assert!(error.contains(said) && !error.contains("canary"), "{arguments:?}: {error}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    }
    for (arguments, said) in [
        (&["serve", "--role", "worker"][..], "a journal in a folder belongs to one process"),
        (&["migrate"][..], "nothing to migrate"),
    ] {
        let output = stage.verb(arguments[0], &arguments[1..]).output().unwrap();
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(2));
    }
    drop(folder);
}
