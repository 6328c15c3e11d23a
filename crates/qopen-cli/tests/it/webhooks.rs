//! `[[webhook]]`: signed messages about lists and robots.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::callbacks::{TOKEN, callback, now, ring, say};
use crate::guards::lost_on;
use crate::peer::Peer;
use crate::served::Served;
use crate::support::{Stage, free_port, ids, installed, qopen, text, with_settings};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Verifies messages with the package of the standard.
const VERIFIER: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook
webhook = Webhook(sys.argv[1])
for request in json.load(sys.stdin):
    webhook.verify(request["body"], request["headers"])
    try:
        webhook.verify(request["body"] + " ", request["headers"])
    except Exception:
        continue
    raise SystemExit("a forged body was accepted")
"#;

/// A request that the listener heard.
struct Heard {
    id: String,
    headers: Value,
    body: String,
}

impl Heard {
    fn of(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let headers: serde_json::Map<String, Value> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.into()))
            .collect();
        let id = headers["webhook-id"].as_str().unwrap().to_owned();
        Self { id, headers: headers.into(), body: body.to_owned() }
    }

    fn data(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["data"].clone()
    }

    fn topic(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
        body["type"].as_str().unwrap().to_owned()
    }
}

/// Waits until a listener has heard that number of requests.
async fn heard(peer: &Peer, number: usize, served: &Served) -> Vec<Heard> {
    let began = Instant::now();
    while peer.heard().len() < number {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}\n{}", peer.heard(), served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    peer.heard().iter().map(|it| Heard::of(it)).collect()
}

fn settings(stage: &Stage, webhooks: &str) {
    std::fs::create_dir_all(stage.folder.path().join("lists")).unwrap();
    std::fs::write(stage.folder.path().join("qopen.toml"), webhooks).unwrap();
}

