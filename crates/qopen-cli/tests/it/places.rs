//! Places of lists: a hanging place delays no other, and the later list wins (rule of evidence E11).

use std::io::Write as _;
use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::{Odd, Schedule};
use serde_json::Value;

use crate::outages::Way;
use crate::served::{Served, expected};
use crate::shared::database;
use crate::support::{Stage, ids, text};

/// One page comes late.
fn slow(milliseconds: u64) -> Schedule {
    Schedule {
        accounts: 60,
        page_size: 10,
        late_page: Some((5, milliseconds)),
        max_attempts: 1000,
        ..Schedule::default()
    }
}

fn summary_of(output: &std::process::Output) -> Value {
    let said = text(&output.stdout);
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn e11_a_list_that_a_later_one_overtook_is_said_once_and_done_with() {
    let Some(server) = Server::start() else { return };
    let stage = Stage::new(&slow(2_000));
    let served = Served::new(&stage, &["--out", &server.url()], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["pages"] == 5).await;
    // Another process, with a journal of its own, has started a pull since and publishes it first. A clock
    // that is behind, or was ahead, does not matter.
    let client = database(&server).await;
    let later = "INSERT INTO qopen.pull
             (robot_id, complete, mark_id, revision, accounts, started_at, published_at, list_order)
         VALUES ('r1', true, 'later', 1, 0, 'epoch', 'epoch', nextval('qopen.list_order'))";
    client.batch_execute(later).await.unwrap();
    let ended = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(ended["status"], "complete", "{ended}");
    let said = || served.log().matches("nothing was written: the list of").count();
    let began = Instant::now();
    while said() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Longer than it takes until what could not be published is tried again.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(said(), 1, "{}", served.log());
    let standing = "SELECT mark_id FROM qopen.pull WHERE robot_id = 'r1' AND complete";
    let standing = client.query_one(standing, &[]).await.unwrap();
    assert_eq!(standing.get::<_, &str>(0), "later");
    // The next one is later than that, whatever its clock says.
    client.batch_execute("UPDATE qopen.pull SET started_at = 'infinity'").await.unwrap();
    let mark = served.start_pull("r1").await;
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!(pull["status"], "complete", "{pull}");
    assert_eq!(served.stop().code(), Some(0));
    let shown = stage.verb("pulls", &["list"]).output().unwrap();
    // Below the titles.
    assert_eq!(text(&shown.stdout).lines().skip(1).count(), 2);
}

/// Of two pulls of one journal the later one's list remains, regardless of the order of publications.
#[test]
fn e11_an_earlier_pull_that_is_taken_up_replaces_no_later_list() {
    let stage = Stage::new(&slow(1_500));
    let mut first = stage.pull(&["--robot", "r1", "--out", "list"]);
    let mut first = first.stderr(std::process::Stdio::null()).spawn().unwrap();
    let listed = || text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
    std::thread::sleep(Duration::from_millis(800));
    first.kill().unwrap();
    first.wait().unwrap();
    let line: Value = serde_json::from_str(listed().lines().next().unwrap()).unwrap();
    let mark = line["mark_id"].as_str().unwrap().to_owned();
    let output = stage.run(&["--robot", "r1", "--out", "list", "--new"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let modified = std::fs::metadata(stage.folder.path().join("list")).unwrap().modified().unwrap();
    let output = stage.run(&["--resume", &mark, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = summary_of(&output);
    assert_eq!((&summary["status"], &summary["output"]), (&"complete".into(), &Value::Null));
    assert!(summary["superseded"].as_str().unwrap().contains("later pull"), "{summary}");
    let now = std::fs::metadata(stage.folder.path().join("list")).unwrap().modified().unwrap();
    assert_eq!(modified, now);
    let shown = stage.verb("pulls", &["show", &mark]).output().unwrap();
    assert!(text(&shown.stdout).contains("not published"), "{}", text(&shown.stdout));
    // Elsewhere it may stand.
    let output = stage.run(&["--resume", &mark, "--out", "elsewhere", "--json"]);
    assert_eq!(summary_of(&output)["superseded"], Value::Null, "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("elsewhere")), expected(&slow(0), "r1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_an_incomplete_list_is_kept_apart_in_a_database_and_that_is_said() {
    let Some(server) = Server::start() else { return };
    let stage = Stage::new(&Schedule { accounts: 60, page_size: 10, ..Schedule::default() });
    let arguments = ["--robot", "r1", "--out", &server.url()];
    let output = stage.run(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lost =
        Schedule { accounts: 60, page_size: 10, lost_last_page: true, ..Schedule::default() };
    let stage = Stage::new(&lost);
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("kept apart in") && said.contains("the last complete list is unchanged"),
        "{said}"
    );
    let client = database(&server).await;
    let kept = "SELECT (SELECT count(*) FROM qopen.robot_account), (SELECT count(*) FROM qopen.partial_robot_account)";
    let kept = client.query_one(kept, &[]).await.unwrap();
    assert_eq!((kept.get::<_, i64>(0), kept.get::<_, i64>(1)), (60, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_frozen_holds_up_neither_other_lists_nor_the_end() {
    let Some(server) = Server::start() else { return };
    let way = Way::to(&server).await;
    let stage = Stage::new(&slow(1_000));
    std::fs::create_dir(stage.folder.path().join("nightly")).unwrap();
    let settings = "[[schedule]]\ncron = '* * * * *'\nrobots = ['r2']\nout = 'nightly'\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let mut served = Served::new(&stage, &["--out", &way.url], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["pages"] == 5).await;
    way.frozen.send_replace(true);
    served.until(&mark, |it| it["status"] == "complete").await;
    let began = Instant::now();
    while !stage.exists("nightly/r2.jsonl") {
        assert!(began.elapsed() < Duration::from_secs(90), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A pull with a pending publication is deleted, or the API refuses that during an attempt.
    let asked = Instant::now();
    let answer = served.ask(reqwest::Method::DELETE, &format!("/v1/pulls/{mark}")).await;
    assert!([204, 409].contains(&answer.status().as_u16()), "{}", answer.text().await.unwrap());
    assert!(asked.elapsed() < Duration::from_secs(8));
    // Another client has begun a request and does not end it.
    let address = served.control.strip_prefix("http://").unwrap().to_owned();
    let mut half = std::net::TcpStream::connect(address).unwrap();
    let head = b"POST /v1/pulls HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    half.write_all(head).unwrap();
    let told = Instant::now();
    let id = served.process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    while served.process.try_wait().unwrap().is_none() {
        // Containers are killed after ten seconds.
        assert!(told.elapsed() < Duration::from_secs(8), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// List and what could not be read are one: neither is there without the other.
#[test]
fn i5_a_quarantine_that_cannot_be_written_leaves_the_list_as_it_is() {
    let schedule = Schedule {
        accounts: 60,
        page_size: 10,
        odd_pages: vec![(1, Odd::UnreadableIds)],
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--allow-unidentified", "10", "--json"];
    let in_the_way = stage.folder.path().join("list.quarantine.jsonl");
    std::fs::create_dir_all(in_the_way.join("x")).unwrap();
    let output = stage.run(&arguments);
    let summary = summary_of(&output);
    assert_eq!(output.status.code(), Some(7), "{summary}");
    assert_eq!(summary["output"], Value::Null);
    assert!(!stage.exists("list"));
    std::fs::remove_dir_all(&in_the_way).unwrap();
    let output = stage.run(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("list")).len(), 50);
    assert_eq!(stage.read("list.quarantine.jsonl").lines().count(), 10);
}

#[test]
fn nothing_is_kept_in_the_systems_folder_for_temporary_files() {
    let stage = Stage::new(&slow(0));
    for out in ["list", "-"] {
        let mut command = stage.pull(&["--robot", "r1", "--out", out]);
        let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
        assert!(output.status.success(), "{out}: {}", text(&output.stderr));
    }
}

#[test]
fn an_output_that_would_fail_at_the_end_is_refused_before_anything_is_sent() {
    let stage = Stage::new(&slow(0));
    let long = "n".repeat(250);
    for (out, said) in [("lists/", "does not exist"), (&long, "too long")] {
        let output = stage.run(&["--robot", "r1", "--out", out]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    let listed = stage.verb("pulls", &["list"]).output().unwrap();
    assert_eq!(text(&listed.stdout), "");
}

#[test]
fn purging_reaches_what_a_killed_process_has_left() {
    let stage = Stage::new(&slow(0));
    let output = stage.run(&["--robot", "r1", "--out", "list", "--json"]);
    let mark = summary_of(&output)["mark_id"].as_str().unwrap().to_owned();
    let left = stage.folder.path().join(".qopen-left.tmp");
    std::fs::write(&left, "customers").unwrap();
    let purged = stage.verb("pulls", &["purge", &mark]).output().unwrap();
    assert!(purged.status.success(), "{}", text(&purged.stderr));
    assert!(!left.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_has_ended_is_taken_up_again_on_request() {
    let Some(server) = Server::start() else { return };
    let schedule =
        Schedule { accounts: 60, page_size: 10, lost_pages: vec![5], ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut command = Served::command(
        &stage,
        &["--migrate", "--out", "lists", "--idle-timeout", "2s", "--deadline", "10s"],
    );
    command.env("QOPEN_JOURNAL", server.url());
    let served = Served::spawn(command);
    let mark = served.start_pull("r1").await;
    let ended = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(ended["status"], "incomplete", "{ended}");
    let post = reqwest::Method::POST;
    let answer = served.ask(post.clone(), &format!("/v1/pulls/{mark}/resume")).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    served.until(&mark, |it| it["status"] == "open").await;
    let ended = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(ended["status"], "incomplete", "{ended}");
    assert_eq!(served.ask(post, "/v1/pulls/nobodys/resume").await.status(), 404);
}

/// A complete pull is published again on request; the journal keeps it complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_complete_pull_is_published_again_on_request() {
    let stage = Stage::new(&slow(0));
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["output"].is_string()).await;
    std::fs::remove_file(stage.folder.path().join("lists/r1.jsonl")).unwrap();
    let path = format!("/v1/pulls/{mark}/resume");
    assert_eq!(served.ask(reqwest::Method::POST, &path).await.status(), 202);
    let began = Instant::now();
    while !stage.exists("lists/r1.jsonl") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&slow(0), "r1"));
    let pull = served.get_json(&format!("/v1/pulls/{mark}")).await;
    assert_eq!((&pull["status"], &pull["superseded"]), (&"complete".into(), &false.into()));
}

/// A place has one name, whichever working directory a process has.
#[test]
fn e11_a_place_is_the_same_from_every_working_directory() {
    let stage = Stage::new(&slow(1_500));
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut first = stage.pull(&["--robot", "r1", "--out", "lists"]);
    let mut first = first.stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(800));
    first.kill().unwrap();
    first.wait().unwrap();
    let listed = stage.verb("pulls", &["list", "--json"]).output().unwrap();
    let line: Value = serde_json::from_str(text(&listed.stdout).lines().next().unwrap()).unwrap();
    let mark = line["mark_id"].as_str().unwrap().to_owned();
    let output = stage.run(&["--robot", "r1", "--out", "lists", "--new"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = |name: &str| stage.folder.path().join(name).display().to_string();
    let (out, data) = (folder("lists"), folder("qopen-data"));
    let mut command =
        stage.pull(&["--resume", &mark, "--json", "--out", &out, "--data-dir", &data]);
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    let summary = summary_of(&output);
    assert!(summary["superseded"].is_string(), "{summary} {}", text(&output.stderr));
}

/// What a robot is called chooses no path, and no file of another robot or of ours.
#[tokio::test(flavor = "multi_thread")]
async fn i14_a_robots_id_chooses_no_path() {
    let stage = Stage::new(&slow(0));
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("escaped").display().to_string();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let robots =
        ["x", "../escaped", &absolute, "x.jsonl.quarantine", "x.jsonl.changes", "..", "机器人"];
    for robot in robots {
        let answer = served.start(&serde_json::json!({ "robot_id": robot })).await;
        assert_eq!(answer.status(), 202, "{robot}");
        let mark: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let mark = mark["mark_id"].as_str().unwrap();
        let pull = served.until(mark, |it| it["output"].is_string()).await;
        assert_eq!(pull["status"], "complete", "{pull}");
    }
    let files = std::fs::read_dir(stage.folder.path().join("lists")).unwrap();
    let mut files: Vec<_> =
        files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let lists = robots.map(|robot| format!("{}.jsonl", qopen::sink::file_name(robot)));
    let mut names: Vec<_> =
        lists.into_iter().flat_map(|list| [format!("{list}.changes.jsonl"), list]).collect();
    names.sort();
    assert_eq!(files, names);
    assert!(!stage.exists("escaped.jsonl"));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    // One that no file can be named after is refused before anything is sent.
    let answer = served.start(&serde_json::json!({ "robot_id": "n".repeat(300) })).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("too long"));
    // A mark is part of a URL.
    let mark = "a/b?c=d";
    let answer = served.start(&serde_json::json!({ "robot_id": "x", "mark_id": mark })).await;
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(served.get_json(&location).await["mark_id"], mark);
}
