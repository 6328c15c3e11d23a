//! `qopen listen`: what comes to the callback URL before the first pull.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;

use crate::callbacks::{TOKEN, callback, connect, now, request, ring, say};
use crate::peer::Peer;
use crate::served::Served;
use crate::support::{Stage, free_port, qopen, steady, text, with_settings};

/// A customer's name, which no text may show.
const NAME: &str = "canary-customer";

/// A running `qopen listen`.
struct Listening {
    child: Child,
    address: String,
    stderr: BufReader<std::process::ChildStderr>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Listening {
    fn begin(folder: &Path, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = with_settings(qopen(folder, &[&["listen"], arguments].concat()));
        command.env("QOPEN_LISTEN", &address).env("QOPEN_BASE_URL", "http://127.0.0.1:9");
        Self::spawn(command, address)
    }

    fn spawn(mut command: Command, address: String) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(
            line.contains(&format!("waiting for callbacks on http://{address}/callback")),
            "{line}"
        );
        Self { child, address, stderr, stdout }
    }

    /// Posts requests one after the other, and returns the status of each.
    fn post(&self, requests: &[Vec<u8>]) -> Vec<u16> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut statuses = Vec::new();
            for one in requests {
                let mut stream = connect(&self.address, "127.0.0.1").await;
                statuses.extend(say(&mut stream, std::slice::from_ref(one)).await);
            }
            statuses
        })
    }

    fn stop(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Returns what it wrote, once it ended with this exit code.
    fn end(mut self, exit: i32) -> String {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        self.stderr.read_to_string(&mut said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(exit), "{said}");
        assert!(!said.contains("canary"), "{said}");
        said.replace(&self.address, "ADDRESS")
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn page(mark: &str) -> String {
    format!(
        r#"{{"event_type":42016,"err_code":0,"robot_id":"r1","data":{{"has_more":false,"mark_id":"{mark}","account_list":[{{"account_id":"a","profile":{{"name":"{NAME}"}}}}]}}}}"#
    )
}

fn run(mut command: Command, exit: i32) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

#[test]
fn refused_requests_are_explained_and_the_first_genuine_callback_ends_the_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let listening = Listening::begin(folder.path(), &["--once"]);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();
    let large = b"POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: 17000000\r\n\r\n".to_vec();
    let (mine, other) = (ring(TOKEN), ring("canary-other-token"));
    let forged = |nonce| callback(&other, &page("forged"), nonce, now());
    let foreign = String::from_utf8(callback(&mine, &page("foreign"), "n", now())).unwrap();
    let foreign = foreign.replace("\"app_key\":\"app\"", "\"app_key\":\"abb\"").into_bytes();
    let requests = [
        get("/callback?echostr=canary"),
        get("/callback"),
        get("/health"),
        request(b"hello=canary&x=y"),
        // A payload without a signature is no callback, however genuine it looks.
        request(page("bare").as_bytes()),
        large,
        foreign,
        forged("1"),
        forged("2"),
        callback(&mine, &page("m"), "3", now()),
    ];
    let statuses = listening.post(&requests);
    assert_eq!(statuses, [405, 405, 404, 400, 400, 413, 401, 401, 401, 200]);
    insta::assert_snapshot!("listen_explains", steady(&listening.end(0), folder.path()));
    // The page of an unknown pull is kept, and the forged ones are not.
    let kept = run(with_settings(qopen(folder.path(), &["quarantine", "list"])), 0);
    assert_eq!(kept.lines().count(), 1, "{kept}");
    let item = kept.split_whitespace().next().unwrap();
    let shown = run(with_settings(qopen(folder.path(), &["quarantine", "show", item])), 0);
    assert!(shown.contains(NAME), "{shown}");
}

#[test]
fn pages_that_come_while_it_listens_complete_their_pull() {
    let schedule =
        Schedule { accounts: 30, page_size: 10, max_attempts: 400, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let away = format!("127.0.0.1:{}", free_port());
    let mut pull = stage.pull(&["--robot", "r1", "--out", "list.jsonl", "--idle-timeout", "1s"]);
    pull.env("QOPEN_LISTEN", away);
    run(pull, 4);
    let mut listening = Listening::spawn(stage.verb("listen", &[]), stage.listen.clone());
    let mut line = String::new();
    while !line.starts_with("callback 3, answered success") {
        line.clear();
        assert!(listening.stdout.read_line(&mut line).unwrap() > 0, "it ended");
    }
    listening.stop();
    let said = listening.end(0);
    assert!(said.contains("3 callbacks were kept and answered success"), "{said}");
    let pulls = run(stage.verb("pulls", &["list"]), 0);
    let mark = pulls.lines().nth(1).unwrap().split('\t').next().unwrap();
    run(stage.pull(&["--resume", mark]), 0);
    assert_eq!(stage.read("list.jsonl").lines().count(), 30);
}

#[test]
fn another_event_is_kept_for_the_service_that_forwards_it() {
    let stage = Stage::new(&Schedule::default());
    let event = r#"{"event_type":40023,"robot_id":"r1","sender_id":"canary-sender"}"#;
    let post = callback(&ring(TOKEN), event, "n", now());
    let listening = Listening::begin(stage.folder.path(), &["--once"]);
    assert_eq!(listening.post(std::slice::from_ref(&post)), [200]);
    let said = listening.end(0);
    assert!(said.contains("event: 40023 (a private message)"), "{said}");
    assert!(said.contains("journal: kept to be forwarded"), "{said}");
    let peer = Peer::new(&[("200 OK", "success")]);
    let _served = Served::new(&stage, &["--forward", &peer.url], None);
    let began = Instant::now();
    while peer.heard().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "the service forwards it");
        std::thread::sleep(Duration::from_millis(20));
    }
    let body = text(&post).split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(peer.heard()[0].ends_with(&body), "{:?}", peer.heard());
}

