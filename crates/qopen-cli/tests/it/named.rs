//! How requests name pulls: marks of several robots, marks that no path holds, and ids that mislead.

use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::callbacks::{TOKEN, callback, now, ring, say};
use crate::served::{Served, json_of};
use crate::support::{Stage, ids, text};

fn silent() -> Stage {
    Stage::new(&Schedule { silent: true, ..Schedule::default() })
}

/// The only page of a pull that another system requested.
async fn send_page(stage: &Stage, robot: &str, mark: &str) {
    let accounts = [json!({ "account_id": "a1" })];
    let data = json!({ "has_more": false, "mark_id": mark, "account_list": accounts });
    let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": robot, "data": data });
    let page = callback(&ring(TOKEN), &page.to_string(), "n", now());
    let mut stream = TcpStream::connect(&stage.listen).await.unwrap();
    assert_eq!(say(&mut stream, &[page]).await, [200]);
}

async fn until_listed(served: &Served, done: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let pulls = served.get_json("/v1/pulls").await["pulls"].take();
        if done(&pulls) {
            return pulls;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{pulls}\n{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulls_path_leads_to_no_other_robots_pull() {
    let stage = silent();
    let served = Served::new(&stage, &["--idle-timeout", "600s"], None);
    let mut locations = Vec::new();
    for robot in ["rA", "r/B"] {
        let answer = served.start(&json!({ "robot_id": robot, "mark_id": "same" })).await;
        assert_eq!(answer.status(), 202);
        locations.push(answer.headers()["location"].to_str().unwrap().to_owned());
    }
    assert_eq!(locations[1], "/v1/pulls/same?robot_id=r%2FB");
    for (location, robot) in locations.iter().zip(["rA", "r/B"]) {
        assert_eq!(served.get_json(location).await["robot_id"], robot);
    }
    // Without a robot, nothing is shown, changed or deleted.
    for (method, path) in [
        (Method::GET, "/v1/pulls/same"),
        (Method::GET, "/v1/pulls/same/notes"),
        (Method::GET, "/v1/pulls/same/events"),
        (Method::GET, "/v1/pulls/same/accounts?partial=true"),
        (Method::POST, "/v1/pulls/same/resume"),
        (Method::DELETE, "/v1/pulls/same"),
        (Method::DELETE, "/v1/pulls/same?purge=true"),
    ] {
        let answer = served.ask(method.clone(), path).await;
        assert_eq!(answer.status(), 409, "{method} {path}");
        let error = json_of(answer).await["error"].as_str().unwrap().to_owned();
        assert!(error.contains("robot_id: r/B, rA"), "{method} {path}: {error}");
    }
    assert_eq!(served.get("/v1/pulls/same?robot_id=rC").await.status(), 404);
    let purge = format!("{}&purge=true", locations[1]);
    assert_eq!(served.ask(Method::DELETE, &purge).await.status(), 204);
    // The other one's is still open, and the only one now.
    let left = served.get_json("/v1/pulls/same").await;
    assert_eq!((&left["robot_id"], &left["status"]), (&json!("rA"), &json!("open")));
}

#[tokio::test]
async fn ids_that_look_like_others_start_nothing() {
    let stage = silent();
    let served = Served::new(&stage, &[], None);
    for id in [
        "a ",
        " a",
        "\u{200b}",
        "a\u{200b}",
        "a\u{200d}b",
        "\u{feff}a",
        "a\u{a0}",
        "a\u{3000}b",
        "a\u{2060}b",
        "a\u{180e}b",
        "a\u{ad}b",
        "a\u{202e}b",
        "a\nb",
        "a\t",
        "\u{7}",
        "a\u{85}b",
        " ",
        "a\u{2028}b",
        "a\u{3164}b",
    ] {
        for (body, name) in [
            (json!({ "robot_id": id }), "robot_id: "),
            (json!({ "robot_id": "r1", "mark_id": id }), "mark_id: "),
        ] {
            let answer = served.start(&body).await;
            assert_eq!(answer.status(), 400, "{body}");
            let error = json_of(answer).await["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with(name), "{body}: {error}");
        }
    }
    assert_eq!(served.get_json("/v1/pulls").await, json!({ "pulls": [] }));
    for id in ["a b", "机器人", "a,b"] {
        assert_eq!(served.start(&json!({ "robot_id": id })).await.status(), 202, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_no_path_holds_is_shown_exported_and_deleted() {
    let stage = silent();
    let served = Served::new(&stage, &["--adopt"], None);
    for mark in [".", ".."] {
        send_page(&stage, "r1", mark).await;
        until_listed(&served, |it| it[0]["status"] == "complete").await;
        let run = |arguments: &[&str]| {
            let output = stage.verb("pulls", arguments).output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
            text(&output.stdout)
        };
        assert!(run(&["show", mark]).lines().count() > 1);
        let listed = run(&["list"]);
        let line = format!("{mark}\tr1\tcomplete\t1\t1\t");
        assert!(listed.lines().any(|it| it.starts_with(&line)), "{listed}");
        let checked = run(&["check"]);
        assert!(checked.contains("1 file, ") && checked.contains(", 1 pull\n"), "{checked}");
        assert_eq!(ids(&run(&["export", mark, "--out", "-"])), ["a1"]);
        let resume = format!("/v1/pulls/-/resume?mark_id={}", mark.replace('.', "%2E"));
        assert_eq!(served.ask(Method::POST, &resume).await.status(), 202);
        until_listed(&served, |it| it[0]["status"] == "complete").await;
        run(&["purge", mark]);
        assert_eq!(served.get_json("/v1/pulls").await, json!({ "pulls": [] }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_no_file_can_be_named_after_is_given_up_once_and_kept() {
    let stage = silent();
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let long = "n".repeat(512);
    let arguments = ["--adopt", "--out", "lists"];
    let served = Served::new(&stage, &arguments, None);
    send_page(&stage, &long, "long-mark").await;
    send_page(&stage, "r1", "other-mark").await;
    let pulls = |it: &Value| {
        let all = it.as_array().unwrap();
        all.len() == 2 && all.iter().all(|it| it["status"] == "complete")
    };
    until_listed(&served, pulls).await;
    served.until("other-mark", |it| it["output"].is_string()).await;
    // The first repetition of a publication would come after a second.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let log = served.log();
    let lines: Vec<&str> = log.lines().filter(|it| it.contains("too long")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("qopen pulls export long-mark --out FILE"), "{}", lines[0]);
    assert!(lines[0].len() < 600, "{}", lines[0]);
    let export = ["export", "long-mark", "--out", "copy"];
    assert_eq!(stage.verb("pulls", &export).output().unwrap().status.code(), Some(0));
    assert_eq!(ids(&stage.read("copy")), ["a1"]);
    assert_eq!(served.stop().code(), Some(0));
    // The next process does not try either.
    let served = Served::new(&stage, &arguments, None);
    until_listed(&served, pulls).await;
    assert!(!served.log().contains("too long"), "{}", served.log());
    assert_eq!(served.stop().code(), Some(0));

    let output = stage.run(&["--robot", &long, "--out", "lists"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`--out FILE`") && said.contains("postgres://"), "{said}");
    assert!(said.len() < 600, "{said}");
}
