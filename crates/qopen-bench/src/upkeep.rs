//! Work that grows with a journal and must not slow it: compaction beside appends, looks at a long
//! history, and revisions of a long list.

use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::assembler::Timing;
use qopen::http::Sender;
use qopen::journal::{
    Backend as _, DiskBackend, DiskJournal, Journal as _, Maintenance as _, Note, Outbox as _,
    PageRecord, Payload, PullId, Started, Store, WorkerId,
};
use qopen::sink::{FileSink, Format, ListKind};
use qopen::{Client, Worker, WorkerOptions, publish};
use qopen_postgres::testing::Server;
use tokio_postgres::Client as Connection;

use crate::Result;
use crate::measure::millis;
use crate::pages::{Template, ring};
use crate::postgres::connect;
use crate::report::Table;
use crate::scratch::Scratch;

/// Pages of the long history.
const HISTORY: usize = 3_000_000;

const LOOKS: usize = 300;

/// Customers of the revised list, a hundred a page.
const CUSTOMERS: usize = 300_000;

const LATE: usize = 30;

pub(crate) fn run() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(compaction())?;
    runtime.block_on(revisions())?;
    let Some(server) = Server::start() else { return Ok(()) };
    runtime.block_on(looks(&server))
}

fn pull(mark: &str) -> Result<PullId> {
    Ok(PullId { robot_id: "robot".parse()?, mark_id: mark.parse()? })
}

/// The first appends after a restart, while forgotten pages are compacted, compared with the same
/// appends when nothing is compacted.
async fn compaction() -> Result<()> {
    let title = "Appends to a journal of 2 GB that was just opened, one after the other: half of its pages were forgotten, a third of its records were events";
    let columns = ["meanwhile", "appends", "p50, ms", "p99, ms", "longest, ms"];
    let mut table = Table::new("compaction", title.to_owned(), &columns);
    let folder = Scratch::new("compaction")?;
    let journal = Arc::new(DiskJournal::open(folder.path())?);
    let (kept, gone) = (pull("kept")?, pull("gone")?);
    let template = Template::new(160, &kept.robot_id, &kept.mark_id)?;
    // Packing makes them a third: stored bytes count.
    let mut number = 0;
    while journal.stats().bytes < 2 << 30 {
        let mut batch = tokio::task::JoinSet::new();
        for _ in 0..32 {
            number += 1;
            let journal = Arc::clone(&journal);
            let pull = if number % 2 == 0 { kept.clone() } else { gone.clone() };
            let text = template.text(number, false)?;
            batch.spawn(async move {
                if number % 3 == 0 {
                    let event = Payload::new(text);
                    journal.put(event.clone()).await?;
                    return journal
                        .ack(&qopen::journal::PendingEvent::new(
                            0,
                            std::time::SystemTime::UNIX_EPOCH,
                            event,
                        ))
                        .await;
                }
                journal.append(PageRecord::new(pull, Payload::new(text))).await.map(drop)
            });
        }
        while let Some(done) = batch.join_next().await {
            done??;
        }
    }
    journal.forget(&gone).await?;
    drop(journal);
    let journal = Arc::new(DiskJournal::open(folder.path())?);
    let compacting = {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move { journal.compact(0).await })
    };
    let mut busy = Vec::new();
    while !compacting.is_finished() {
        number += 1;
        busy.push(append(&journal, &kept, &template, number).await?);
    }
    compacting.await??;
    let mut idle = Vec::new();
    for _ in 0..busy.len() {
        number += 1;
        idle.push(append(&journal, &kept, &template, number).await?);
    }
    for (name, mut times) in [("compaction", busy), ("nothing", idle)] {
        let count = times.len().to_string();
        let [p50, p99, longest] = millis(&mut times);
        table.row([name.to_owned(), count, p50, p99, longest]);
    }
    table.finish()
}

async fn append(
    journal: &DiskJournal,
    pull: &PullId,
    template: &Template,
    number: usize,
) -> Result<Duration> {
    let page = PageRecord::new(pull.clone(), Payload::new(template.text(number, false)?));
    let begun = Instant::now();
    journal.append(page).await?;
    Ok(begun.elapsed())
}

/// A look for new pages, in a database with a long history, and while another client keeps a
/// transaction open.
async fn looks(server: &Server) -> Result<()> {
    let title = format!(
        "A look for what is new, one page at a time; {} million pages of history, all of them kept since another's transaction began",
        HISTORY / 1_000_000
    );
    let columns = ["history", "another's transaction", "p50, ms", "p99, ms", "longest, ms"];
    let mut table = Table::new("looks", title, &columns);
    let url = server.create("looks").await?;
    let backend = qopen::backend(&url)?;
    backend.migrate().await?;
    let journal = backend.open().await?.journal;
    let client = connect(&url).await?;
    let mut other = connect(&url).await?;
    let [p50, p99, longest] = millis(&mut look(&journal, "before").await?);
    table.row(["none".to_owned(), "none".to_owned(), p50, p99, longest]);
    let foreign = other.transaction().await?;
    foreign.execute("SELECT pg_current_xact_id()", &[]).await?;
    history(&client).await?;
    // One claim reports all of it.
    let claims = journal.claim(&WorkerId::new("history"), Duration::from_secs(60), 1000).await?;
    for claim in &claims {
        journal.complete(claim).await?;
    }
    let [p50, p99, longest] = millis(&mut look(&journal, "after").await?);
    table.row([format!("{HISTORY} pages"), "open".to_owned(), p50, p99, longest]);
    foreign.rollback().await?;
    table.finish()
}