#[test]
fn a_callback_that_no_key_decrypts_is_kept_and_says_which_key_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_settings(qopen(folder.path(), &["listen", "--once"]));
    let address = format!("127.0.0.1:{}", free_port());
    command.env("QOPEN_LISTEN", &address).env("QOPEN_BASE_URL", "http://127.0.0.1:9");
    command.env("QOPEN_ENCODING_AES_KEY", "canary-other-key-of-32-bytes-000");
    let listening = Listening::spawn(command, address);
    let page = callback(&ring(TOKEN), &page("m"), "n", now());
    assert_eq!(listening.post(&[page]), [200]);
    let said = listening.end(1);
    assert!(said.contains("ok    signature") && said.contains("FAIL  padding"), "{said}");
    assert!(said.contains("is QOPEN_ENCODING_AES_KEY the console's?"), "{said}");
    assert!(said.contains("ok    journal: kept in quarantine; correct the key"), "{said}");
    // It is readable with the right key.
    let said = run(with_settings(qopen(folder.path(), &["quarantine", "retry"])), 3);
    assert!(said.contains("no pull is known here of robot r1 mark m"), "{said}");
}

#[test]
fn the_waiting_ends_by_time_and_by_signal() {
    let folder = tempfile::tempdir().unwrap();
    let forged = callback(&ring("canary-other"), &page("m"), "n", now());
    let listening = Listening::begin(folder.path(), &["--once", "--timeout", "3s"]);
    assert_eq!(listening.post(&[forged]), [401]);
    let said = listening.end(4);
    assert!(said.contains("the time is over: 3s (--timeout)"), "{said}");
    assert!(said.contains("0 callbacks were kept"), "{said}");
    assert!(said.contains("1 callback with a wrong signature; is QOPEN_CALLBACK_TOKEN"), "{said}");
    let listening = Listening::begin(folder.path(), &["--once"]);
    listening.stop();
    let said = listening.end(130);
    assert!(said.contains("nothing came; does the console's callback URL lead"), "{said}");
}
