//! The targets' seeds: the known-answer vectors, the simulator's pages, and a journal.

use qopen_journal::{Journal as _, Layer, Note, PageRecord, Payload, Quarantined, Started};
use qopen_simulator::{Dataset, Schedule};
use qopen_types::MarkId;
use serde_json::Value;

use crate::{envelope, journal, receiver};

/// A seed's name and its bytes.
pub type Seed = (String, Vec<u8>);

/// The seeds of a target; empty for an unknown target.
#[must_use]
pub fn of(target: &str) -> Vec<Seed> {
    match target {
        "assembler" => assembler(),
        "envelope" => [envelopes(), payloads()].concat(),
        "journal" => journals(),
        "payload" => payloads(),
        "receiver" => [envelopes().into_iter().map(request).collect(), payloads()].concat(),
        "vendor_page" => {
            let page = include_str!("../../../xtask/src/spec_diff/fixtures/page.txt");
            vec![("page".to_owned(), page.into())]
        }
        _ => Vec::new(),
    }
}

fn request((name, body): Seed) -> Seed {
    (name, receiver::request(&body))
}

/// Bytes that decode to many different operations.
fn assembler() -> Vec<Seed> {
    let bytes = |step: usize| (0..4096).map(|at: usize| (at * step % 251) as u8).collect();
    [7, 89, 137, 211].map(|step| (format!("step-{step}"), bytes(step))).into()
}

fn envelopes() -> Vec<Seed> {
    let vectors = include_str!("../../qopen-callback/vectors/envelopes.json");
    let vectors: Value = serde_json::from_str(vectors).expect("the vectors are JSON");
    let cases = vectors["cases"].as_array().expect("they are a list");
    // Long bodies are slow, and those that differ only in what they encrypt are alike here.
    let case = |case: &Value| {
        let name = case["name"].as_str().filter(|it| !it.contains("padding"))?;
        let body = case["body"].as_str().filter(|it| it.len() < 4096)?;
        Some((format!("vector-{name}"), body.into()))
    };
    let mut all: Vec<Seed> = cases.iter().filter_map(case).collect();
    for (name, payload) in payloads() {
        let payload = String::from_utf8(payload).expect("payloads are text");
        let sealed = envelope::ring_of("another").seal(&payload, "nonce", 1_700_000_000);
        let sealed = serde_json::to_vec(&sealed).expect("an envelope is JSON");
        all.push((format!("sealed-{name}"), sealed));
    }
    all
}

/// The simulator's payloads: compact, with spaces, and with escapes; and a few odd ones.
fn payloads() -> Vec<Seed> {
    let schedule =
        Schedule { accounts: 6, page_size: 3, broken_accounts: 1, ..Schedule::default() };
    let robot = "robot".parse().expect("it is an identifier");
    let mark: MarkId = "mark".parse().expect("it is an identifier");
    let mut all = Vec::new();
    for (at, page) in Dataset::new(&schedule, &robot, true).pages(&mark).iter().enumerate() {
        let compact = page.payload.clone();
        let value: Value = serde_json::from_str(&compact).expect("pages are JSON");
        let spaced = serde_json::to_string_pretty(&value).expect("it was JSON");
        let escaped = compact.replace('a', "\\u0061").replace('/', "\\/");
        all.push((format!("page-{at}"), compact.into_bytes()));
        all.push((format!("page-{at}-spaced"), spaced.into_bytes()));
        all.push((format!("page-{at}-escaped"), escaped.into_bytes()));
    }
    let odd = [
        r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"robot","data":null}"#,
        r#"{"event_type":42016,"robot_id":"robot","data":{"has_more":0,"mark_id":1,"account_list":null}}"#,
        r#"{"event_type":"chat.msg","data":[1,-0,1e9,true,null,"\ud83d\ude00"]}"#,
    ];
    let odd = odd.iter().enumerate();
    all.extend(odd.map(|(at, text)| (format!("odd-{at}"), text.as_bytes().to_vec())));
    all
}

/// A journal that was closed in order, and one after a crash.
fn journals() -> Vec<Seed> {
    let folder = journal::folder();
    let kept = journal::open(folder.path()).expect("a new journal");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let second = std::time::Duration::from_secs(1);
        let started = Note::Started(Started::new(second, second, second));
        kept.note(&journal::pull(), started).await.expect("it is kept");
        for (_, payload) in payloads() {
            let page = PageRecord::new(journal::pull(), Payload::new(payload));
            kept.append(page).await.expect("it is kept");
        }
        let odd = Quarantined::new(None, Layer::Shape, "not an object", Payload::new("[]"));
        kept.quarantine(odd).await.expect("it is kept");
    });
    let crashed = std::fs::read(journal::file(folder.path())).expect("its file");
    drop(kept);
    let closed = std::fs::read(journal::file(folder.path())).expect("its file");
    vec![("closed".to_owned(), closed), ("crashed".to_owned(), crashed)]
}
