//! Pages a second over loopback HTTP, from a load generator with one request in flight per
//! connection.

use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qopen::assembler::Timing;
use qopen::callback::listener::Listener;
use qopen::http::Sender;
use qopen::journal::DiskJournal;
use qopen::{Client, ClientBuilder};
use tokio::net::TcpListener;

use crate::Result;
use crate::measure::Spread;
use crate::pages::{AES_KEY, TOKEN, Template, ring};
use crate::platform::Connection;
use crate::report::Table;
use crate::scratch::{Running, Scratch};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;

/// Accounts on a page, and pages a round: about half a gigabyte, or two seconds.
const SIZES: [(usize, usize); 3] = [(1, 60_000), (100, 4_000), (1000, 400)];

/// The server that answers the callbacks.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn of(name: &str, program: PathBuf, arguments: Vec<String>) -> Self {
        Self { name: name.to_owned(), program, arguments }
    }

    pub(crate) fn in_memory() -> Result<Self> {
        let this = std::env::current_exe()?;
        Ok(Self::of("qopen, in memory", this, vec!["receiver".into()]))
    }

    pub(crate) fn durable() -> Result<Self> {
        let this = std::env::current_exe()?;
        Ok(Self::of("qopen, durable", this, vec!["receiver".into(), "--durable".into()]))
    }

    /// The cost of reading the body and answering.
    fn floor() -> Result<Self> {
        let this = std::env::current_exe()?;
        Ok(Self::of("axum alone, no work", this, vec!["receiver".into(), "--floor".into()]))
    }
}

pub(crate) fn run() -> Result<()> {
    let pinned = can_pin();
    let title = format!(
        "Pages a second over loopback HTTP/1.1, {CONNECTIONS} connections, every page another one"
    );
    let columns = [
        "accounts",
        "server",
        "cores",
        "pages/s, min–median–max",
        "MB/s",
        "p50, ms",
        "p99, ms",
        "÷ in memory",
    ];
    let mut table = Table::new("http", title, &columns);
    for (accounts, pages) in SIZES {
        let bodies = bodies(accounts, pages)?;
        for one_core in [true, false] {
            if one_core && !pinned {
                continue;
            }
            let servers = [Server::in_memory()?, Server::durable()?, Server::floor()?];
            let measured = measure(&servers, &bodies, one_core)?;
            let first = measured.first().map_or(f64::NAN, |it| it.rate.median);
            for (server, it) in servers.iter().zip(&measured) {
                let cores = if one_core { "1" } else { "2, shared with the load" };
                let mut cells = vec![accounts.to_string(), server.name.clone(), cores.to_owned()];
                cells.extend(it.cells(&bodies));
                cells.push(format!("{:.2}", it.rate.median / first));
                table.row(cells);
            }
        }
    }
    table.finish()
}

/// Different pages of one list, sealed.
pub(crate) fn bodies(accounts: usize, pages: usize) -> Result<Vec<Vec<u8>>> {
    let template = Template::new(accounts, &"robot".parse()?, &"mark".parse()?)?;
    let ring = ring()?;
    (0..pages).map(|number| template.page(number, false, &ring)).collect()
}

pub(crate) struct Measured {
    pub(crate) rate: Spread,
    p50: Duration,
    p99: Duration,
}

impl Measured {
    pub(crate) fn cells(&self, bodies: &[Vec<u8>]) -> [String; 4] {
        let Spread { min, median, max } = self.rate;
        let megabytes = bodies.first().map_or(0, Vec::len) as f64 * median / 1e6;
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let rate = format!("{min:.0}–{median:.0}–{max:.0}");
        [rate, format!("{megabytes:.0}"), ms(self.p50), ms(self.p99)]
    }
}

/// Runs the servers in turn, round by round, each time in a new process.
pub(crate) fn measure(
    servers: &[Server],
    bodies: &[Vec<u8>],
    one_core: bool,
) -> Result<Vec<Measured>> {
    let mut rates = vec![Vec::new(); servers.len()];
    let mut times = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for (n, server) in servers.iter().enumerate() {
            let (rate, mut latencies) = round(server, bodies, one_core)?;
            rates[n].push(rate);
            times[n].append(&mut latencies);
        }
    }
    let measured = rates.into_iter().zip(times).map(|(rates, mut times)| {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied();
        let (p50, p99) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
        Measured { rate: Spread::of(rates), p50, p99 }
    });
    Ok(measured.collect())
}

