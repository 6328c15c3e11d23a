//! What pages of other sites can do to a running service: nothing, shown with a real browser.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use qopen_simulator::Schedule;
use reqwest::Method;
use serde_json::{Value, json};

use crate::served::{Served, json_of};
use crate::support::{Killed, Stage, installed};

const VARIABLE: &str = "QOPEN_TEST_CHROMIUM";

/// Time limit for the browser.
const PATIENCE: Duration = Duration::from_secs(90);

/// A request that reached the control API, and what it answered.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    status: u16,
}

/// What an attacker's server knows: its pages, what they reported, and what it passed on.
#[derive(Default)]
struct Attacker {
    pages: Mutex<Vec<(&'static str, String)>>,
    reports: Mutex<Vec<Value>>,
    told: Condvar,
    seen: Mutex<Vec<Seen>>,
}

impl Attacker {
    /// Serves the pages on that address, and passes on to the control API what is asked under `/v1`: that
    /// is what a name does whose address changes from the attacker's to this machine's.
    fn listen(self: &Arc<Self>, address: &str, api: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).unwrap();
        let bound = listener.local_addr().unwrap();
        let attacker = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let attacker = Arc::clone(&attacker);
                // A browser opens connections that it does not use, and closes some early.
                std::thread::spawn(move || attacker.answer(stream, api).ok());
            }
        });
        bound
    }

    fn answer(&self, stream: TcpStream, api: SocketAddr) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let mut fields = head.iter().filter_map(|it| it.split_once(": "));
            fields.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let length = header("content-length").map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut target = head[0].split(' ').skip(1);
        let target = target.next().unwrap_or_default().to_owned();
        let answer = if target.starts_with("/v1") {
            self.pass_on(&head, &body, api)?
        } else if target == "/report" {
            self.reports.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            self.told.notify_all();
            b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec()
        } else {
            let pages = self.pages.lock().unwrap();
            let page = pages.iter().find(|(path, _)| *path == target);
            let page = page.map_or("", |(_, page)| page);
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            [head.as_bytes(), page.as_bytes()].concat()
        };
        (&stream).write_all(&answer)
    }

    /// The control API's answer to a request, byte for byte.
    fn pass_on(&self, head: &[String], body: &[u8], api: SocketAddr) -> std::io::Result<Vec<u8>> {
        let kept = head.iter().filter(|it| !it.to_lowercase().starts_with("connection:"));
        let mut request = kept.cloned().collect::<Vec<_>>().join("\r\n");
        request.push_str("\r\nconnection: close\r\n\r\n");
        let mut stream = TcpStream::connect(api)?;
        stream.write_all(request.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        let seen = Seen { line: head[0].clone(), status };
        self.seen.lock().unwrap().push(seen);
        Ok(answer)
    }

    /// What the pages reported, once each of them has.
    fn reported(&self, names: &[&str]) -> Value {
        let missing = |reports: &Vec<Value>| {
            let is_there = |name: &&str| reports.iter().any(|it| it[*name].is_string());
            !names.iter().all(is_there)
        };
        let reports = self.reports.lock().unwrap();
        let waited = self.told.wait_timeout_while(reports, PATIENCE, |it| missing(it));
        let (reports, late) = waited.unwrap();
        let seen = self.seen.lock().unwrap();
        assert!(!late.timed_out(), "the pages reported {reports:?}, the API saw {seen:?}");
        let mut all = json!({});
        for report in reports.iter() {
            all.as_object_mut().unwrap().extend(report.as_object().unwrap().clone());
        }
        all
    }
}

/// What both pages can do.
const SCRIPT: &str = r#"
const results = {};
const attempt = async (name, url, options) => {
  try {
    const answer = await fetch(url, options);
    results[name] = `${answer.type} ${answer.status} ${await answer.text()}`;
  } catch (error) {
    results[name] = `failed ${error}`;
  }
};
const start = robot => JSON.stringify({ robot_id: robot });
const report = () => fetch('/report', { method: 'POST', body: JSON.stringify(results) });
"#;

