//! Traces: what a collector receives, and what one that fails costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use qopen_simulator::Schedule;
use tokio::net::TcpListener;

use crate::served::{Served, expected};
use crate::support::{Stage, free_port, ids, text};

/// A field of a message in the wire format of protobuf.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return number;
        }
    }
}

/// The fields of a message, each with its number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let taken = match key & 7 {
            0 => {
                fields.push((key >> 3, Field::Number(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (taken, rest) = bytes.split_at(taken);
        fields.push((key >> 3, Field::Bytes(taken)));
        bytes = rest;
    }
    fields
}

/// The messages or texts of a field.
fn of(message: &[u8], number: u64) -> Vec<&[u8]> {
    let wanted = fields(message).into_iter().filter(|(it, _)| *it == number);
    let bytes = wanted.filter_map(|(_, field)| match field {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    });
    bytes.collect()
}

/// The attributes of a field, as text.
fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let attributes = of(message, number).into_iter().map(|attribute| {
        let key = text(of(attribute, 1)[0]);
        let value = match &fields(of(attribute, 2)[0])[0] {
            (1, Field::Bytes(value)) => text(value),
            (3, Field::Number(value)) => value.to_string(),
            (number, _) => format!("a value of kind {number}"),
        };
        (key, value)
    });
    attributes.collect()
}

#[derive(Clone, Debug)]
struct Span {
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: BTreeMap<String, String>,
    service: String,
}

/// The spans of a request of `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in of(body, 1) {
        let service = attributes(of(resource_spans, 1)[0], 1)["service.name"].clone();
        for span in of(resource_spans, 2).into_iter().flat_map(|it| of(it, 2)) {
            let bytes = |number| of(span, number).first().map_or_else(Vec::new, |it| it.to_vec());
            spans.push(Span {
                name: text(&bytes(5)),
                trace: bytes(1),
                id: bytes(2),
                parent: bytes(4),
                attributes: attributes(span, 9),
                service: service.clone(),
            });
        }
    }
    spans
}

/// What a collector does with each request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Accept,
    Fail,
    Hang,
}

type Bodies = Arc<Mutex<Vec<Bytes>>>;

/// A collector on loopback, and the bodies that it received.
async fn collector(does: Does) -> (String, Bodies) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Bodies::default();
    let keep =
        async move |State(bodies): State<Bodies>, uri: Uri, headers: HeaderMap, body: Bytes| {
            assert_eq!(uri.path(), "/v1/traces");
            assert_eq!(headers["content-type"], "application/x-protobuf");
            bodies.lock().unwrap().push(body);
            match does {
                Does::Accept => StatusCode::OK,
                Does::Fail => StatusCode::NOT_FOUND,
                // Longer than any test waits.
                Does::Hang => std::future::pending().await,
            }
        };
    let router = Router::new().fallback(keep).with_state(Arc::clone(&bodies));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, bodies)
}

