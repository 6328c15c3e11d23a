//! The journal in PostgreSQL, compared with the journal on disk and with plain inserts; and the
//! time from the last page to the published list. Needs the server's programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qopen::assembler::Timing;
use qopen::http::Sender;
use qopen::journal::{Backend, DiskBackend, PageRecord, Payload, PullId, Store};
use qopen::postgres::PostgresSink;
use qopen::sink::{FileSink, Format, ListKind, Sink};
use qopen::{Client, Worker, WorkerOptions, publish};
use qopen_postgres::testing::Server;
use tokio_postgres::{Client as Connection, NoTls};

use crate::Result;
use crate::journal::{PRODUCERS, add_rows, records};
use crate::measure::Spread;
use crate::pages::{Template, ring};
use crate::report::Table;
use crate::scratch::Scratch;

const ROUNDS: usize = 5;

/// Quiet that completes a list.
const SETTLE: Duration = Duration::from_millis(300);

const LISTS: usize = 100;
const PAGES: usize = 20;

pub(crate) fn run() -> Result<()> {
    let Some(server) = Server::start() else { return Ok(()) };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(appends(&server))?;
    runtime.block_on(lists(&server))
}

/// The second part of [`run`].
pub(crate) fn run_lists() -> Result<()> {
    let Some(server) = Server::start() else { return Ok(()) };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(lists(&server))
}

/// An empty journal: a database or a folder of its own.
async fn fresh(server: &Server, name: &str) -> Result<Arc<dyn Store>> {
    let backend = qopen::backend(&server.create(name).await?)?;
    backend.migrate().await?;
    Ok(backend.open().await?.journal)
}

async fn appends(server: &Server) -> Result<()> {
    let title = format!(
        "Durable appends to PostgreSQL on this machine, {PRODUCERS} producers at once, each waiting for its own"
    );
    let columns = ["page", "log", "appends/s, min–median–max", "MB/s of pages", "÷ raw INSERT"];
    let mut table = Table::new("postgres", title, &columns);
    for (accounts, count) in [(11, 6_000), (114, 2_000)] {
        let pages: Arc<Vec<PageRecord>> = Arc::new(records(accounts, count)?);
        let (mut raw, mut shared, mut disk) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            raw.push(inserts(server, &pages).await?);
            let journal = fresh(server, &format!("journal_{accounts}_{round}")).await?;
            shared.push(produced(&pages, journal).await?);
            let folder = Scratch::new("journal")?;
            let journal = DiskBackend::new(folder.path()).open().await?.journal;
            disk.push(produced(&pages, journal).await?);
        }
        let (raw, shared, disk) = (Spread::of(raw), Spread::of(shared), Spread::of(disk));
        let logs = [
            ("raw INSERT, a connection each", raw),
            ("journal in PostgreSQL", shared),
            ("journal on disk", disk),
        ];
        add_rows(&mut table, &pages, &logs);
    }
    table.finish()
}

/// Runs every producer to its end; returns appends a second.
async fn produced(pages: &Arc<Vec<PageRecord>>, journal: Arc<dyn Store>) -> Result<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let (pages, journal, next) =
                (Arc::clone(pages), Arc::clone(&journal), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    journal.append(page.clone()).await?;
                }
                Ok::<_, qopen::journal::JournalError>(())
            })
        })
        .collect();
    for producer in producers {
        producer.await??;
    }
    Ok(pages.len() as f64 / begun.elapsed().as_secs_f64())
}

/// The same bytes by the plainest statement: a row, a commit, a connection for each producer.
async fn inserts(server: &Server, pages: &Arc<Vec<PageRecord>>) -> Result<f64> {
    let url = server.url();
    let table = "DROP TABLE IF EXISTS raw;
         CREATE TABLE raw (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL);
         ALTER TABLE raw ALTER COLUMN payload SET STORAGE EXTERNAL";
    connect(&url).await?.batch_execute(table).await?;
    let mut clients = Vec::new();
    for _ in 0..PRODUCERS {
        let client = connect(&url).await?;
        let insert = client.prepare("INSERT INTO raw (payload) VALUES ($1)").await?;
        clients.push((client, insert));
    }
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let producers: Vec<_> = clients
        .into_iter()
        .map(|(client, insert)| {
            let (pages, next) = (Arc::clone(pages), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    client.execute(&insert, &[&page.payload.text().as_str()]).await?;
                }
                Ok::<_, tokio_postgres::Error>(())
            })
        })
        .collect();
    for producer in producers {
        producer.await??;
    }
    Ok(pages.len() as f64 / begun.elapsed().as_secs_f64())
}

/// A connection without the journal, to the server on this machine.
pub(crate) async fn connect(url: &str) -> Result<Connection> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Time from the answer to the last page's append to the published list.
async fn lists(server: &Server) -> Result<()> {
    let title = format!(
        "From the last page's answer to the published list, less the {} ms of quiet; {LISTS} lists of {PAGES} pages of 100, one after the other",
        SETTLE.as_millis()
    );
    let columns = ["journal and list", "p50, ms", "p99, ms"];
    let mut table = Table::new("lists", title, &columns);
    let url = server.create("lists").await?;
    let shared = qopen::backend(&url)?;
    shared.migrate().await?;
    let sink = PostgresSink::new(&url)?;
    sink.check()?;
    let folder = Scratch::new("lists")?;
    let file = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let disk: Arc<dyn Backend> = Arc::new(DiskBackend::new(folder.path().join("journal")));
    for (name, backend, sink) in [
        ("on disk, JSONL", disk, Arc::new(file) as Arc<dyn Sink>),
        ("PostgreSQL, one database", shared, Arc::new(sink) as _),
    ] {
        let mut times = published(backend.open().await?.journal, sink).await?;
        times.sort();
        let at = |n: usize| times.get(n).map_or(0.0, |it| it.as_secs_f64() * 1e3);
        table.row([
            name.to_owned(),
            format!("{:.0}", at(times.len() / 2)),
            format!("{:.0}", at(times.len() * 99 / 100)),
        ]);
    }
    table.finish()
}

async fn published(journal: Arc<dyn Store>, sink: Arc<dyn Sink>) -> Result<Vec<Duration>> {
    let sender = Sender::builder("http://127.0.0.1:9").access_token("none").build()?;
    let client = Client::builder(sender, ring()?)
        .journal(Arc::clone(&journal) as _)
        .timing(Timing::default().settle(SETTLE))
        .build()?;
    let worker =
        Worker::start(client.engine(), Arc::clone(&journal) as _, WorkerOptions::default());
    let mut times = Vec::new();
    for number in 0..LISTS {
        let (robot_id, mark_id) = ("robot".parse()?, format!("mark-{number}").parse()?);
        let template = Template::new(100, &robot_id, &mark_id)?;
        let pull = PullId { robot_id, mark_id };
        // An external pull: any worker publishes the pages that any receiver keeps.
        for page in 0..PAGES {
            let text = template.text(page, page + 1 == PAGES)?;
            journal.append(PageRecord::new(pull.clone(), Payload::new(text))).await?;
        }
        let answered = Instant::now();
        let claimed = loop {
            let claimed = worker.claimed().await.ok_or("the worker has stopped")?;
            if *claimed.id() == pull {
                break claimed;
            }
            // A late look found pages of a list that is published.
            claimed.complete().await?;
        };
        let outcome = claimed.resume().await?.outcome().await?;
        publish(vec![outcome.list], Arc::clone(&sink), ListKind::Complete).await?;
        times.push(answered.elapsed().saturating_sub(SETTLE));
        claimed.complete().await?;
    }
    Ok(times)
}
