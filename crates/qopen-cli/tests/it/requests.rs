//! Where requests and forwarded events go: proxies, redirects, certificates, time-outs and codes.

use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};

use qopen_simulator::Schedule;

use crate::peer::Peer;
use crate::served::Served;
use crate::support::{Stage, free_port, qopen, text, with_settings};

const PULL: [&str; 5] = ["pull", "--robot", "r1", "--out", "list"];
const REFUSED: (&str, &str) =
    ("200 OK", r#"{"errcode":77,"errmsg":"no such robot","hint":"log-7"}"#);

/// A pull by a fixed access token from that gateway.
fn pull(base_url: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_settings(qopen(folder.path(), &[&PULL, arguments].concat()));
    command.env("QOPEN_BASE_URL", base_url).env("QOPEN_LISTEN", "127.0.0.1:0");
    command.env("QOPEN_ACCESS_TOKEN", "canary-token").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(!text(&output.stderr).contains("canary"), "{}", text(&output.stderr));
    output
}

fn said(output: &Output, code: i32) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn a_gateway_that_redirects_is_named_and_the_other_host_sees_nothing() {
    let other = Peer::new(&[REFUSED]);
    let target = other.url.replace("//", "//me:canary@");
    let head = format!("308 Permanent Redirect\r\nlocation: {target}/gateway/x?token=canary");
    let gateway = Peer::new(&[(&head, "")]);
    let said = said(&pull(&gateway.url, &[], &[]), 1);
    assert!(
        said.contains("HTTP status 308 redirects to") && said.contains("/gateway/x;"),
        "{said}"
    );
    assert!(said.contains(&format!("set QOPEN_BASE_URL to {}", other.url)), "{said}");
    assert!(other.heard().is_empty() && gateway.heard().len() == 1);
}

#[test]
fn an_event_is_not_forwarded_to_where_the_listener_redirects() {
    let other = Peer::new(&[("200 OK", "success")]);
    let head = format!("307 Temporary Redirect\r\nlocation: {}/events?key=canary", other.url);
    let listener = Peer::new(&[(&head, "")]);
    let stage = Stage::new(&Schedule { foreign_events: 2, ..Schedule::default() });
    let url = listener.url.replace("//", "//me:canary@");
    let mut command = stage.pull(&["--robot", "r1", "--out", "list"]);
    let output = command.env("QOPEN_FORWARD", &url).output().unwrap();
    let said = said(&output, 0);
    let target = format!("HTTP status 307, which redirects to {}/events;", other.url);
    assert!(said.contains(&target) && !said.contains("canary"), "{said}");
    assert!(other.heard().is_empty());
    // User and password of the URL are sent, as basic authentication: "me:canary".
    let heard = listener.heard();
    assert!(heard.iter().all(|it| it.contains("authorization: Basic bWU6Y2FuYXJ5")), "{heard:?}");
    assert!(!heard.is_empty());
}

#[test]
fn a_base_url_with_a_path_is_shown_and_refused() {
    for url in ["https://gateway.example/gateway/qopen", "https://gateway.example/x/"] {
        let said = said(&pull(url, &[], &[]), 2);
        for words in [url, "from QOPEN_BASE_URL", "QOPEN_BASE_URL is the host alone", "example"] {
            assert!(said.contains(words), "{said}");
        }
    }
    let gateway = Peer::new(&[REFUSED]);
    said(&pull(&format!("{}/", gateway.url), &[], &[]), 5);
}

#[test]
fn the_proxy_is_that_of_the_setting_else_that_of_the_environment() {
    let gateway = Peer::new(&[REFUSED]);
    let away = format!("127.0.0.1:{}", free_port());
    let through = format!("http://me:canary@{away}");
    let fails = |arguments: &[&str], variables: &[(&str, &str)], origin: &str| {
        let said = said(&pull(&gateway.url, arguments, variables), 1);
        assert!(said.contains(&format!("the proxy {away} (from {origin})")), "{said}");
    };
    // An attempt takes no time, and there are four.
    fails(&[], &[("HTTP_PROXY", &through)], "the environment variable HTTP_PROXY");
    let socks = through.replace("http", "socks5h");
    fails(&[], &[("ALL_PROXY", &socks)], "the environment variable ALL_PROXY");
    fails(&[], &[("QOPEN_PROXY", &through), ("NO_PROXY", "*")], "the proxy setting");
    fails(&["--proxy", &away], &[("HTTP_PROXY", &gateway.url)], "the proxy setting");
    assert!(gateway.heard().is_empty());
    // The ways around it.
    said(&pull(&gateway.url, &[], &[("HTTP_PROXY", &through), ("NO_PROXY", "127.0.0.1")]), 5);
    said(&pull(&gateway.url, &[], &[("HTTP_PROXY", &through), ("QOPEN_PROXY", "none")]), 5);
    said(&pull(&gateway.url, &["--proxy", "NONE"], &[("ALL_PROXY", &through)]), 5);
    assert_eq!(gateway.heard().len(), 3);
    // Through a proxy that is there.
    let proxy = Peer::new(&[REFUSED]);
    said(&pull("http://gateway.invalid", &["--proxy", &proxy.url], &[]), 5);
    assert!(proxy.heard()[0].starts_with("POST http://gateway.invalid/gateway/qopen/"));
}

#[test]
fn a_demo_goes_through_no_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let away = format!("http://127.0.0.1:{}", free_port());
    let mut command = qopen(folder.path(), &["demo", "--accounts", "10"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "QOPEN_PROXY"]
    {
        command.env(name, &away);
    }
    said(&command.output().unwrap(), 0);
    // Nor is one that cannot be used of any interest.
    let mut command = qopen(folder.path(), &["demo", "--accounts", "10"]);
    said(&command.env("HTTP_PROXY", "ftp://x").output().unwrap(), 0);
}

#[test]
fn a_setting_of_requests_that_cannot_be_used_is_named_with_its_origin_and_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let rubbish = folder.path().join("rubbish.pem");
    std::fs::write(&rubbish, "canary").unwrap();
    let rubbish = rubbish.to_str().unwrap();
    let forward = ["--forward", "http://127.0.0.1:9/"];
    for (name, value, says) in [
        ("QOPEN_PROXY", "ftp://me:canary@p", "its scheme is not supported"),
        ("QOPEN_PROXY", "http://me:canary@", "cannot be used"),
        ("QOPEN_CA_FILE", "missing.pem", "missing.pem cannot be read"),
        ("QOPEN_CA_FILE", rubbish, "not a PEM certificate"),
        ("QOPEN_REQUEST_TIMEOUT", "3 parsecs", "a duration with a unit"),
        ("QOPEN_REQUEST_TIMEOUT", "0s", "1ms or more"),
        ("QOPEN_REQUEST_TIMEOUT", "-1s", "cannot be negative"),
        ("QOPEN_FORWARD_PROXY", "socks6://me:canary@p", "its scheme is not supported"),
        ("QOPEN_FORWARD_CA_FILE", rubbish, "not a PEM certificate"),
        ("QOPEN_FORWARD_TIMEOUT", "soon", "a duration with a unit"),
        ("QOPEN_FORWARD", "ftp://me:canary@h/x", "must begin with http://"),
        ("QOPEN_FORWARD", "htp://h/hook/canary", "htp://h/…"),
        ("QOPEN_PROXY", "canary://x", "its scheme is not supported"),
    ] {
        let forward = if name == "QOPEN_FORWARD" { &[][..] } else { &forward };
        let said = said(&pull("http://127.0.0.1:9", forward, &[(name, value)]), 2);
        let example = format!("example: {name}='");
        let from = format!("(from {name})");
        assert!(said.contains(says) && said.contains(&from) && said.contains(&example), "{said}");
    }
    let proxy = [("HTTPS_PROXY", "ftp://me:canary@p")];
    let refused = said(&pull("https://127.0.0.1:9", &[], &proxy), 2);
    let example = "example: HTTPS_PROXY='http://proxy.example:3128', or QOPEN_PROXY='none'";
    assert!(refused.contains("variable HTTPS_PROXY") && refused.contains(example), "{refused}");
    // A flag is read by everyone on the machine.
    for url in ["http://me:pass@p:1", "me:pass@p:1"] {
        let said = said(&pull("https://127.0.0.1:9", &["--proxy", url], &[]), 2);
        assert!(said.contains("--proxy") && said.contains("QOPEN_PROXY"), "{said}");
        assert!(!said.contains("pass@"), "{said}");
    }
    for url in ["http://me:pass@h:1/x", "https://:pass@h/"] {
        let said = said(&pull("https://127.0.0.1:9", &["--forward", url], &[]), 2);
        assert!(said.contains("--forward") && said.contains("QOPEN_FORWARD"), "{said}");
        assert!(!said.contains("pass@"), "{said}");
    }
    // One that is no URL is shown without what may be a password; an address in a query is none.
    let other = said(&pull("https://127.0.0.1:9", &["--forward", "http://me:pa/ss@h/"], &[]), 2);
    assert!(other.contains("--forward") && !other.contains("pa/ss"), "{other}");
    let query = ["--forward", "http://h:1/?mail=me@h", "--retry-codes", "busy"];
    assert!(said(&pull("https://127.0.0.1:9", &query, &[]), 2).contains("--retry-codes"));
    for codes in ["busy", "0", "1.5", "", "-1,", "--json"] {
        let said = said(&pull("http://127.0.0.1:9", &["--retry-codes", codes], &[]), 2);
        assert!(said.contains("--retry-codes"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_proxy_variable_that_cannot_be_used_is_an_error_and_not_a_direct_way() {
    use std::os::unix::ffi::OsStrExt as _;
    let gateway = Peer::new(&[REFUSED]);
    let bytes = std::ffi::OsStr::from_bytes(b"http://canary\xFF");
    let folder = tempfile::tempdir().unwrap();
    let away = format!("127.0.0.1:{}", free_port());
    for (variable, others) in [("HTTP_PROXY", None), ("NO_PROXY", Some(("HTTP_PROXY", &away)))] {
        let mut command = with_settings(qopen(folder.path(), &PULL));
        command.env("QOPEN_BASE_URL", &gateway.url).env("QOPEN_LISTEN", "127.0.0.1:0");
        command.env("QOPEN_ACCESS_TOKEN", "t").env(variable, bytes).envs(others);
        let said = said(&command.output().unwrap(), 2);
        let example = format!("example: {variable}='");
        assert!(said.contains("not UTF-8") && said.contains(&example), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    let none = said(&pull(&gateway.url, &[], &[("HTTP_PROXY", "none")]), 2);
    assert!(none.contains("HTTP_PROXY") && none.contains("QOPEN_PROXY='none'"), "{none}");
    assert!(gateway.heard().is_empty());
    // Ways around a proxy, as people write them.
    let port = gateway.url.rsplit_once(':').unwrap().1;
    for list in ["*", "\"*\"", "other.example 127.0.0.1", &format!("127.0.0.1:{port}")] {
        said(&pull(&gateway.url, &[], &[("HTTP_PROXY", &away), ("NO_PROXY", list)]), 5);
    }
    said(&pull(&gateway.url, &[], &[("HTTP_PROXY", &away), ("NO_PROXY", "127.0.0.1:1")]), 1);
}

#[test]
fn doctor_shows_the_proxy_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_settings(qopen(folder.path(), &["doctor"]));
    command.env("QOPEN_BASE_URL", "https://gateway.example").env("QOPEN_LISTEN", "127.0.0.1:0");
    let output =
        command.env("https_proxy", "http://me:canary@proxy.example:3128").output().unwrap();
    let said = text(&output.stdout);
    let names = "the proxy proxy.example:3128 (from the environment variable https_proxy)";
    assert!(said.contains(names) && !said.contains("canary"), "{said}");
    let output = command.env("QOPEN_FORWARD_PROXY", "ftp://canary").output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("FAIL  forwarding:") && !said.contains("canary"), "{said}");
}

#[test]
fn a_busy_gateway_is_asked_again_where_its_codes_are_listed() {
    let busy = ("200 OK", r#"{"errcode":-1,"errmsg":"system busy","hint":"log-1"}"#);
    let gateway = Peer::new(&[busy, busy, REFUSED]);
    let told = said(&pull(&gateway.url, &["--retry-codes", "-1,45009"], &[]), 5);
    assert!(told.contains("(77, hint log-7)"), "{told}");
    let heard = gateway.heard();
    let marks: Vec<_> = heard.iter().map(|it| it.rsplit_once("\r\n\r\n").unwrap().1).collect();
    assert!(marks.len() == 3 && marks.iter().all(|it| *it == marks[0]), "{marks:?}");
    let gateway = Peer::new(&[busy, REFUSED]);
    let told = said(&pull(&gateway.url, &[], &[]), 5);
    assert!(told.contains("(-1, hint log-1)") && gateway.heard().len() == 1, "{told}");
}

#[test]
fn a_code_with_an_error_status_is_shown_and_asked_again_where_it_is_listed() {
    for (head, code) in [("400 Bad Request", "45009"), ("403 Forbidden", "-1")] {
        let body = format!(r#"{{"errcode":{code},"errmsg":"system busy","hint":"log-1"}}"#);
        let gateway = Peer::new(&[(head, &body), REFUSED]);
        let told = said(&pull(&gateway.url, &["--retry-codes", code], &[]), 5);
        assert!(told.contains("(77, hint log-7)") && gateway.heard().len() == 2, "{told}");
        let gateway = Peer::new(&[(head, &body)]);
        let told = said(&pull(&gateway.url, &[], &[]), 5);
        assert!(told.contains(&format!("({code}, hint log-1): system busy")), "{told}");
        assert_eq!(gateway.heard().len(), 1);
    }
}

#[test]
fn a_retry_after_that_cannot_be_used_is_in_the_log() {
    for wait in ["Sun, 06 Nov 1994 08:51:37 GMT", "Sun, 06 Nov 1994 08:51:37 +0000"] {
        let head = format!("429 Too Many Requests\r\nretry-after: {wait}");
        let gateway = Peer::new(&[(&head, ""), REFUSED]);
        let said = said(&pull(&gateway.url, &[], &[("QOPEN_LOG", "debug")]), 5);
        assert!(said.contains("Retry-After cannot be used"), "{said}");
    }
}

#[test]
fn a_gateway_that_asks_for_a_long_wait_is_not_waited_for_and_the_wait_is_said() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:51:37 GMT";
    for head in ["429 Too Many Requests\r\nretry-after: 120", &format!("503 Away\r\n{date}")] {
        let gateway = Peer::new(&[(head, "")]);
        let said = said(&pull(&gateway.url, &[], &[]), 1);
        assert!(said.contains("asked for 120 s, longer than the 45 s"), "{said}");
        assert_eq!(gateway.heard().len(), 1);
    }
}

#[test]
fn an_attempt_takes_as_long_as_its_time_out() {
    // It takes connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let attempts = Arc::<Mutex<Vec<TcpStream>>>::default();
    let held = Arc::clone(&attempts);
    std::thread::spawn(move || {
        silent.incoming().for_each(|it| held.lock().unwrap().push(it.unwrap()));
    });
    let arguments = ["--request-timeout", "200ms", "--idle-timeout", "1s"];
    let output = pull(&url, &arguments, &[]);
    assert!(matches!(output.status.code(), Some(1 | 4)), "{}", text(&output.stderr));
    // The 45 s of the budget have room for three attempts by the default of 15 s.
    assert_eq!(attempts.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn extra_root_certificates_are_trusted_for_requests_and_for_forwarding() {
    // A service with its own certificate plays both peers.
    let peer = Stage::new(&Schedule::default());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |name: &str| peer.folder.path().join(name);
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let served = Served::new(&peer, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"], None);
    let url = peer.listen.replace("127.0.0.1", "https://localhost");
    let cert = path("cert.pem").display().to_string();

    let refused = said(&pull(&url, &["--ca-file", &cert], &[]), 5);
    assert!(refused.contains("HTTP status 404"), "{refused}");
    said(&pull(&url, &[], &[("QOPEN_CA_FILE", &cert)]), 5);
    for others in [&[][..], &[("QOPEN_FORWARD_CA_FILE", &*cert)]] {
        assert!(said(&pull(&url, &[], others), 1).contains("certificate"));
    }

    let stage = Stage::new(&Schedule { foreign_events: 2, ..Schedule::default() });
    let url = url + "/callback";
    let forwarded = |variable: &str| {
        let mut command = stage.pull(&["--robot", "r1", "--out", "list", "--forward", &url]);
        command.env("QOPEN_LOG", "warn").env(variable, &cert);
        said(&command.output().unwrap(), 0)
    };
    let not = forwarded("QOPEN_CA_FILE");
    assert!(not.contains("could not be forwarded") && not.contains("certificate"), "{not}");
    let none = "qopen_callbacks_other_events_total 0\n";
    assert!(served.metrics().await.contains(none));
    let done = forwarded("QOPEN_FORWARD_CA_FILE");
    assert!(!done.contains("could not be forwarded"), "{done}");
    assert!(!served.metrics().await.contains(none));
}