fn schedule() -> Schedule {
    Schedule { accounts: 30, page_size: 10, ..Schedule::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_the_spans_of_a_pull() {
    let (url, bodies) = collector(Does::Accept).await;
    let stage = Stage::new(&schedule());
    let mut pull = stage.pull(&["--robot", "r1", "--out", "list"]);
    pull.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("OTEL_SERVICE_NAME", "lists");
    // Nothing here needs certificates.
    pull.env("SSL_CERT_FILE", "none").env("SSL_CERT_DIR", "none");
    let output = tokio::task::spawn_blocking(move || pull.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let bodies = bodies.lock().unwrap().clone();
    let all: Vec<Span> = bodies.iter().flat_map(|it| spans(it)).collect();
    let named: BTreeMap<&str, &Span> = all.iter().map(|it| (&*it.name, it)).collect();
    let names: BTreeSet<&str> = named.keys().copied().collect();
    assert_eq!(names, ["pull", "publish", "receive", "request", "settle"].into());
    assert_eq!(all.len(), names.len(), "{all:?}");
    let pull = named["pull"];
    for span in &all {
        assert_eq!((&span.trace, &*span.service), (&pull.trace, "lists"), "{span:?}");
        let parent: &[u8] = if span.name == "pull" { &[] } else { &pull.id };
        assert_eq!(span.parent, parent, "{span:?}");
    }
    let attributes = |span: &str, wanted: &[(&str, &str)]| {
        for (name, value) in wanted {
            assert_eq!(named[span].attributes[*name], *value, "{span} {name}");
        }
    };
    attributes("pull", &[("robot_id", "r1"), ("outcome", "complete"), ("accounts", "30")]);
    attributes("request", &[("outcome", "accepted")]);
    // The last page may overtake another one, which comes while the list settles.
    let received: u64 = named["receive"].attributes["pages"].parse().unwrap();
    assert!((1..=3).contains(&received), "{received}");
    attributes("settle", &[("pages", "3")]);
    attributes("publish", &[("outcome", "published"), ("kind", "complete"), ("pages", "3")]);
    // The simulated customers are `<robot>-…`, and the settings have canaries.
    for body in &bodies {
        let body = String::from_utf8_lossy(body);
        assert!(!body.contains("canary") && !body.contains(&expected(&schedule(), "r1")[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_fails_is_named_once_and_costs_no_list() {
    let dead = format!("http://user:canary-password@127.0.0.1:{}", free_port());
    let (failing, _) = collector(Does::Fail).await;
    let (hanging, _) = collector(Does::Hang).await;
    for (url, why) in
        [(&dead, Some("cannot be sent")), (&failing, Some("HTTP status 404")), (&hanging, None)]
    {
        let stage = Stage::new(&schedule());
        let mut pull = stage.pull(&["--robot", "r1", "--out", "list"]);
        pull.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        // No batch may wait for the end, and no request for its time limit.
        pull.env("OTEL_BSP_SCHEDULE_DELAY", "50").env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
        let began = Instant::now();
        let output = tokio::task::spawn_blocking(move || pull.output().unwrap()).await.unwrap();
        let said = text(&output.stderr);
        assert!(output.status.success(), "{url}: {said}");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(ids(&stage.read("list")), expected(&schedule(), "r1"));
        let times = said.matches("traces cannot be sent").count();
        assert_eq!(times, usize::from(why.is_some()), "{url}: {said}");
        assert!(why.is_none_or(|why| said.contains(why)) && !said.contains("canary"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_sends_spans_while_it_runs_and_stops_in_time_without_a_collector() {
    let (url, bodies) = collector(Does::Accept).await;
    let stage = Stage::new(&schedule());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut command = Served::command(&stage, &["--out", "lists"]);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{url}/v1/traces"));
    command.env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let served = Served::spawn(command);
    served.published("r1").await;
    let began = Instant::now();
    loop {
        let received = bodies.lock().unwrap().clone();
        if let Some(pull) = received.iter().flat_map(|it| spans(it)).find(|it| it.name == "pull") {
            assert_eq!((&*pull.service, &*pull.attributes["outcome"]), ("qopen", "complete"));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(served.stop().success());

    let (url, bodies) = collector(Does::Hang).await;
    let mut command = Served::command(&stage, &["--out", "lists"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let served = Served::spawn(command);
    served.published("r1").await;
    while bodies.lock().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stopping = Instant::now();
    assert!(served.stop().success());
    assert!(stopping.elapsed() < Duration::from_secs(20), "{:?}", stopping.elapsed());
}

#[test]
fn settings_of_a_collector_that_cannot_be_used_end_the_command_without_their_values() {
    let stage = Stage::new(&schedule());
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@[::"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ] {
        let mut pull = stage.pull(&["--robot", "r1", "--out", "list"]);
        pull.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "");
        pull.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").env(name, value);
        let output = pull.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && !said.contains("canary"), "{said}");
    }
}