fn round(server: &Server, bodies: &[Vec<u8>], one_core: bool) -> Result<(f64, Vec<Duration>)> {
    started(server, one_core)?.load(bodies)
}

/// A listening server, and its folder.
pub(crate) struct Started {
    pub(crate) process: Running,
    url: String,
    _folder: Scratch,
}

impl Started {
    /// Posts every body once; returns pages a second and each page's time.
    pub(crate) fn load(&self, bodies: &[Vec<u8>]) -> Result<(f64, Vec<Duration>)> {
        load(self.url.trim(), bodies)
    }
}

pub(crate) fn started(server: &Server, one_core: bool) -> Result<Started> {
    let folder = Scratch::new("http")?;
    let mut command = match one_core {
        true => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(&server.program);
            command
        }
        false => Command::new(&server.program),
    };
    command.args(&server.arguments).stdout(Stdio::piped());
    command.env("BENCH_FOLDER", folder.path());
    command.env("BENCH_TOKEN", TOKEN).env("BENCH_AES_KEY", AES_KEY);
    let mut process = Running(command.spawn()?);
    let mut said = BufReader::new(process.0.stdout.take().ok_or("no standard output")?);
    let mut url = String::new();
    said.read_line(&mut url)?;
    Ok(Started { process, url, _folder: folder })
}

fn load(url: &str, bodies: &[Vec<u8>]) -> Result<(f64, Vec<Duration>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = AtomicUsize::new(0);
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(connected(url).await?);
        }
        let begun = Instant::now();
        let sending = connections.into_iter().map(|mut connection| {
            let next = &next;
            async move {
                let mut times = Vec::new();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    connection.post(body).await?;
                    times.push(sent.elapsed());
                }
                Ok::<_, Box<dyn std::error::Error>>(times)
            }
        });
        let times = futures_util::future::try_join_all(sending).await?;
        let rate = bodies.len() as f64 / begun.elapsed().as_secs_f64();
        Ok((rate, times.concat()))
    })
}

/// A connection, as soon as the server listens.
async fn connected(url: &str) -> Result<Connection> {
    let begun = Instant::now();
    loop {
        match Connection::new(url).await {
            Err(_) if begun.elapsed() < Duration::from_secs(10) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            connected => return connected,
        }
    }
}

/// Whether processes can be pinned to one core.
pub(crate) fn can_pin() -> bool {
    let works = Command::new("taskset").args(["-c", "0", "true"]).status();
    let works = works.is_ok_and(|it| it.success());
    if !works {
        eprintln!("bench: no taskset here: nothing is measured on one core");
    }
    works
}

/// Runs the server until the process is killed.
pub(crate) fn receiver(what: Option<&str>) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/callback", listener.local_addr()?);
        if what == Some("--floor") {
            let answer = |body: axum::body::Bytes| async move {
                drop(body);
                "success"
            };
            let limit = axum::extract::DefaultBodyLimit::disable();
            let router = axum::Router::new().fallback(answer).layer(limit);
            axum::serve(listener, router).await?;
            return Ok(());
        }
        let client = client(what == Some("--durable"))?.adopt(true).build()?;
        // As the binary serves it.
        Listener::default().serve(listener, client.callback_router(), pending()).await;
        Ok(())
    })
}

fn client(durable: bool) -> Result<ClientBuilder> {
    let sender = Sender::builder("http://127.0.0.1:9").access_token("token").build()?;
    let hour = Duration::from_secs(3600);
    let timing = Timing::default().settle(hour).idle_timeout(hour).deadline(hour);
    let builder = Client::builder(sender, ring()?).timing(timing);
    if !durable {
        return Ok(builder);
    }
    let folder = std::env::var_os("BENCH_FOLDER").ok_or("BENCH_FOLDER is not set")?;
    let journal = DiskJournal::open(PathBuf::from(folder).join("journal"))?;
    Ok(builder.journal(std::sync::Arc::new(journal)))
}
