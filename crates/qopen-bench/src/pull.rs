//! A whole pull by the binary, from a platform in another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::pages::{AES_KEY, APP_KEY, TOKEN};
use crate::platform::{self, List};
use crate::report::Table;
use crate::scratch::{Running, Scratch};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const PAGE_SIZE: usize = 100;
const SETTLE: Duration = Duration::from_secs(1);

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    wall: Duration,
    pub(crate) cpu: Duration,
    /// Peak of memory, in bytes.
    pub(crate) peak: u64,
}

pub(crate) fn run() -> Result<()> {
    let title = "A whole pull with the binary: request, receive, journal, settle, publish as JSONL";
    let columns = [
        "customers",
        "wall − settle, s",
        "customers/s",
        "CPU, s",
        "CPU, µs a customer",
        "peak RSS, MiB",
        "list, MB",
    ];
    let mut table = Table::new("pull", title, &columns);
    for accounts in SIZES {
        let (usage, list) = pull(accounts)?;
        let wall = usage.wall.saturating_sub(SETTLE).as_secs_f64();
        table.row([
            accounts.to_string(),
            format!("{wall:.2}"),
            format!("{:.0}", accounts as f64 / wall),
            format!("{:.2}", usage.cpu.as_secs_f64()),
            format!("{:.2}", usage.cpu.as_secs_f64() * 1e6 / accounts as f64),
            format!("{:.0}", usage.peak as f64 / f64::from(1 << 20)),
            format!("{:.0}", list as f64 / 1e6),
        ]);
    }
    table.finish()
}

/// Runs the platform until the process is killed.
pub(crate) fn platform(arguments: &[&str]) -> Result<()> {
    let [callback, accounts, page_size, connections] = arguments else {
        return Err("platform CALLBACK ACCOUNTS PAGE_SIZE CONNECTIONS".into());
    };
    platform::run(List {
        callback: (*callback).to_owned(),
        accounts: accounts.parse()?,
        page_size: page_size.parse()?,
        connections: connections.parse()?,
    })
}

fn pull(accounts: usize) -> Result<(Usage, u64)> {
    let folder = Scratch::new("pull")?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let callback = format!("http://{listen}/callback");
    let program = std::env::current_exe()?;
    let qopen = program.with_file_name("qopen");
    let (total, page_size) = (accounts.to_string(), PAGE_SIZE.to_string());
    let mut platform = Command::new(&program);
    platform.args(["platform", &callback, &total, &page_size, "8"]).stdout(Stdio::piped());
    let mut platform = Running(platform.spawn()?);
    let mut said = BufReader::new(platform.0.stdout.take().ok_or("no standard output")?);
    let mut base_url = String::new();
    said.read_line(&mut base_url)?;

    let settle = format!("{}s", SETTLE.as_secs());
    let mut command = Command::new(&qopen);
    command
        .args(["pull", "--robot", "robot", "--out", "list", "--json", "--settle", &settle])
        .current_dir(folder.path())
        .env("QOPEN_BASE_URL", base_url.trim())
        .env("QOPEN_LISTEN", &listen)
        .env("QOPEN_APP_KEY", APP_KEY)
        .env("QOPEN_APP_SECRET", "secret")
        .env("QOPEN_CALLBACK_TOKEN", TOKEN)
        .env("QOPEN_ENCODING_AES_KEY", AES_KEY)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let begun = Instant::now();
    let missing = |error| format!("{}: {error}; `cargo xtask bench` builds it", qopen.display());
    let mut pulling = Running(command.spawn().map_err(missing)?);
    let lines = BufReader::new(pulling.0.stdout.take().ok_or("no standard output")?).lines();
    let last = std::thread::spawn(move || lines.map_while(Result::ok).last());
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
    let summary = last.join().ok().flatten().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_str(&summary)?;
    if !status.success() || summary["accounts"] != accounts {
        return Err(format!("the pull ended with {status}: {summary}").into());
    }
    Ok((usage, folder.path().join("list").metadata()?.len()))
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

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