/// A page of another site: first under a name that leads to the API, then to the API's own address.
const ATTACK: &str = r#"
const json = { 'content-type': 'application/json' };
const loaded = element => new Promise(done => {
  element.onload = element.onerror = done;
});
const form = async (name, enctype, key, value) => {
  const frame = document.createElement('iframe');
  frame.name = name;
  document.body.append(frame);
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', action: `${api}/v1/pulls?form=${name}`, enctype, target: name });
  const input = document.createElement('input');
  Object.assign(input, { name: key, value });
  form.append(input);
  document.body.append(form);
  const done = loaded(frame);
  form.submit();
  await done;
};
const run = async () => {
  await attempt('rebound read', '/v1/pulls');
  await attempt('rebound start', '/v1/pulls', { method: 'POST', headers: json, body: start('rebound') });
  await attempt('read', `${api}/v1/pulls?read`);
  await attempt('blind read', `${api}/v1/pulls?blind`, { mode: 'no-cors' });
  await attempt('plain start', `${api}/v1/pulls?plain`,
    { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: start('plain') });
  await attempt('json start', `${api}/v1/pulls?json`, { method: 'POST', headers: json, body: start('json') });
  await attempt('delete', `${api}/v1/pulls/some?delete`, { method: 'DELETE' });
  await attempt('empty post', `${api}/v1/quarantine/retry`, { method: 'POST', mode: 'no-cors' });
  navigator.sendBeacon(`${api}/v1/pulls?beacon`, start('beacon'));
  await form('plain', 'text/plain', '{"robot_id":"form","mark_id":"m', '"}');
  await form('urlencoded', 'application/x-www-form-urlencoded', '{"robot_id":"form"}', '');
  await form('multipart', 'multipart/form-data', 'robot_id', 'form');
  const image = new Image();
  const done = loaded(image);
  image.src = `${api}/v1/pulls?image`;
  await done;
  const events = new EventSource(`${api}/v1/pulls/some/events`);
  await new Promise(done => { events.onopen = events.onerror = done; });
  events.close();
  const socket = new WebSocket(`${api.replace('http', 'ws')}/v1/pulls?socket`);
  await new Promise(done => { socket.onopen = socket.onerror = done; });
  const own = document.createElement('iframe');
  own.src = `${local}/own`;
  document.body.append(own);
  await report();
};
run();
"#;

/// A page under a name that is this machine's, for which the same requests work.
const OWN: &str = "attempt('own read', '/v1/pulls').then(report);";

fn page(script: &str) -> String {
    format!("<!doctype html><meta charset=utf-8><body><script>{SCRIPT}{script}</script>")
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_pages_of_other_sites_read_nothing_and_start_nothing() {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let Some(chromium) = installed(&names, VARIABLE) else { return };
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::new(&stage, &[], None);
    let api: SocketAddr = served.control.strip_prefix("http://").unwrap().parse().unwrap();

    let attacker = Arc::new(Attacker::default());
    // The name's address is another one, the port the API's: to the browser all of it is one origin.
    let rebound = attacker.listen(&format!("127.0.0.2:{}", api.port()), api);
    let direct = attacker.listen("127.0.0.1:0", api);
    let local = format!("http://own.localhost:{}", direct.port());
    let names = format!("const api = 'http://{direct}', local = '{local}';");
    *attacker.pages.lock().unwrap() =
        vec![("/", page(&format!("{names}{ATTACK}"))), ("/own", page(OWN))];

    let profile = tempfile::tempdir().unwrap();
    let mut browser = Command::new(chromium);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    browser.args(["--no-first-run", "--no-proxy-server", "--remote-debugging-port=0"]);
    browser.arg("--host-resolver-rules=MAP attacker.test 127.0.0.2");
    browser.arg(format!("--user-data-dir={}", profile.path().display()));
    browser.arg(format!("http://attacker.test:{}/", rebound.port()));
    browser.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let browser = Killed(browser.spawn().unwrap());
    let reports = tokio::task::block_in_place(|| attacker.reported(&["rebound read", "own read"]));
    drop(browser);

    let said = |name: &str| reports[name].as_str().unwrap_or_default().to_owned();
    // The browser lets the page read the answer, as of its own origin, and the answer tells nothing.
    for name in ["rebound read", "rebound start"] {
        let said = said(name);
        assert!(
            said.starts_with("basic 421 {\"error\":\"the host attacker.test "),
            "{name}: {said}"
        );
    }
    for name in ["read", "json start", "delete"] {
        assert!(said(name).starts_with("failed "), "{name}: {}", said(name));
    }
    // What works for a page of this machine's own name shows that all of this can fail.
    assert_eq!(said("own read"), "basic 200 {\"pulls\":[]}");

    // Each attempt has reached the API, and each was refused.
    let seen = attacker.seen.lock().unwrap().clone();
    for attempt in [
        "GET /v1/pulls?read ",
        "GET /v1/pulls?blind ",
        "GET /v1/pulls?image ",
        "GET /v1/pulls/some/events ",
        "GET /v1/pulls?socket ",
        "POST /v1/pulls?plain ",
        "OPTIONS /v1/pulls?json ",
        "OPTIONS /v1/pulls/some?delete ",
        "POST /v1/quarantine/retry ",
        "POST /v1/pulls?beacon ",
        "POST /v1/pulls?form=plain ",
        "POST /v1/pulls?form=urlencoded ",
        "POST /v1/pulls?form=multipart ",
    ] {
        let of_it = seen.iter().find(|it| it.line.starts_with(attempt));
        assert_eq!(of_it.map(|it| it.status), Some(403), "{attempt}: {seen:?}");
    }
    assert_eq!(served.get_json("/v1/pulls").await, json!({ "pulls": [] }));

    // A program can do all of it.
    assert_eq!(served.start(&json!({ "robot_id": "plain" })).await.status(), 202);
    let listed = json_of(served.ask(Method::GET, "/v1/pulls").await).await;
    assert_eq!(listed["pulls"].as_array().unwrap().len(), 1);
}
