//! Whole pulls by the binary, from a platform in another process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::http_client;
use crate::pages::{AES_KEY, APP_KEY, TOKEN};
use crate::platform::{self, Lists};
use crate::report::Table;
use crate::scratch::{Running, Scratch};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// The sizes of the long bench. The last one needs about 30 GB of disk: the journal, the sorted pieces of the list,
/// and the list.
const LONG_SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// Robots that are pulled at once, and the pages of each.
const ROBOTS: [usize; 4] = [1, 10, 100, 1_000];
const PAGES: usize = 20;

pub(crate) const PAGE_SIZE: usize = 100;
const SETTLE: Duration = Duration::from_secs(1);

/// Connections of the platform: for one list, and for many.
const CONNECTIONS: usize = 8;
const MORE_CONNECTIONS: usize = 64;

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    wall: Duration,
    pub(crate) cpu: Duration,
    /// Peak of memory, in bytes.
    pub(crate) peak: u64,
}

impl Usage {
    /// The time without the quiet at the end, in seconds.
    fn work(&self) -> f64 {
        self.wall.saturating_sub(SETTLE).as_secs_f64()
    }

    pub(crate) fn peak_mib(&self) -> String {
        format!("{:.0}", self.peak as f64 / f64::from(1 << 20))
    }
}

/// A pull that has ended.
struct Pulled {
    usage: Usage,
    /// Bytes of the list.
    list: u64,
    /// The times of the callbacks' answers in milliseconds, as text: median, 99th percentile and maximum.
    answers: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    sizes("pull", &SIZES)
}

/// As [`run`], up to a list that takes minutes and much room.
pub(crate) fn run_long() -> Result<()> {
    sizes("growth", &LONG_SIZES)
}

fn sizes(name: &'static str, sizes: &[usize]) -> Result<()> {
    let most = sizes.iter().max().copied().unwrap_or_default();
    let title = format!(
        "A whole pull of up to {most} customers with the binary: request, receive, journal, settle, publish as JSONL"
    );
    let columns = [
        "customers",
        "wall − settle, s",
        "customers/s",
        "CPU, s",
        "CPU, µs a customer",
        "peak RSS, MiB",
        "list, MB",
    ];
    let mut table = Table::new(name, title, &columns);
    for &accounts in sizes {
        let Pulled { usage, list, .. } = pull(1, accounts, CONNECTIONS)?;
        table.row([
            accounts.to_string(),
            format!("{:.2}", usage.work()),
            format!("{:.0}", accounts as f64 / usage.work()),
            format!("{:.2}", usage.cpu.as_secs_f64()),
            format!("{:.2}", usage.cpu.as_secs_f64() * 1e6 / accounts as f64),
            usage.peak_mib(),
            format!("{:.0}", list as f64 / 1e6),
        ]);
    }
    table.finish()
}

/// Pulls of many robots at once, by one process.
pub(crate) fn run_robots() -> Result<()> {
    let title = format!(
        "Pulls of many robots at once with the binary, {PAGES} pages of {PAGE_SIZE} customers each, {MORE_CONNECTIONS} connections"
    );
    let columns = [
        "robots",
        "wall − settle, s",
        "CPU, s",
        "CPU, µs a page",
        "peak RSS, MiB",
        "answer p50, ms",
        "p99, ms",
        "longest, ms",
    ];
    let mut table = Table::new("robots", title, &columns);
    for robots in ROBOTS {
        let Pulled { usage, answers, .. } = pull(robots, PAGES * PAGE_SIZE, MORE_CONNECTIONS)?;
        let own = [
            robots.to_string(),
            format!("{:.2}", usage.work()),
            format!("{:.2}", usage.cpu.as_secs_f64()),
            format!("{:.0}", usage.cpu.as_secs_f64() * 1e6 / (robots * PAGES) as f64),
            usage.peak_mib(),
        ];
        table.row(own.into_iter().chain(answers));
    }
    table.finish()
}

/// Runs the platform until the process is killed.
pub(crate) fn platform(arguments: &[&str]) -> Result<()> {
    let [callback, accounts, page_size, connections] = arguments else {
        return Err("platform CALLBACK ACCOUNTS PAGE_SIZE CONNECTIONS".into());
    };
    platform::run(Lists {
        callback: (*callback).to_owned(),
        accounts: accounts.parse()?,
        page_size: page_size.parse()?,
        connections: connections.parse()?,
    })
}

