//! Which requests the control API answers, and in which form (I15).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, text};

fn stage() -> Stage {
    Stage::new(&Schedule { silent: true, ..Schedule::default() })
}

/// The status, head and body that raw bytes are answered with.
fn raw(served: &Served, request: &str) -> (u16, String, String) {
    let address = served.control.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = text(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

/// A request without a body, and with these headers.
fn bare(served: &Served, line: &str, headers: &[&str]) -> (u16, String, String) {
    let headers: String = headers.iter().map(|it| format!("{it}\r\n")).collect();
    raw(served, &format!("{line} HTTP/1.1\r\n{headers}connection: close\r\n\r\n"))
}

/// Whether an error is JSON with a sentence, and carries what every answer carries.
fn is_ours(what: &str, (status, head, body): &(u16, String, String)) {
    for header in [
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.contains(header), "{what}: {header} is not in\n{head}");
    }
    assert!(!head.contains("access-control-"), "{what}: {head}");
    if *status >= 400 {
        assert_eq!(head.matches("content-type: ").count(), 1, "{what}: {head}");
        assert!(head.contains("content-type: application/json"), "{what}: {head}");
        let error: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{what}: {body}"));
        assert!(!error["error"].as_str().unwrap().is_empty(), "{what}: {body}");
    }
}

#[test]
fn i15_only_hosts_of_this_machine_are_answered_whatever_the_target() {
    let stage = stage();
    let served = Served::new(&stage, &[], None);
    for (line, headers, expected) in [
        ("GET /v1/pulls", &["host: localhost"][..], 200),
        ("GET /v1/pulls", &["host: LOCALHOST.:99"], 200),
        ("GET /v1/pulls", &["host: [::ffff:127.0.0.1]:8081"], 200),
        ("GET http://127.0.0.1/v1/pulls", &["host: 127.0.0.1"], 200),
        ("GET /v1/pulls", &["host: attacker.test"], 421),
        ("GET /metrics", &["host: attacker.test:8081"], 421),
        ("GET /openapi.json", &["host: attacker.test"], 421),
        ("GET /nowhere", &["host: attacker.test"], 421),
        ("DELETE /v1/pulls/m", &["host: attacker.test"], 421),
        ("POST /v1/pulls/m/resume", &["host: attacker.test"], 421),
        ("GET /v1/quarantine", &["host: 0.0.0.0"], 421),
        ("GET http://attacker.test/v1/pulls", &["host: 127.0.0.1"], 421),
        ("GET http://127.0.0.1/v1/pulls", &["host: attacker.test"], 421),
        ("GET //healthz", &["host: attacker.test"], 421),
        ("GET /healthz/", &["host: attacker.test"], 421),
        ("GET /%68ealthz", &["host: attacker.test"], 421),
        ("GET /v1/pulls", &[], 400),
        ("GET /v1/pulls", &["host: localhost", "host: localhost"], 400),
        ("GET /v1/pulls", &["host:"], 400),
        ("GET /v1/pulls", &["host: localhost/"], 400),
        // Probes come under any name, and learn nothing.
        ("GET /healthz", &["host: attacker.test"], 200),
        ("GET /readyz", &["host: attacker.test", "origin: http://attacker.test"], 200),
    ] {
        let answer = bare(&served, line, headers);
        assert_eq!(answer.0, expected, "{line} {headers:?}: {}", answer.2);
        is_ours(line, &answer);
        if expected == 421 && !headers.contains(&"host: 0.0.0.0") {
            assert!(answer.2.contains("--control-host attacker.test"), "{}", answer.2);
        }
    }
}

#[test]
fn i15_what_a_browser_marks_as_of_another_site_is_refused_with_a_token_too() {
    let token = "canary-control-token";
    let stage = stage();
    for token in [None, Some(token)] {
        let served = Served::new(&stage, &[], token);
        let host = served.control.strip_prefix("http://").unwrap();
        let own = format!("origin: http://{host}");
        let host = format!("host: {host}");
        let bearer = token.map(|it| format!("authorization: Bearer {it}"));
        let ask = |line: &str, more: &[&str]| {
            let mut headers = vec![host.as_str()];
            headers.extend(bearer.as_deref());
            headers.extend(more);
            let answer = bare(&served, line, &headers);
            is_ours(line, &answer);
            answer.0
        };
        for (more, expected) in [
            (&[][..], 200),
            (&[own.as_str(), "sec-fetch-site: same-origin"], 200),
            (&["sec-fetch-site: none"], 200),
            (&["origin: null"], 403),
            (&["origin: http://attacker.test"], 403),
            (&["origin: http://127.0.0.1:1"], 403),
            (&["sec-fetch-site: cross-site"], 403),
            (&["sec-fetch-site: same-site"], 403),
            (&[own.as_str(), "sec-fetch-site: cross-site"], 403),
            (&[own.as_str(), own.as_str()], 403),
            (&["sec-fetch-site: none", "sec-fetch-site: cross-site"], 403),
        ] {
            assert_eq!(ask("GET /v1/pulls", more), expected, "{more:?}");
            assert_eq!(ask("GET /metrics", more), expected, "{more:?}");
        }
        let preflight = ["origin: http://attacker.test", "access-control-request-method: POST"];
        assert_eq!(ask("OPTIONS /v1/pulls", &preflight), 403);
        assert_eq!(ask("POST /v1/pulls/m/resume", &["sec-fetch-site: cross-site"]), 403);
        assert_eq!(ask("DELETE /v1/pulls/m", &["origin: null"]), 403);
    }
}

#[test]
fn a_body_is_small_json_and_every_error_is_json() {
    let stage = stage();
    let served = Served::new(&stage, &[], None);
    let robot = r#"{"robot_id":"r1"}"#;
    let post = |path: &str, headers: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        raw(&served, &request)
    };
    let large = " ".repeat(70_000);
    for (headers, body, expected) in [
        ("", robot, 415),
        ("content-type: text/plain\r\n", robot, 415),
        ("content-type: application/x-www-form-urlencoded\r\n", robot, 415),
        ("content-type: multipart/form-data; boundary=x\r\n", robot, 415),
        ("content-type: application/jsonp\r\n", robot, 415),
        ("content-type: text/plain, application/json\r\n", robot, 415),
        ("content-type: text/plain; x=application/json\r\n", robot, 415),
        ("content-type: application/json\r\ncontent-type: application/json\r\n", robot, 415),
        ("content-type: text/plain\r\n", "", 415),
        ("", "", 400),
        ("content-type: application/json\r\n", "", 400),
        ("content-type: application/json\r\n", "[]", 400),
        ("content-type: application/json\r\n", r#" ["r",null,false,null]"#, 400),
        ("content-type: application/json\r\n", r#""r""#, 400),
        ("content-type: application/json\r\n", r#"{"robot_id":"r","expect_accounts":1.5}"#, 400),
        ("content-type: application/json\r\n", r#"{"robot_id":"r","expect_accounts":-1}"#, 400),
        ("content-type: application/json\r\n", &large, 413),
        ("content-type: Application/JSON; charset=utf-8\r\n", robot, 202),
        ("content-type: application/json\r\n", r#"{"robot_id":"r2","expect_accounts":10.0}"#, 202),
    ] {
        let answer = post("/v1/pulls", headers, body);
        assert_eq!(answer.0, expected, "{headers}{body:.40}: {}", answer.2);
        is_ours(headers, &answer);
    }
    // The same where nothing reads the body.
    assert_eq!(post("/v1/quarantine/retry", "content-type: text/plain\r\n", "x").0, 415);
    assert_eq!(post("/v1/quarantine/retry", "content-type: application/json\r\n", &large).0, 413);
    assert_eq!(post("/v1/quarantine/retry", "", "").0, 200);
    let chunks = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let head = "POST /v1/pulls HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunks}");
    assert_eq!(raw(&served, &chunked).0, 413);
    let broken = format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n");
    let answer = raw(&served, &broken);
    assert_eq!(answer.0, 400);

    let known = "/v1/pulls/m";
    for (line, expected) in [
        ("GET /nowhere".to_owned(), 404),
        ("GET /v1/pulls/%ff".to_owned(), 400),
        (format!("GET {known}/accounts?partial=maybe"), 400),
        (format!("GET {known}/accounts?partial=true&partial=false"), 400),
        (format!("GET {known}/accounts?format=xml"), 400),
        ("GET /v1/pulls?progress=1".to_owned(), 400),
        ("GET /v1/pulls?robot_id=r1".to_owned(), 400),
        (format!("GET {known}?robot=r1"), 400),
        (format!("DELETE {known}?robot=r1"), 400),
        (format!("DELETE {known}?purge=yes"), 400),
        (format!("POST {known}/resume?mark=m"), 400),
        (format!("GET {known}/events?x"), 400),
        (format!("GET {known}/notes?partial=true"), 400),
        (format!("GET {known}/accounts?format=csv&robots=r1"), 400),
        ("POST /v1/pulls?robot_id=r1".to_owned(), 400),
        ("POST /v1/journal/check?fast=true".to_owned(), 400),
        ("GET /v1/quarantine?robot_id=r1".to_owned(), 400),
        ("POST /v1/quarantine/retry?item=00".to_owned(), 400),
        ("GET /v1/quarantine/00?raw=true".to_owned(), 400),
        ("POST /v1/quarantine/00/release?all=true".to_owned(), 400),
        // An item is named whole: never by its beginning, and never by nothing.
        ("POST /v1/quarantine//release".to_owned(), 404),
        ("GET /v1/quarantine/".to_owned(), 404),
        (format!("GET {known}/accounts"), 404),
        (format!("GET {known}/notes"), 404),
        ("GET /v1/quarantine/00".to_owned(), 404),
        ("POST /v1/quarantine/00/release".to_owned(), 404),
        ("PUT /v1/pulls".to_owned(), 405),
        ("OPTIONS /v1/pulls".to_owned(), 405),
        ("TRACE /healthz".to_owned(), 405),
        ("POST /openapi.json".to_owned(), 405),
        ("GET /v1/quarantine/retry".to_owned(), 405),
        (format!("PATCH {known}"), 405),
    ] {
        let answer = bare(&served, &line, &["host: localhost"]);
        assert_eq!(answer.0, expected, "{line}: {}", answer.2);
        is_ours(&line, &answer);
        assert_eq!(answer.1.contains("\r\nallow: "), expected == 405, "{line}: {}", answer.1);
    }
    let (status, head, body) = bare(&served, "HEAD /nowhere", &["host: localhost"]);
    assert_eq!((status, body.as_str()), (404, ""));
    assert!(head.contains("content-type: application/json"));
}

#[test]
fn further_hosts_come_from_each_source_and_are_checked_at_start() {
    let stage = stage();
    let answers =
        |served: &Served, host: &str| bare(served, "GET /v1/pulls", &[&format!("host: {host}")]).0;
    let flags = ["--control-host", "one.example", "--control-host", "192.0.2.1,[2001:db8::1]"];
    let mut command = Served::command(&stage, &flags);
    command.env("QOPEN_CONTROL_HOST", "two.example");
    let served = Served::spawn(command);
    for (host, expected) in [
        ("one.example:443", 200),
        ("192.0.2.1", 200),
        ("[2001:db8::1]:9", 200),
        ("localhost", 200),
        ("two.example", 421),
        ("a.one.example", 421),
    ] {
        assert_eq!(answers(&served, host), expected, "{host}");
    }
    drop(served);
    let settings = stage.folder.path().join("qopen.toml");
    std::fs::write(&settings, "control_host = \"three.example\"\n").unwrap();
    let served = Served::new(&stage, &[], None);
    assert_eq!((answers(&served, "three.example"), answers(&served, "two.example")), (200, 421));
    drop(served);
    let mut command = Served::command(&stage, &[]);
    command.env("QOPEN_CONTROL_HOST", "two.example, TWO.example.");
    let served = Served::spawn(command);
    assert_eq!((answers(&served, "three.example"), answers(&served, "two.example")), (421, 200));
    drop(served);
    std::fs::remove_file(settings).unwrap();
    for wrong in ["one.example,", "one.example, ,two.example"] {
        let mut command = Served::command(&stage, &[]);
        let output = command.env("QOPEN_CONTROL_HOST", wrong).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.contains("entry 2 is empty") && said.contains("QOPEN_CONTROL_HOST"), "{said}");
    }

    for wrong in ["http://one.example", "one.example:80", "*", "a b", "one.example,,", "ä.example"]
    {
        let mut command = Served::command(&stage, &["--control-host", wrong]);
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.contains("(from --control-host)") && said.contains("example: "), "{said}");
    }
}

#[tokio::test]
async fn a_token_that_could_be_guessed_or_not_be_sent_is_refused_at_start() {
    let stage = stage();
    for (wrong, what) in [
        ("short-canary", "12 characters, and needs at least 16"),
        ("canary canary canary", "it has a space inside"),
        ("canary-canary-canary\u{e9}", "not visible ASCII"),
        ("canary-canary\u{7}canary", "inside, as character 14"),
    ] {
        let mut command = Served::command(&stage, &[]);
        let output = command.env("QOPEN_CONTROL_TOKEN", wrong).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(what) && said.contains("QOPEN_CONTROL_TOKEN"), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    let served = Served::new(&stage, &[], Some("sixteen+/=~chars"));
    assert_eq!(served.get("/v1/pulls").await.status(), 401);
    let request = served.http.get(format!("{}/v1/pulls", served.control));
    let answer = request.bearer_auth("sixteen+/=~chars").send().await.unwrap();
    assert_eq!(crate::served::json_of(answer).await, json!({ "pulls": [] }));
}
