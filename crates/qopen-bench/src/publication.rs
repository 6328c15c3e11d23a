//! Publication: from the journal to a place of lists.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use qopen::mysql::MysqlSink;
use qopen::postgres::PostgresSink;
use qopen::sink::{FileSink, Format, ListKind, Sink};
use qopen::sqlite::SqliteSink;
use qopen::{PulledList, Replay, publish};
use qopen_mysql::testing::Server as MysqlServer;
use qopen_postgres::testing::Server;

use crate::Result;
use crate::measure::Spread;
use crate::pages::Template;
use crate::pull::usage_of;
use crate::report::Table;
use crate::scratch::Scratch;

/// Accounts of a page.
const ACCOUNTS: usize = 100;
/// Customers of a list, unless the command line has another number.
const CUSTOMERS: usize = 100_000;
const ROUNDS: usize = 5;

/// A place of lists.
struct Place {
    name: &'static str,
    /// Makes an empty place in a folder, for this round.
    empty: Empty,
    /// The file in the folder that is copied for comparison.
    copied: &'static str,
}

type Empty = Box<dyn Fn(&Path, usize) -> Result<Arc<dyn Sink>>>;

impl Place {
    fn new<S: Sink + 'static>(
        name: &'static str,
        copied: &'static str,
        empty: impl Fn(PathBuf, usize) -> Result<S> + 'static,
    ) -> Self {
        let empty =
            move |folder: &Path, round| Ok(Arc::new(empty(folder.join(copied), round)?) as _);
        Self { name, empty: Box::new(empty), copied }
    }
}

/// The file that is copied for a list in a server.
const JSONL: &str = "list.jsonl";

/// Every place, or the files of these names. The first one writes the file that is copied for servers.
fn places(files: &[&str]) -> Vec<Place> {
    let file = |format| move |path: PathBuf, _| Ok(FileSink::new(path, format));
    let mut places = vec![
        Place::new("JSONL", JSONL, file(Format::Jsonl)),
        Place::new("CSV", "list.csv", file(Format::Csv)),
        Place::new("XLSX", "list.xlsx", file(Format::Xlsx)),
        Place::new("SQLite", "list.db", |path, _| Ok(SqliteSink::new(path))),
    ];
    if !files.is_empty() {
        places.retain(|place| files.contains(&place.name));
        return places;
    }
    if let Some(server) = Server::start() {
        places.push(Place::new("PostgreSQL", JSONL, move |_, round| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let url = runtime.block_on(server.create(&format!("publication_{round}")))?;
            let sink = PostgresSink::new(&url)?;
            sink.migrate()?;
            Ok(sink)
        }));
    }
    // Commits wait for the disk, as by default.
    if let Some(server) = MysqlServer::start_with(&["--innodb-flush-log-at-trx-commit=1"]) {
        places.push(Place::new("MySQL or MariaDB", JSONL, move |_, round| {
            let _ = server.query(&format!("CREATE DATABASE publication_{round}"));
            Ok(MysqlSink::new(&server.url_of(&format!("publication_{round}")))?)
        }));
    }
    places
}

/// What one publication took.
struct Taken {
    seconds: f64,
    /// CPU seconds of this process, which is not a server's.
    cpu: f64,
    /// MiB of memory beyond those before.
    memory: Option<f64>,
}

/// Measures a list of [`CUSTOMERS`].
pub(crate) fn run() -> Result<()> {
    run_with(CUSTOMERS, &[])
}

/// Measures a list of about this many customers: a first one, and one with 1 % of the customers changed. With names,
/// only these kinds of files.
pub(crate) fn run_with(customers: usize, files: &[&str]) -> Result<()> {
    let pages = customers.div_ceil(ACCOUNTS).max(1);
    let customers = pages * ACCOUNTS;
    let (first, bytes) = list("mark", pages, |page| page)?;
    let (changed, _) = list("later", pages, |page| page.replace("渠道", "其他渠道"))?;
    let places = places(files);
    let (mut copies, mut firsts, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for _ in &places {
        copies.push(Vec::new());
        firsts.push(Vec::new());
        later.push(Vec::new());
    }
    for round in 0..ROUNDS {
        let folder = Scratch::new("publication")?;
        for (n, place) in places.iter().enumerate() {
            let sink = (place.empty)(folder.path(), round)?;
            firsts[n].push(measured(&first, customers, Arc::clone(&sink))?);
            let file = folder.path().join(place.copied);
            copies[n].push(copy(&file, &folder.path().join("copy"))?);
            later[n].push(measured(&changed, customers, sink)?);
        }
    }
    let title = format!(
        "Publication of {customers} customers, {:.0} MB of pages, from the journal in memory to a synced file or a server",
        bytes as f64 / 1e6
    );
    let columns = [
        "list",
        "s, min–median–max",
        "CPU, s",
        "customers/s",
        "file copied, read, write, sync",
        "÷ copying it",
        "memory of the publication, MiB",
    ];
    let mut table = Table::new("publication", title, &columns);
    for (n, place) in places.iter().enumerate() {
        let copied = Spread::of(copies[n].clone()).median;
        for (list, taken) in [("first", &firsts[n]), ("1 % changed", &later[n])] {
            let of = |figure: fn(&Taken) -> f64| Spread::of(taken.iter().map(figure).collect());
            let seconds = of(|it| it.seconds);
            let memory = of(|it| it.memory.unwrap_or(f64::NAN)).max;
            table.row([
                format!("{}, {list}", place.name),
                format!("{:.2}–{:.2}–{:.2}", seconds.min, seconds.median, seconds.max),
                format!("{:.2}", of(|it| it.cpu).median),
                format!("{:.0}", customers as f64 / seconds.median),
                format!("{} in {copied:.2} s", place.copied),
                format!("{:.1}", seconds.median / copied),
                format!("{memory:.0}"),
            ]);
        }
    }
    table.finish()
}

/// A pulled list of this number of pages, and the bytes of its pages. One page of 100 is edited.
fn list(mark: &str, pages: usize, edit: impl Fn(String) -> String) -> Result<(PulledList, usize)> {
    let template = Template::new(ACCOUNTS, &"robot".parse()?, &mark.parse()?)?;
    let (mut replay, mut bytes) = (Replay::default(), 0);
    for number in 0..pages {
        let page = template.text(number, number + 1 == pages)?;
        let page = if number % 100 == 0 { edit(page) } else { page };
        bytes += page.len();
        replay.add(page.into_bytes())?;
    }
    Ok((replay.finish()?.into_iter().next().ok_or("no list")?.list, bytes))
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

/// Publishes a list of this number of accounts.
fn measured(list: &PulledList, accounts: usize, sink: Arc<dyn Sink>) -> Result<Taken> {
    let before = memory_now();
    // The peak begins anew.
    let is_anew = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let cpu = || usage_of(std::process::id());
    let spent = cpu().map_or(0.0, |it| it.cpu.as_secs_f64());
    let seconds = published_to(list, accounts, sink)?;
    let after = cpu().ok_or("/proc is not mounted")?;
    let memory = before.filter(|_| is_anew);
    let memory = memory.map(|it| after.peak.saturating_sub(it) as f64 / f64::from(1 << 20));
    Ok(Taken { seconds, cpu: after.cpu.as_secs_f64() - spent, memory })
}

/// Bytes of memory that this process has.
fn memory_now() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let now = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = now.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
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
