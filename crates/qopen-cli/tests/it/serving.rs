//! `qopen serve`, driven over HTTP as other programs do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use qopen_simulator::{Chance, Schedule};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

use crate::callbacks::{connect, say};
use crate::evidence::page_of;
use crate::served::{Served, expected, json_of};
use crate::support::{Stage, free_port, ids, text};

fn schedule() -> Schedule {
    Schedule {
        accounts: 120,
        page_size: 10,
        conflicts: 3,
        foreign_marks: 2,
        forged: 2,
        ..Schedule::default()
    }
}

#[tokio::test]
async fn a_whole_pull_over_http() {
    let stage = Stage::new(&schedule());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    assert_eq!(served.get("/healthz").await.text().await.unwrap(), "ok");
    assert_eq!(served.get("/readyz").await.status(), 200);

    let mark = served.start_pull("r1").await;
    // Watched to its end.
    let events = served.get(&format!("/v1/pulls/{mark}/events")).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let events = events.text().await.unwrap();
    let last = events.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("event: end\ndata: {"), "{last}");
    assert!(events.contains("event: progress"));

    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!(
        (&pull["status"], &pull["accounts"], &pull["pages"]),
        (&json!("complete"), &json!(120), &json!(13))
    );
    assert_eq!((&pull["conflicts"], &pull["revision"]), (&json!(3), &json!(1)));
    let answer = served.get(&format!("/v1/pulls/{mark}/accounts")).await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers()["qopen-complete"], "true");
    let list = answer.text().await.unwrap();
    assert_eq!(ids(&list), expected(&schedule(), "r1"));
    assert_eq!(stage.read("lists/r1.jsonl"), list);

    let metrics = served.metrics().await;
    for line in [
        "qopen_callbacks_received_total 1",
        "qopen_callbacks_verified_total 1",
        "qopen_callbacks_accepted_total 1",
        "qopen_callbacks_rejected_total{reason=\"signature\"} 2",
        "qopen_pulls_open 0",
        "qopen_journal_healthy 1",
        "# TYPE qopen_journal_sync_seconds summary",
        "qopen_journal_sync_seconds_count",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    // The same after a restart, from the journal.
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &[], None);
    let listed = served.get_json("/v1/pulls").await;
    assert_eq!(listed["pulls"].as_array().unwrap().len(), 1);
    let again = served.get(&format!("/v1/pulls/{mark}/accounts")).await;
    assert_eq!(again.text().await.unwrap(), list);

    let gone = served.ask(Method::DELETE, &format!("/v1/pulls/{mark}")).await;
    assert_eq!(gone.status(), 204);
    assert_eq!(served.get(&format!("/v1/pulls/{mark}")).await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_says_why() {
    let silent = Schedule { silent: true, ..schedule() };
    let stage = Stage::new(&silent);
    let served = Served::new(&stage, &[], None);
    for (body, what) in [
        (json!({}), "robot_id"),
        (json!({ "robot_id": "" }), "robot_id"),
        (json!({ "robot_id": "r1", "need_tags": true }), "need_tags"),
        (json!({ "robot_id": "r1", "mark_id": "" }), "mark_id"),
        (json!({ "robot_id": "r1", "mark_id": ".." }), "mark_id"),
    ] {
        let answer = served.start(&body).await;
        assert_eq!(answer.status(), 400);
        let said = json_of(answer).await["error"].as_str().unwrap().to_owned();
        assert!(said.contains(what), "{said}");
    }
    let once = json!({ "robot_id": "r1", "mark_id": "mine" });
    assert_eq!(served.start(&once).await.status(), 202);
    assert_eq!(served.start(&once).await.status(), 409);
    for path in
        ["/v1/pulls/unknown", "/v1/pulls/unknown/accounts", "/v1/pulls/unknown/events", "/v2"]
    {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(json_of(answer).await["error"].is_string());
    }
    assert_eq!(served.get("/v1/pulls/mine/accounts").await.status(), 409);
    // Cancelled, it ends with what is there: nothing.
    assert_eq!(served.ask(Method::DELETE, "/v1/pulls/mine").await.status(), 202);
    let pull = served.until("mine", |it| it["status"] != "open").await;
    assert_eq!(pull["status"], "incomplete");
    let answer = served.get("/v1/pulls/mine/accounts").await;
    assert_eq!(answer.status(), 409);
    assert!(json_of(answer).await["error"].as_str().unwrap().contains("cancelled"));
    let partial = served.get("/v1/pulls/mine/accounts?partial=true").await;
    assert_eq!(
        (partial.status().as_u16(), partial.headers()["qopen-complete"].to_str().unwrap()),
        (200, "false")
    );
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one_and_must_be_where_others_can_come() {
    let stage = Stage::new(&schedule());
    let served = Served::new(&stage, &[], Some("canary-control-token"));
    assert_eq!(served.get("/healthz").await.status(), 200);
    assert_eq!(served.get("/openapi.json").await.status(), 200);
    for path in ["/v1/pulls", "/metrics"] {
        assert_eq!(served.get(path).await.status(), 401);
        for (token, status) in [("wrong", 401), ("canary-control-token", 200)] {
            let request = served.http.get(format!("{}{path}", served.control)).bearer_auth(token);
            assert_eq!(request.send().await.unwrap().status(), status);
        }
    }
    drop(served);
    let refused = stage.verb("serve", &["--control", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("QOPEN_CONTROL_TOKEN"), "{}", text(&refused.stderr));
}

#[tokio::test]
async fn stopped_or_killed_under_load_nothing_is_lost() {
    let schedule = Schedule {
        accounts: 2000,
        page_size: 10,
        parallel: 8,
        max_attempts: 1000,
        max_delay_ms: 60,
        shuffle: true,
        lost_acks: Chance::new(10),
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let mut served = Served::new(&stage, &[], None);
    let mut marks = Vec::new();
    for robot in ["r1", "r2", "r3"] {
        marks.push((robot, served.start_pull(robot).await));
    }
    for (round, pages) in [10, 60, 120].into_iter().enumerate() {
        served.until(&marks[0].1, |it| it["pages"].as_u64() >= Some(pages)).await;
        if round == 1 {
            // Without a word.
            drop(served);
        } else {
            let began = Instant::now();
            assert_eq!(served.stop().code(), Some(0));
            assert!(began.elapsed() < Duration::from_secs(9), "it stopped by itself");
        }
        served = Served::new(&stage, &[], None);
    }
    for (robot, mark) in marks {
        let pull = served.until(&mark, |it| it["status"] != "open").await;
        assert_eq!(pull["status"], "complete", "{pull}");
        let list = served.get(&format!("/v1/pulls/{mark}/accounts")).await.text().await.unwrap();
        assert_eq!(ids(&list), expected(&schedule, robot));
    }
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn pulls_that_another_system_requests_are_adopted() {
    let stage = Stage::new(&schedule());
    let served = Served::new(&stage, &["--adopt"], None);
    served.request_elsewhere(&stage, "r9", "theirs").await;
    served.until_known("theirs").await;
    let pull = served.until("theirs", |it| it["status"] != "open").await;
    assert_eq!((&pull["status"], &pull["accounts"]), (&json!("complete"), &json!(120)));
    let list = served.get("/v1/pulls/theirs/accounts").await.text().await.unwrap();
    assert_eq!(ids(&list), expected(&schedule(), "r9"));
}

#[tokio::test]
async fn i6_a_page_that_comes_when_its_pull_is_no_longer_remembered_is_published_too() {
    let late = Schedule { late_page: Some((4, 5_000)), max_attempts: 1000, ..schedule() };
    let stage = Stage::new(&late);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.start_pull("r1").await;
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!((&pull["accounts"], &pull["revision"]), (&json!(110), &json!(1)));
    assert_eq!(served.stop().code(), Some(0));
    // The next process has nothing to do with it until the page comes.
    let served = Served::new(&stage, &["--out", "lists"], None);
    let pull = served.until(&mark, |it| it["revision"] == 2 && it["newer_pages"] == false).await;
    assert_eq!((&pull["accounts"], &pull["status"]), (&json!(120), &json!("complete")));
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&late, "r1"));
}

#[tokio::test]
async fn events_of_other_kinds_wait_for_their_listener_through_a_kill() {
    let schedule = Schedule { foreign_events: 20, ..schedule() };
    let stage = Stage::new(&schedule);
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{address}/events?from=qopen");
    let served = Served::new(&stage, &["--forward", &url], None);
    let mark = served.start_pull("r1").await;
    let pull = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(pull["status"], "complete", "what waits for others holds up no list");
    // Pages of unknown marks may be the listener's, too.
    served.until_metrics("qopen_forward_queue 22\n").await;
    drop(served);

    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let hear = move |request: axum::extract::Request| async move {
        let target = request.uri().to_string();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        sender.send((target, body)).unwrap();
        "success"
    };
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    let router = axum::Router::new().fallback(hear);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let served = Served::new(&stage, &["--forward", &url], None);
    served.until_metrics("qopen_forward_queue 0\n").await;
    assert!(served.metrics().await.contains("qopen_forward_taken_total 22\n"));
    assert_eq!(served.stop().code(), Some(0));
    let mut bodies = BTreeSet::new();
    while let Ok((target, body)) = heard.try_recv() {
        assert_eq!(target, "/events?from=qopen");
        assert!(body.starts_with(b"{\"app_key\""));
        bodies.insert(body);
    }
    assert_eq!(bodies.len(), 22);
}

/// A pull of which nothing comes but what the test says.
async fn published(served: &Served, stream: &mut TcpStream, account: usize) -> String {
    let mark = served.start_pull("r1").await;
    assert_eq!(say(stream, &[page_of(&mark, account, false)]).await, [200]);
    served.until(&mark, |it| it["output"].is_string()).await;
    mark
}

#[tokio::test]
async fn a_later_list_is_not_replaced_by_an_earlier_one() {
    let stage = Stage::new(&Schedule { silent: true, ..schedule() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let first = published(&served, &mut stream, 1).await;
    published(&served, &mut stream, 2).await;
    let file = stage.folder.path().join("lists/r1.jsonl");
    let of_file = || {
        (std::fs::metadata(&file).unwrap().modified().unwrap(), ids(&stage.read("lists/r1.jsonl")))
    };
    let before = of_file();
    assert_eq!(before.1, ["a2"]);
    // A late page makes the first pull's list another one, which is not published.
    assert_eq!(say(&mut stream, &[page_of(&first, 3, true)]).await, [200]);
    let pull = served.until(&first, |it| it["superseded"] == true).await;
    assert_eq!(pull["newer_pages"], true);
    let accounts = format!("/v1/pulls/{first}/accounts");
    let list = served.get(&accounts).await.text().await.unwrap();
    assert_eq!(ids(&list), ["a1", "a3"], "it can be read all the same");
    assert_eq!(of_file(), before);
    assert_eq!(served.stop().code(), Some(0));
    // Reading the first one in another process publishes nothing either.
    let served = Served::new(&stage, &["--out", "lists"], None);
    let again = served.get(&accounts).await.text().await.unwrap();
    assert_eq!(again, list);
    assert_eq!(of_file(), before);
}

#[tokio::test]
async fn i5_a_page_of_a_pull_that_was_kept_long_enough_makes_no_list() {
    let stage = Stage::new(&Schedule { silent: true, ..schedule() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--retain", "2s"], None);
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let mark = published(&served, &mut stream, 1).await;
    let began = Instant::now();
    while served.get_json("/v1/pulls").await["pulls"] != json!([]) {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = served.figure("qopen_callbacks_unknown_marks_total").await;
    assert_eq!(say(&mut stream, &[page_of(&mark, 2, true)]).await, [200]);
    let after = served.figure("qopen_callbacks_unknown_marks_total").await;
    assert_eq!((before, after), (0.0, 1.0));
    assert_eq!(served.get_json("/v1/pulls").await["pulls"], json!([]));
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), ["a1"]);
}

#[tokio::test]
async fn a_pull_that_is_taken_up_goes_where_it_was_to_go() {
    let slow = Schedule { max_delay_ms: 200, parallel: 1, max_attempts: 1000, ..schedule() };
    let stage = Stage::new(&slow);
    let place = stage.folder.path().join("elsewhere");
    std::fs::create_dir(&place).unwrap();
    let mut process = stage.pull(&["--robot", "r1", "--out", place.to_str().unwrap(), "--json"]);
    let mut process = process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    lines.find(|it| it.as_ref().unwrap().contains("\"pages\":3,")).unwrap().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let _served = Served::new(&stage, &[], None);
    let began = Instant::now();
    while !stage.exists("elsewhere/r1.jsonl") {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ids(&stage.read("elsewhere/r1.jsonl")), expected(&slow, "r1"));
}

#[tokio::test]
async fn scheduled_pulls_start_by_themselves_and_go_where_they_are_to_go() {
    let stage = Stage::new(&schedule());
    std::fs::create_dir(stage.folder.path().join("nightly")).unwrap();
    let settings = "[[schedule]]\ncron = '* * * * *'\nrobots = ['r1']\nout = 'nightly'\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let served = Served::new(&stage, &[], None);
    let began = Instant::now();
    // Within a minute and the time that a pull takes.
    while !stage.exists("nightly/r1.jsonl") {
        assert!(began.elapsed() < Duration::from_secs(90));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ids(&stage.read("nightly/r1.jsonl")), expected(&schedule(), "r1"));
    assert_eq!(served.stop().code(), Some(0));
}