/// Starts the platform in a process of its own. Returns it with its URL.
pub(crate) fn start_platform(
    callback: &str,
    accounts: usize,
    connections: usize,
) -> Result<(Running, String)> {
    let numbers = [accounts, PAGE_SIZE, connections].map(|it| it.to_string());
    let mut platform = Command::new(std::env::current_exe()?);
    platform.args(["platform", callback]).args(numbers).stdout(Stdio::piped());
    let mut platform = Running(platform.spawn()?);
    let mut said = BufReader::new(platform.0.stdout.take().ok_or("no standard output")?);
    let mut base_url = String::new();
    said.read_line(&mut base_url)?;
    Ok((platform, base_url.trim().to_owned()))
}

/// The times of the answers to a platform.
pub(crate) fn answers_to(base_url: &str) -> Result<Vec<String>> {
    let answers = http_client::get(&format!("{base_url}/answers"))?;
    Ok(String::from_utf8(answers)?.split(' ').map(str::to_owned).collect())
}

/// The binary with the settings of a bench, in a folder.
pub(crate) fn binary(folder: &Path, base_url: &str, listen: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?.with_file_name("qopen"));
    command
        .current_dir(folder)
        .env("QOPEN_BASE_URL", base_url)
        .env("QOPEN_LISTEN", listen)
        .env("QOPEN_APP_KEY", APP_KEY)
        .env("QOPEN_APP_SECRET", "secret")
        .env("QOPEN_CALLBACK_TOKEN", TOKEN)
        .env("QOPEN_ENCODING_AES_KEY", AES_KEY);
    Ok(command)
}

/// Starts the binary.
pub(crate) fn spawn(mut command: Command) -> Result<Running> {
    let spawned = command.spawn().map_err(|error| {
        let program = command.get_program().display();
        format!("{program}: {error}; `cargo xtask bench` builds it")
    });
    Ok(Running(spawned?))
}

/// Pulls the lists of robots, each with `accounts` customers.
fn pull(robots: usize, accounts: usize, connections: usize) -> Result<Pulled> {
    let folder = Scratch::new("pull")?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let callback = format!("http://{listen}/callback");
    let (_platform, base_url) = start_platform(&callback, accounts, connections)?;
    let mut names = std::fs::File::create(folder.path().join("robots"))?;
    for robot in 0..robots {
        writeln!(names, "robot-{robot}")?;
    }
    let settle = format!("{}s", SETTLE.as_secs());
    let mut command = binary(folder.path(), &base_url, &listen)?;
    command
        .args(["pull", "--robots-file", "robots", "--out", "list", "--json"])
        .args(["--settle", &settle])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let begun = Instant::now();
    let mut pulling = spawn(command)?;
    let lines = BufReader::new(pulling.0.stdout.take().ok_or("no standard output")?).lines();
    let pulled = std::thread::spawn(move || {
        let objects = lines
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
        objects.filter(|it| it["type"] == "summary").filter_map(|it| it["accounts"].as_u64()).sum()
    });
    let mut usage = Usage::default();
    let status = loop {
        // /proc shows the usage only while the process exists.
        if let Some(seen) = usage_of(pulling.0.id()) {
            usage = Usage { peak: seen.peak.max(usage.peak), cpu: seen.cpu, ..usage };
        }
        match pulling.0.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    usage.wall = begun.elapsed();
    let pulled: u64 = pulled.join().map_err(|_| "the reader of the summaries panicked")?;
    if !status.success() || pulled != (robots * accounts) as u64 {
        return Err(format!("the pull ended with {status} and {pulled} customers").into());
    }
    let list = folder.path().join("list").metadata()?.len();
    Ok(Pulled { usage, list, answers: answers_to(&base_url)? })
}

/// Reads /proc; `None` if the system has none, or the process has ended.
pub(crate) fn usage_of(process: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak: u64 = peak.split_whitespace().next()?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name is in brackets and may contain anything. User and system time are the 12th and 13th
    // fields after it, in hundredths of a second.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Usage { wall: Duration::ZERO, cpu: Duration::from_millis(ticks * 10), peak: peak << 10 })
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
