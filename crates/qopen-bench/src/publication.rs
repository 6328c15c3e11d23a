//! Publication: from the journal to a sink.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use qopen::sink::{FileSink, Format, ListKind, Sink};
use qopen::sqlite::SqliteSink;
use qopen::{PulledList, Replay, publish};

use crate::Result;
use crate::measure::Spread;
use crate::pages::Template;
use crate::report::Table;
use crate::scratch::Scratch;

const PAGES: usize = 1000;
const ACCOUNTS: usize = 100;
const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let template = Template::new(ACCOUNTS, &"robot".parse()?, &"mark".parse()?)?;
    let mut replay = Replay::default();
    let mut bytes = 0;
    for number in 0..PAGES {
        let page = template.text(number, number + 1 == PAGES)?;
        bytes += page.len();
        replay.add(page.into_bytes())?;
    }
    let outcomes = replay.finish()?;
    let list = outcomes.into_iter().next().ok_or("no list")?.list;
    let (mut copied, mut jsonl, mut csv) = (Vec::new(), Vec::new(), Vec::new());
    let (mut copied_rows, mut rows, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = Scratch::new("publication")?;
        let path = folder.path().join("list");
        jsonl.push(published(&list, PAGES * ACCOUNTS, &path, Format::Jsonl)?);
        copied.push(copy(&path, &folder.path().join("copy"))?);
        csv.push(published(&list, PAGES * ACCOUNTS, &path, Format::Csv)?);
        let path = folder.path().join("list.db");
        let to_rows = || published_to(&list, PAGES * ACCOUNTS, Arc::new(SqliteSink::new(&path)));
        rows.push(to_rows()?);
        again.push(to_rows()?);
        copied_rows.push(copy(&path, &folder.path().join("copy"))?);
    }
    let title = format!(
        "Publication of {} customers, {:.0} MB of pages, from the journal in memory to a synced file",
        PAGES * ACCOUNTS,
        bytes as f64 / 1e6
    );
    let columns =
        ["sink", "s, min–median–max", "MB/s of pages", "customers/s", "÷ copying the file"];
    let mut table = Table::new("publication", title, &columns);
    let base = Spread::of(copied.clone()).median;
    let base_of_rows = Spread::of(copied_rows.clone()).median;
    for (name, times, base) in [
        ("copying the file, read, write, sync", copied, base),
        ("JSONL", jsonl, base),
        ("CSV", csv, base),
        ("copying the SQLite file", copied_rows, base_of_rows),
        ("SQLite, first list", rows, base_of_rows),
        ("SQLite, the same list again", again, base_of_rows),
    ] {
        let it = Spread::of(times);
        table.row([
            name.to_owned(),
            format!("{:.2}–{:.2}–{:.2}", it.min, it.median, it.max),
            format!("{:.0}", bytes as f64 / 1e6 / it.median),
            format!("{:.0}", (PAGES * ACCOUNTS) as f64 / it.median),
            format!("{:.1}", it.median / base),
        ]);
    }
    table.finish()
}

/// Publishes a list of this number of accounts to a file. Returns seconds.
pub(crate) fn published(
    list: &PulledList,
    accounts: usize,
    path: &Path,
    format: Format,
) -> Result<f64> {
    published_to(list, accounts, Arc::new(FileSink::new(path, format)))
}

/// Publishes a list of this number of accounts. Returns seconds.
fn published_to(list: &PulledList, accounts: usize, sink: Arc<dyn Sink>) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let published = runtime.block_on(publish(vec![list.clone()], sink, ListKind::Complete))?;
    let seconds = begun.elapsed().as_secs_f64();
    match published.lists[..] {
        [ref it] if it.accounts == accounts as u64 => Ok(seconds),
        _ => Err("the list is not whole".into()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<f64> {
    let begun = Instant::now();
    let mut from = BufReader::with_capacity(1 << 16, File::open(from)?);
    let mut to = BufWriter::with_capacity(1 << 16, File::create(to)?);
    let mut chunk = vec![0; 1 << 16];
    loop {
        match from.read(&mut chunk)? {
            0 => break,
            n => to.write_all(&chunk[..n])?,
        }
    }
    to.into_inner()?.sync_all()?;
    Ok(begun.elapsed().as_secs_f64())
}
