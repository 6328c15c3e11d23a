//! A journal of your own: in an SQLite file, checked by the conformance suite, and then used for a pull from a simulated
//! platform that loses and repeats callbacks. `cargo run -p qopen --example sqlite_journal`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

mod journal;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qopen::assembler::Timing;
use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::Sender;
use qopen::journal::conformance::{CASES, check_durable};
use qopen::journal::{Journal as _, Maintenance as _};
use qopen::sink::{FileSink, Format};
use qopen::{Client, Pull, PullRequest};
use qopen_simulator::{Chance, Dataset, Schedule, Simulator, SimulatorConfig};
use tokio::net::TcpListener;

use journal::SqliteJournal;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn ring() -> Result<Keyring> {
    let keys = CallbackKeys::new("token", &"0123456789abcdef0123456789abcdef".into())?;
    Ok(Keyring::new("app", keys))
}

/// A client with that journal, whose callbacks come to the socket.
async fn client(
    journal: Arc<SqliteJournal>,
    platform: &str,
    socket: TcpListener,
) -> Result<Client> {
    let sender = Sender::builder(platform).app_credentials("app", "secret").build()?;
    let timing = Timing::default().settle(Duration::from_secs(1));
    let client = Client::builder(sender, ring()?).journal(journal).timing(timing).build()?;
    let callbacks = client.callback_router();
    tokio::spawn(async move { axum::serve(socket, callbacks).await });
    Ok(client)
}

/// Pulls a list, publishes it, and looks for both in the journal when it is opened again.
async fn pull(folder: &Path) -> Result<usize> {
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let mut schedule = Schedule::default();
    (schedule.accounts, schedule.page_size) = (300, 20);
    (schedule.shuffle, schedule.last_page_first) = (true, true);
    (schedule.duplicates, schedule.lost_acks) = (Chance::new(30), Chance::new(30));
    let simulator = Simulator::start(SimulatorConfig {
        listen: "127.0.0.1:0".parse()?,
        callback_url: format!("http://{}/callback", socket.local_addr()?),
        app_secret: "secret".into(),
        ring: ring()?,
        schedule: schedule.clone(),
    })
    .await?;
    let path = folder.join("pulls.db");
    let journal = Arc::new(SqliteJournal::open(&path)?);
    let client = client(Arc::clone(&journal), &simulator.base_url(), socket).await?;
    let robot = "robot".parse()?;
    let pull: Pull = client.pull(PullRequest::new("robot".parse()?)).await?;
    let id = pull.id().clone();
    let outcome = pull.outcome().await?;
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    let list = folder.join("customers.jsonl");
    outcome.publish(Arc::new(FileSink::new(&list, Format::Jsonl))).await?;

    let written = std::fs::read_to_string(list)?;
    let ids = written.lines().map(|line| {
        let record: serde_json::Value = serde_json::from_str(line)?;
        Ok(record["account_id"].as_str().unwrap_or_default().to_owned())
    });
    let ids: Vec<String> = ids.collect::<Result<_>>()?;
    let expected = Dataset::new(&schedule, &robot, false).expected();
    assert!(ids.iter().eq(expected.keys()), "the list has every customer once");

    let state = journal.pull(&id).await?.ok_or("the journal has no such pull")?;
    assert!(state.pages == 15 && state.is_complete() && state.published().is_some(), "{state:?}");
    assert!(journal.check().await?.damage.is_empty());
    Ok(ids.len())
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    check_durable(async |case| {
        SqliteJournal::open(folder.path().join(case.name()).with_extension("db"))
    })
    .await;
    println!("{} cases of the conformance suite hold, and again after opening", CASES.len());
    println!("{} customers pulled, each once", pull(folder.path()).await?);
    Ok(())
}
