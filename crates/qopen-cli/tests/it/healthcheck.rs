//! `qopen healthcheck`, as a container runtime runs it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use qopen_simulator::Schedule;

use crate::served::Served;
use crate::support::{Stage, qopen, text};

/// The exit code, and the line before the one that leads to the explanation of a failure.
fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    let said = format!("{out}{error}");
    let said = said.replace("  more: qopen explain unexpected\n", "");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(output.status.success(), error.is_empty(), "{said}");
    (output.status.code(), said)
}

fn healthcheck(folder: &Path, control: &str) -> Command {
    let mut command = qopen(folder, &["healthcheck", "--timeout", "300ms"]);
    // It needs no certificates.
    command.env("SSL_CERT_FILE", "/nowhere").env("QOPEN_CONTROL", control);
    command
}

fn check(folder: &Path, control: &str) -> (Option<i32>, String) {
    outcome(&mut healthcheck(folder, control))
}

/// Listens, and answers each request with this text.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_service_is_found_by_its_settings_and_with_tls_and_a_token() {
    let stage = Stage::new(&Schedule::default());
    let folder = stage.folder.path();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let served = Served::new(&stage, &tls, Some("canary-control-token"));
    let port = served.control.rsplit_once(':').unwrap().1.to_owned();
    // Every address of the machine, a port that the service chose, and a line of the settings file.
    let ready = format!("ready: the service on 127.0.0.1:{port} answers\n");
    for control in [&format!("127.0.0.1:{port}"), &format!("0.0.0.0:{port}"), "127.0.0.1:0"] {
        assert_eq!(check(folder, control), (Some(0), ready.clone()));
    }
    let config = folder.join("other.toml");
    std::fs::write(&config, format!("control = \"127.0.0.1:{port}\"\n")).unwrap();
    let mut command = qopen(folder, &["healthcheck", "--config", "other.toml"]);
    assert_eq!(outcome(&mut command), (Some(0), ready));

    assert_eq!(served.stop().code(), Some(0));
    let (code, said) = check(folder, &format!("127.0.0.1:{port}"));
    assert_eq!(code, Some(1));
    assert!(said.starts_with("qopen: not ready: no service listens on 127.0.0.1:"), "{said}");
    let (code, said) = check(folder, "127.0.0.1:0");
    assert_eq!(code, Some(1));
    assert!(said.contains("give QOPEN_CONTROL a port"), "{said}");
}

#[test]
fn a_service_that_is_not_ready_fails_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let stopping =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\n\r\n{\"error\":\"stopping\"}";
    let (code, said) = check(folder.path(), &answering(stopping));
    assert_eq!(code, Some(1));
    assert!(said.ends_with("/readyz answered 503 Service Unavailable: stopping\n"), "{said}");
    let other = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    let (code, said) = check(folder.path(), &answering(other));
    assert_eq!((code, said.contains("answered 302 Found")), (Some(1), true), "{said}");
    let (code, said) = check(folder.path(), &answering("no HTTP\r\n\r\n"));
    assert_eq!((code, said.contains("failed")), (Some(1), true), "{said}");

    // It listens, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = check(folder.path(), &silent.local_addr().unwrap().to_string());
    assert_eq!(code, Some(1));
    assert!(said.contains("did not answer within 300 ms"), "{said}");

    // Settings that cannot be used have the same code: 2 means something else to Docker.
    std::fs::write(folder.path().join("qopen.toml"), "control = \"x\"\n").unwrap();
    let (env, file) =
        (("QOPEN_CONTROL", "QOPEN_CONTROL='"), ("`control` in qopen.toml", "control = \""));
    for (control, (from, example)) in [("127.0.0.1:80800", env), ("", file), (" ", env)] {
        let output = healthcheck(folder.path(), control).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{said}");
        let begin = format!("qopen: the control listener (from {from}) cannot be used: ");
        assert!(said.starts_with(&begin), "{said}");
        assert!(said.contains(&format!("\n  example: {example}127.0.0.1:8081")), "{said}");
        assert!(said.ends_with("\n  more: qopen explain setting-wrong\n"), "{said}");
    }
}

#[test]
fn whether_a_service_is_ready_is_said_in_chinese_too() {
    let folder = tempfile::tempdir().unwrap();
    let said = |answer, code| {
        let mut command = healthcheck(folder.path(), &answering(answer));
        let output = command.env("QOPEN_LANG", "zh").output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        text(&output.stdout) + &text(&output.stderr)
    };
    let ready = said("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0);
    assert!(
        ready.starts_with("就绪：127.0.0.1:") && ready.ends_with(" 上的服务有应答\n"),
        "{ready}"
    );
    let stopping =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\n\r\n{\"error\":\"stopping\"}";
    let stopping = said(stopping, 1);
    let end = "/readyz 应答 503 Service Unavailable：stopping\n  更多：qopen explain unexpected\n";
    assert!(
        stopping.starts_with("qopen: 未就绪：http://") && stopping.ends_with(end),
        "{stopping}"
    );
    // A setting that cannot be used, with its example.
    let mut command = healthcheck(folder.path(), "127.0.0.1:80800");
    let output = command.env("QOPEN_LANG", "zh").output().unwrap();
    let wrong = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{wrong}");
    assert!(wrong.contains("控制监听地址（来自 QOPEN_CONTROL）无法使用"), "{wrong}");
    assert!(wrong.contains("\n  示例：QOPEN_CONTROL='127.0.0.1:8081'\n"), "{wrong}");
}