/// The pages of a hundred finished pulls.
async fn history(client: &Connection) -> Result<()> {
    let make = format!(
        "INSERT INTO qopen_journal.pull (robot_id, mark_id, pages)
             SELECT 'robot', 'history-' || n, false FROM generate_series(0, 99) AS n;
         INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
             SELECT 'robot', 'history-' || n % 100, decode(md5(n::text), 'hex'), null, 'x'::bytea
             FROM generate_series(1, {HISTORY}) AS n;
         ANALYZE qopen_journal.page"
    );
    Ok(client.batch_execute(&make).await?)
}

async fn look(journal: &Arc<dyn Store>, mark: &str) -> Result<Vec<Duration>> {
    let id = pull(mark)?;
    let second = Duration::from_secs(1);
    journal.note(&id, Note::Started(Started::new(second, second, second))).await?;
    let lease = Duration::from_secs(60);
    let claims = journal.claim(&WorkerId::new("bench"), lease, 1000).await?;
    let claims: Vec<_> = claims.into_iter().filter(|it| it.pull == id).collect();
    let mut times = Vec::new();
    let mut cursor = None;
    for number in 0..LOOKS {
        journal.append(PageRecord::new(id.clone(), Payload::new(format!("page {number}")))).await?;
        let begun = Instant::now();
        journal.renew(&claims, lease).await?;
        let (_, next) = journal.digests_since(&id, cursor.as_ref()).await?;
        times.push(begun.elapsed());
        cursor = next;
    }
    for claim in &claims {
        journal.complete(claim).await?;
    }
    Ok(times)
}

/// Pages that come after a long list is complete, one a second.
async fn revisions() -> Result<()> {
    let title = format!("{LATE} late pages, one a second, on a list of {CUSTOMERS} customers");
    let columns = ["publications", "CPU, s", "CPU of the first publication, s"];
    let mut table = Table::new("revisions", title, &columns);
    let folder = Scratch::new("revisions")?;
    let journal: Arc<dyn Store> =
        DiskBackend::new(folder.path().join("journal")).open().await?.journal;
    let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let sender = Sender::builder("http://127.0.0.1:9").access_token("none").build()?;
    let client = Client::builder(sender, ring()?)
        .journal(Arc::clone(&journal) as _)
        .timing(Timing::default())
        .build()?;
    let id = pull("late")?;
    let template = Template::new(100, &id.robot_id, &id.mark_id)?;
    for number in 0..CUSTOMERS / 100 {
        let text = template.text(number, number + 1 == CUSTOMERS / 100)?;
        journal.append(PageRecord::new(id.clone(), Payload::new(text))).await?;
    }
    let worker =
        Worker::start(client.engine(), Arc::clone(&journal) as _, WorkerOptions::default());
    let late = async {
        // The list comes first.
        while journal.pull(&id).await?.is_none_or(|state| state.published().is_none()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let before = cpu()?;
        for number in 0..LATE {
            let text = template.text(CUSTOMERS / 100 + number, false)?;
            journal.append(PageRecord::new(id.clone(), Payload::new(text))).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        while journal.pull(&id).await?.is_none_or(|state| state.has_newer_pages()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Box<dyn std::error::Error>>(cpu()? - before)
    };
    let first = cpu()?;
    let first_publication = std::sync::Mutex::new(None);
    let work = async {
        while let Some(claimed) = worker.claimed().await {
            let outcome = claimed.resume().await?.outcome().await?;
            outcome.list.settled().await;
            let outcome = outcome.refreshed();
            publish(vec![outcome.list], Arc::clone(&sink) as _, ListKind::Complete).await?;
            let spent = cpu()? - first;
            first_publication.lock().map_err(|_| "poisoned")?.get_or_insert(spent);
            claimed.complete().await?;
        }
        Err::<f64, Box<dyn std::error::Error>>("the worker has stopped".into())
    };
    let spent = tokio::select! {
        spent = late => spent?,
        failed = work => failed?,
    };
    let state = journal.pull(&id).await?.ok_or("the pull is gone")?;
    let published = state.notes.iter().filter(|it| matches!(it.note, Note::Published { .. }));
    let publications = published.count() - 1;
    let first = first_publication.lock().map_err(|_| "poisoned")?.unwrap_or(f64::NAN);
    table.row([publications.to_string(), format!("{spent:.1}"), format!("{first:.1}")]);
    table.finish()
}

/// Processor time of this process, in seconds.
fn cpu() -> Result<f64> {
    let usage =
        crate::pull::usage_of(std::process::id()).ok_or("this system says nothing of it")?;
    Ok(usage.cpu.as_secs_f64())
}
