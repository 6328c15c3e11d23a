//! The journal on disk, compared with the least cost of any log on that disk.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use qopen::journal::{DiskJournal, Journal as _, PageRecord, Payload, PullId};
use qopen::types::{MarkId, RobotId};

use crate::Result;
use crate::measure::Spread;
use crate::pages::Template;
use crate::report::Table;
use crate::scratch::Scratch;

pub(crate) const PRODUCERS: usize = 32;
const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let title = format!("Durable appends, {PRODUCERS} producers at once, each waiting for its own");
    let columns = ["page", "log", "appends/s, min–median–max", "MB/s of pages", "÷ growing file"];
    let mut table = Table::new("journal", title, &columns);
    for (accounts, pages) in [(1, 20_000), (10, 10_000), (100, 4_000)] {
        let pages = records(accounts, pages)?;
        let (mut raw, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            raw.push(growing_file(&pages)?);
            ours.push(journal(&pages)?);
        }
        let (raw, ours) = (Spread::of(raw), Spread::of(ours));
        add_rows(&mut table, &pages, &[("growing file, group commit", raw), ("journal", ours)]);
    }
    table.finish()
}

/// A row for each log; the first is the base of the ratios.
pub(crate) fn add_rows(table: &mut Table, pages: &[PageRecord], logs: &[(&str, Spread)]) {
    let size = pages.first().map_or(0, |it| it.payload.len()) as f64;
    let first = logs.first().map_or(f64::NAN, |(_, it)| it.median);
    for (name, it) in logs {
        table.row([
            format!("{:.1} KB", size / 1e3),
            (*name).to_owned(),
            format!("{:.0}–{:.0}–{:.0}", it.min, it.median, it.max),
            format!("{:.0}", it.median * size / 1e6),
            format!("{:.2}", it.median / first),
        ]);
    }
}

pub(crate) fn records(accounts: usize, pages: usize) -> Result<Vec<PageRecord>> {
    let (robot_id, mark_id): (RobotId, MarkId) = ("robot".parse()?, "mark".parse()?);
    let template = Template::new(accounts, &robot_id, &mark_id)?;
    let pull = PullId { robot_id, mark_id };
    let record = |number| {
        let text = template.text(number, false)?;
        Ok(PageRecord::new(pull.clone(), Payload::new(text)))
    };
    (0..pages).map(record).collect()
}

/// Runs every producer to its end; returns appends a second.
fn produced(
    pages: &[PageRecord],
    append: impl Fn(&PageRecord) -> Result<()> + Sync,
) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let produce = || {
            while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                append(page).map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        };
        let threads: Vec<_> = (0..PRODUCERS).map(|_| scope.spawn(produce)).collect();
        threads.into_iter().try_for_each(|it| it.join().map_err(|_| "a producer panicked")?)
    })?;
    Ok(pages.len() as f64 / begun.elapsed().as_secs_f64())
}

fn journal(pages: &[PageRecord]) -> Result<f64> {
    let folder = Scratch::new("journal")?;
    let journal = DiskJournal::open(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let handle = runtime.handle();
    produced(pages, |page| Ok(handle.block_on(journal.append(page.clone())).map(drop)?))
}

/// The least that a journal must do: one thread writes all waiting pages and syncs once.
fn growing_file(pages: &[PageRecord]) -> Result<f64> {
    type Job = (Arc<[u8]>, mpsc::SyncSender<bool>);
    let folder = Scratch::new("file")?;
    let mut file = File::create(folder.path().join("log"))?;
    let (jobs, queue) = mpsc::channel::<Job>();
    let writer = std::thread::spawn(move || {
        while let Ok(first) = queue.recv() {
            let batch: Vec<Job> = std::iter::once(first).chain(queue.try_iter()).collect();
            let bytes: Vec<u8> = batch.iter().flat_map(|it| it.0.iter().copied()).collect();
            let done = file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok();
            for (_, reply) in batch {
                // The producer may have failed and ended.
                let _ = reply.send(done);
            }
        }
    });
    let rate = produced(pages, |page| {
        let (reply, answer) = mpsc::sync_channel(1);
        jobs.send((page.payload.as_bytes().into(), reply))?;
        if answer.recv()? { Ok(()) } else { Err("the file was not written".into()) }
    });
    drop(jobs);
    writer.join().map_err(|_| "the writer panicked")?;
    rate
}
