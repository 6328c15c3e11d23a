//! A service with many pulls in its journal: its start, the list of pulls, and received pages.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::journal::{
    Backend, DiskBackend, EndState, Evidence, Note, PageRecord, Payload, PullId, Started, Store,
};
use qopen_postgres::testing::Server;
use tokio::task::JoinSet;

use crate::Result;
use crate::http_client;
use crate::measure::millis;
use crate::pages::Template;
use crate::pull::{PAGE_SIZE, answers_to, binary, free_port, spawn, start_platform, usage_of};
use crate::report::Table;
use crate::scratch::Scratch;

/// Pulls in the journal on disk, and in PostgreSQL.
const ON_DISK: [usize; 3] = [100, 10_000, 100_000];
const IN_POSTGRES: [usize; 2] = [100, 10_000];

/// Robots of the pulls.
const ROBOTS: usize = 500;

/// Accounts of a kept page.
const ACCOUNTS: usize = 5;

/// Requests of one kind.
const ASKED: usize = 15;

/// Pages that are received.
const RECEIVED: usize = 400;

/// The most time until the service listens, or a list is complete.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run() -> Result<()> {
    let title = format!(
        "A service with many pulls in its journal, and {RECEIVED} received pages of {PAGE_SIZE} customers, one after the other"
    );
    let columns = [
        "journal",
        "pulls",
        "until it listens, ms",
        "first list of pulls, ms",
        "list of pulls p50, ms",
        "list, KB",
        "100 pulls p50, ms",
        "one pull p50, ms",
        "answer p50, ms",
        "p99, ms",
        "longest, ms",
        "peak RSS, MiB",
    ];
    let mut table = Table::new("served", title, &columns);
    let runtime = tokio::runtime::Runtime::new()?;
    for pulls in ON_DISK {
        let folder = Scratch::new("served")?;
        let data = folder.path().join("data");
        runtime.block_on(fill(&DiskBackend::new(&data), pulls))?;
        let data = data.to_str().ok_or("no text")?;
        table.row(serve("on disk", pulls, &folder, ("QOPEN_DATA_DIR", data))?);
    }
    if let Some(server) = Server::start() {
        for pulls in IN_POSTGRES {
            let folder = Scratch::new("served")?;
            let url = runtime.block_on(server.create(&format!("served_{pulls}")))?;
            runtime.block_on(fill(&*qopen::backend(&url)?, pulls))?;
            table.row(serve("PostgreSQL", pulls, &folder, ("QOPEN_JOURNAL", &url))?);
        }
    }
    table.finish()
}

/// Adds published pulls to a journal.
async fn fill(backend: &dyn Backend, pulls: usize) -> Result<()> {
    backend.migrate().await?;
    let journal = backend.open().await?.journal;
    let mut work = JoinSet::new();
    for number in 0..pulls {
        if work.len() >= 64 {
            work.join_next().await.transpose()?.transpose()?;
        }
        work.spawn(finished(Arc::clone(&journal), number));
    }
    while let Some(done) = work.join_next().await {
        done??;
    }
    // No worker needs to look at them.
    let worker = qopen::journal::WorkerId::new("bench");
    loop {
        let claims = journal.claim(&worker, PATIENCE, 1_000).await?;
        if claims.is_empty() {
            return Ok(());
        }
        for claim in &claims {
            journal.complete(claim).await?;
        }
    }
}

/// Adds a pull of a page, whose list was published.
async fn finished(journal: Arc<dyn Store>, number: usize) -> Result<(), String> {
    let (pull, notes, page) = parts_of(number).map_err(|error| error.to_string())?;
    journal.append(page).await.map_err(|error| error.to_string())?;
    for note in notes {
        journal.note(&pull, note).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn parts_of(number: usize) -> Result<(PullId, [Note; 4], PageRecord)> {
    let robot = format!("robot-{}", number % ROBOTS);
    let location = format!("lists/{robot}.jsonl");
    let pull = PullId { robot_id: robot.parse()?, mark_id: format!("mark-{number}").parse()? };
    let second = Duration::from_secs(1);
    let started = Note::Started(Started::new(second, second, second));
    let accepted = Note::Accepted { serial_no: Some(number.to_string()) };
    let text = Template::new(ACCOUNTS, &pull.robot_id, &pull.mark_id)?.text(0, true)?;
    let page = PageRecord::new(pull.clone(), Payload::new(text));
    let mut evidence = Evidence::default();
    evidence.quiet_ms = Some(3_000);
    let (accounts, pages) = (ACCOUNTS as u64, 1);
    let ended = Note::Ended {
        status: EndState::Complete,
        why: "complete: last page + quiet 3 s".to_owned(),
        accounts,
        pages,
        evidence: Some(evidence.clone()),
        reason: None,
    };
    let published = Note::Published {
        revision: 1,
        accounts,
        pages,
        location,
        set_aside: 0,
        changes: None,
        compared: None,
        evidence: Some(evidence),
    };
    Ok((pull, [started, accepted, ended, published], page))
}

/// Runs a service on a journal. Returns its row.
fn serve(name: &str, pulls: usize, folder: &Scratch, journal: (&str, &str)) -> Result<Vec<String>> {
    let [listen, control] = [free_port()?, free_port()?].map(|it| format!("127.0.0.1:{it}"));
    let callback = format!("http://{listen}/callback");
    let (_platform, base_url) = start_platform(&callback, RECEIVED * PAGE_SIZE, 1)?;
    std::fs::create_dir(folder.path().join("lists"))?;
    let mut command = binary(folder.path(), &base_url, &listen)?;
    command
        .args(["serve", "--out", "lists", "--settle", "1s", "--control", &control])
        .env(journal.0, journal.1)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let mut serving = spawn(command)?;
    let api = format!("http://{control}");
    while http_client::get(&format!("{api}/healthz")).is_err() {
        if let Some(status) = serving.0.try_wait()? {
            return Err(format!("the service ended with {status}").into());
        }
        if begun.elapsed() > PATIENCE {
            return Err("the service does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let listens = begun.elapsed();
    let (list, one) = (format!("{api}/v1/pulls"), format!("{api}/v1/pulls/mark-7"));
    let [first, ..] = asked(&list, 1)?.0;
    let ([whole, ..], bytes) = asked(&list, ASKED)?;
    let ([part, ..], _) = asked(&format!("{list}?limit=100"), ASKED)?;
    let ([single, ..], _) = asked(&one, ASKED)?;
    let mark = r#"{"robot_id":"robot-0","mark_id":"received"}"#;
    http_client::post(&list, mark)?;
    let begun = Instant::now();
    loop {
        let answer = http_client::get(&format!("{list}/received"))?;
        let pull: serde_json::Value = serde_json::from_slice(&answer)?;
        if pull["output"].is_string() {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("the received list is not published: {pull}").into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let peak = usage_of(serving.0.id()).map_or_else(String::new, |it| it.peak_mib());
    let own = [name.to_owned(), pulls.to_string()];
    let listens = format!("{:.0}", listens.as_secs_f64() * 1e3);
    let asked = [listens, first, whole, format!("{:.0}", bytes as f64 / 1e3), part, single];
    Ok(own.into_iter().chain(asked).chain(answers_to(&base_url)?).chain([peak]).collect())
}

/// Asks for a path some times. Returns the times in milliseconds, and the bytes of the body.
fn asked(url: &str, times: usize) -> Result<([String; 3], usize)> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for _ in 0..times {
        let begun = Instant::now();
        bytes = http_client::get(url)?.len();
        taken.push(begun.elapsed());
    }
    Ok((millis(&mut taken), bytes))
}