#[tokio::test]
async fn a_list_that_its_format_cannot_hold_is_told_as_held() {
    let stage = Stage::new(&Schedule { accounts: 20, description: 40_000, ..Schedule::default() });
    let listener = Peer::new(&[("204 No Content", "")]);
    let webhook = format!(
        "[[webhook]]\nurl = '{}'\nsecret = '{SECRET}'\nevents = ['list.held', 'list.published']\n",
        listener.url
    );
    settings(&stage, &webhook);
    let served = Served::new(&stage, &["--out", "lists", "--format", "xlsx"], None);
    let mark = served.start_pull("r1").await;
    let sent = heard(&listener, 1, &served).await;
    let data = sent[0].data();
    assert_eq!((&*sent[0].topic(), &data["mark_id"]), ("list.held", &json!(mark)));
    let [why, output] = ["why", "output"].map(|it| data[it].as_str().unwrap());
    assert!(why.contains("a cell of XLSX holds 32,767"), "{why}");
    assert!(output.ends_with("r1.xlsx.overflow.jsonl"), "{output}");
    assert!(stage.exists("lists/r1.xlsx.overflow.jsonl") && !stage.exists("lists/r1.xlsx"));
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn messages_tell_of_lists_and_robots_and_nothing_of_customers() {
    let lost =
        Schedule { lost_pages: vec![2], lost_pages_on: Some(vec![2]), ..Schedule::default() };
    let moving = Schedule { accounts: 60, page_size: 10, gone_each: 7, ..lost };
    let stage = Stage::new(&moving);
    // The first answer refuses: the message comes again.
    let listener = Peer::new(&[("503 Busy", ""), ("200 OK", "")]);
    let alone = Peer::new(&[("204 No Content", "")]);
    settings(
        &stage,
        &format!(
            "[[webhook]]\nurl = '{}/hook?key=canary'\nsecret = '{SECRET}'\n[[webhook]]\nurl = '{}'\nsecret = '{SECRET}'\nevents = ['list.held']\n",
            listener.url, alone.url
        ),
    );
    let arguments = ["--out", "lists", "--max-gone", "7", "--idle-timeout", "3s"];
    let served = Served::new(&stage, &arguments, None);
    let first = served.start_pull("r1").await;
    let sent = heard(&listener, 2, &served).await;
    assert_eq!((&sent[0].id, &sent[0].body), (&sent[1].id, &sent[1].body));
    served.until_it_says(1, "[[webhook]] 1: the listener answered with HTTP status 503").await;
    let data = sent[1].data();
    assert_eq!((&*sent[1].topic(), &data["mark_id"]), ("list.published", &json!(first)));
    assert_eq!((&data["accounts"], &data["changes"]["baseline"]), (&json!(60), &json!(true)));
    assert!(data["basis"].is_string() && data["evidence"]["quiet_ms"].is_u64(), "{data}");
    // The URL has the list.
    let list = served.http.get(data["list_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(list.text().await.unwrap(), stage.read("lists/r1.jsonl"));

    // Seven are gone, which is allowed; then a page is lost as well.
    served.published("r1").await;
    let third = served.start_pull("r1").await;
    served.until(&third, |it| it["held"] == true).await;
    let out = json!({
        "event_type": 41002, "robot_id": "r1", "robot_name": "canary-name", "logout_type": 2,
    });
    let out = callback(&ring(TOKEN), &out.to_string(), "n1", now());
    let mut stream = tokio::net::TcpStream::connect(&stage.listen).await.unwrap();
    assert_eq!(say(&mut stream, &[out]).await, [200]);
    let sent = heard(&listener, 5, &served).await;
    let topics: Vec<_> = sent[1..].iter().map(|it| (it.topic(), it.data())).collect();
    let of = |topic: &str| topics.iter().find(|it| it.0 == topic).unwrap().1.clone();
    let held = of("list.held");
    assert_eq!((&held["mark_id"], &held["status"]), (&json!(third), &json!("incomplete")));
    assert!(
        held["why"].as_str().unwrap().contains("customers of the last list are gone"),
        "{held}"
    );
    let logout = json!({ "robot_id": "r1", "why": "connection lost" });
    assert_eq!(of("robot.logged_out"), logout);
    let other = heard(&alone, 1, &served).await;
    assert_eq!((&other[0].data(), other.len()), (&held, 1));
    served.until_metrics("qopen_webhook_delivered_total 5\n").await;
    served.until_metrics("qopen_webhook_failures_total 1\n").await;
    // No event was forwarded.
    served.until_metrics("qopen_forward_taken_total 0\n").await;
    served.until_metrics("qopen_forward_failures_total 0\n").await;

    // No customer, and no secret, is in a message or in the log.
    let list = stage.read("lists/r1.jsonl");
    for line in list.lines() {
        let account: Value = serde_json::from_str(line).unwrap();
        let id = account["account_id"].as_str().unwrap();
        assert!(sent.iter().all(|it| !it.body.contains(id)), "{id}");
    }
    assert!(sent.iter().all(|it| !it.body.contains("canary")));
    assert!(!served.log().contains("canary") && !served.log().contains(SECRET), "{}", served.log());

    let Some(python) = python() else { return };
    let requests: Vec<Value> =
        sent.iter().map(|it| json!({ "headers": it.headers, "body": it.body })).collect();
    let mut verifier = Command::new(python);
    verifier.args(["-c", VERIFIER, SECRET]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut verifier = verifier.spawn().unwrap();
    let input = serde_json::to_vec(&requests).unwrap();
    verifier.stdin.take().unwrap().write_all(&input).unwrap();
    let output = verifier.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_message_tells_of_a_list_that_is_held_because_no_pull_confirmed_it() {
    // The last page of the second and of the third request is never sent.
    let never = Schedule { lost_pages: vec![5], lost_pages_on: Some(vec![1, 2]), ..lost_on(0) };
    let stage = Stage::new(&never);
    let listener = Peer::new(&[("204 No Content", "")]);
    let webhook = format!(
        "[[webhook]]\nurl = '{}'\nsecret = '{SECRET}'\nevents = ['list.held']\n",
        listener.url
    );
    settings(&stage, &webhook);
    let served = Served::new(&stage, &["--out", "lists", "--confirm"], None);
    let first = served.start_pull("r1").await;
    let sent = heard(&listener, 1, &served).await.remove(0);
    let data = sent.data();
    assert_eq!((&*sent.topic(), &data["mark_id"]), ("list.held", &json!(first)), "{data}");
    assert_eq!((&data["robot_id"], &data["status"]), (&json!("r1"), &json!("incomplete")));
    let figures = (&data["accounts"], &data["pages"], &data["revision"]);
    assert_eq!(figures, (&json!(60), &json!(6), &json!(1)), "{data}");
    assert_eq!(data["why"], "no pull confirmed the list");
    let list = served.http.get(data["list_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(ids(&list.text().await.unwrap()).len(), 60);
    assert_eq!(served.stop().code(), Some(0));
}

/// A Python that has the package of the standard.
fn python() -> Option<std::path::PathBuf> {
    const VARIABLE: &str = "QOPEN_TEST_STANDARDWEBHOOKS";
    let python = installed(&["python3"], VARIABLE)?;
    let import = Command::new(&python).args(["-c", "import standardwebhooks"]).output().unwrap();
    if import.status.success() {
        return Some(python);
    }
    let is_required = std::env::var(VARIABLE).as_deref() == Ok("required");
    assert!(!is_required, "{VARIABLE} is required: {}", text(&import.stderr));
    let skip = format!(
        "SKIP: no Python package standardwebhooks; {VARIABLE}=required makes that an error\n"
    );
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    None
}

#[tokio::test]
async fn a_message_outlives_its_process_and_is_dropped_without_a_listener() {
    let stage = Stage::new(&Schedule { accounts: 20, ..Schedule::default() });
    let down = Peer::new(&[("500 Down", "")]);
    let webhook = |url: &str| format!("[[webhook]]\nurl = '{url}'\nsecret = '{SECRET}'\n");
    settings(&stage, &webhook(&down.url));
    let mut served = Served::new(&stage, &["--out", "lists"], None);
    served.published("r1").await;
    let first = heard(&down, 1, &served).await.remove(0);
    served.process.kill().unwrap();
    served.process.wait().unwrap();
    // The next process sends the same message to the same listener.
    let served = Served::new(&stage, &["--out", "lists"], None);
    let again = heard(&down, 2, &served).await.remove(1);
    assert_eq!((first.id, first.body), (again.id, again.body));
    assert_eq!(served.stop().code(), Some(0));
    // Without its entry the message is dropped, and a listener that is gone gets none.
    let gone = Peer::new(&[("410 Gone", "")]);
    settings(&stage, &webhook(&gone.url));
    let served = Served::new(&stage, &["--out", "lists"], None);
    served.until_metrics("qopen_webhook_dropped_total 1\n").await;
    served.published("r1").await;
    served.until_metrics("qopen_webhook_dropped_total 2\n").await;
    served.until_it_says(1, "a message of [[webhook]] 1 was dropped: its listener answered").await;
    served.until_metrics("qopen_forward_queue 0\n").await;
    assert_eq!((gone.heard().len(), served.stop().code()), (1, Some(0)));
}

#[tokio::test]
async fn a_webhook_that_is_down_does_not_delay_forwarded_events() {
    let stage = Stage::new(&Schedule::default());
    let application = Peer::new(&[("200 OK", "success")]);
    let down = format!("http://127.0.0.1:{}", free_port());
    settings(&stage, &format!("[[webhook]]\nurl = '{down}'\nsecret = '{SECRET}'\n"));
    let served = Served::new(&stage, &["--forward", &application.url], None);
    let mut stream = tokio::net::TcpStream::connect(&stage.listen).await.unwrap();
    let mut send = async |event: Value, number: usize| {
        let event = callback(&ring(TOKEN), &event.to_string(), &format!("n{number}"), now());
        assert_eq!(say(&mut stream, &[event]).await, [200]);
        let began = Instant::now();
        while application.heard().len() < number {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // The event is forwarded, and its message waits.
    for number in 1..=12 {
        let robot = format!("r{number}");
        send(json!({ "event_type": 41002, "robot_id": robot, "logout_type": 2 }), number).await;
    }
    served.until_metrics("qopen_forward_queue 12\n").await;
    let began = Instant::now();
    while served.figure("qopen_webhook_failures_total").await < 30.0 {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    for number in 13..=18 {
        send(json!({ "event_type": 29999, "robot_id": "r1" }), number).await;
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(served.figure("qopen_webhook_delivered_total").await, 0.0);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_reload_says_that_a_changed_webhook_is_used_from_the_next_start_on() {
    let stage = Stage::new(&Schedule::default());
    let webhook =
        |secret: &str| format!("[[webhook]]\nurl = 'http://127.0.0.1:9'\nsecret = '{secret}'\n");
    settings(&stage, &webhook(SECRET));
    let served = Served::new(&stage, &["--out", "lists"], None);
    served.signal("HUP");
    served.until_it_says(1, "were read again").await;
    assert!(!served.log().contains("next start"), "{}", served.log());
    settings(&stage, &webhook(&SECRET.replace("MfKQ", "NfKQ")));
    served.signal("HUP");
    served.until_it_says(2, "were read again").await;
    served.until_it_says(1, "changed, and used from the next start on: webhook\n").await;
    assert!(!served.log().contains("whsec_"), "{}", served.log());
    assert_eq!(served.stop().code(), Some(0));
}

#[test]
fn an_entry_that_cannot_be_used_is_refused_with_its_number_and_key_and_without_its_secret() {
    let good = format!("url = 'https://me:canary@hooks.example/x'\nsecret = '{SECRET}'\n");
    for (entry, parts) in [
        (format!("secret = '{SECRET}'"), &["`url` is missing", "https://"][..]),
        ("url = 'https://h.example'".into(), &["`secret` is missing", "whsec_"]),
        (format!("url = 'ftp://me:canary@h'\nsecret = '{SECRET}'"), &["http:// or https://"]),
        (format!("url = ''\nsecret = '{SECRET}'"), &["`url` is blank"]),
        (format!("url = 5\nsecret = '{SECRET}'"), &["`url`", "integer"]),
        (
            "url = 'https://h'\nsecret = 'canary'".into(),
            &["secret: it does not begin with whsec_", "openssl"],
        ),
        ("url = 'https://h'\nsecret = 'whsec_canary'".into(), &["secret: "]),
        ("url = 'https://h'\nsecret = 'whsec_c2hvcnQ='".into(), &["5 bytes", "24 to 64"]),
        (format!("{good}events = []"), &["`events`", "list.published"]),
        (format!("{good}events = 'list.held'"), &["`events`", "robot.logged_out"]),
        (format!("{good}events = ['list.lost']"), &["\"list.lost\" is unknown", "list.held"]),
        (format!("{good}event = ['list.held']"), &["unknown key `event`", "events"]),
        (format!("{good}app_key = 'x'"), &["`app_key`", "above the first [[webhook]]"]),
        (format!("{good}[[webhook]]\n{good}"), &["[[webhook]] 2", "same url"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("qopen.toml"), format!("[[webhook]]\n{entry}\n"))
            .unwrap();
        let mut command = with_settings(qopen(folder.path(), &["serve"]));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_LISTEN", "127.0.0.1:0");
        command.env("QOPEN_CONTROL", "127.0.0.1:0");
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{entry}: {said}");
        assert!(said.contains("webhook") && !said.contains("canary"), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} in {said}");
        }
    }
    for (form, part) in [("webhook = 'x'", "[[webhook]]"), ("[webhook]\nurl = 'x'", "[[webhook]]")]
    {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("qopen.toml"), form).unwrap();
        let output = with_settings(qopen(folder.path(), &["doctor"])).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(part), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("qopen.toml"), format!("[[webhook]]\n{good}")).unwrap();
    let said = text(&with_settings(qopen(folder.path(), &["doctor"])).output().unwrap().stdout);
    assert!(said.contains("[[webhook]] 1") && said.contains("list.incomplete"), "{said}");
}
