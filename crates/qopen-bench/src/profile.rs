//! Where a page's time goes over HTTP, by the kernel's profiler.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::Result;
use crate::http::{Server, bodies, can_pin, started};
use crate::pull::usage_of;
use crate::report::Table;
use crate::scratch::{Running, Scratch};

/// Accounts of all pages of one server.
const ALL_ACCOUNTS: usize = 400_000;

/// Parts of the work. A sample counts for the first part whose words occur in one of its frames.
const PARTS: [(&str, &[&str]); 13] = [
    ("memory's first touch: page faults", &["exc_page_fault"]),
    ("MD5 of the signature", &["crypto::sign", "callback::md5", "fast_md5"]),
    ("reading the socket", &["tcp_recvmsg", "sock_recvmsg"]),
    ("syncing and writing files", &["vfs_write", "fsync", "fdatasync", "ext4_"]),
    ("the kernel besides", &["[kernel"]),
    ("packing: LZ4", &["lz4_flex"]),
    ("skim of ids", &["qopen_types"]),
    ("envelope: JSON", &["serde_json", "Envelope", "envelope"]),
    ("base64", &["base64"]),
    ("AES", &["aes::", "cbc::"]),
    ("UTF-8", &["from_utf8"]),
    ("fingerprints, digests, fold", &["qopen_assembler", "xxhash"]),
    ("copying and allocating", &["memmove", "memcpy", "memset", "malloc", "free"]),
];
const REST: &str = "axum, hyper, tokio and the rest";

pub(crate) fn run() -> Result<()> {
    run_with(100)
}

pub(crate) fn run_with(accounts: usize) -> Result<()> {
    if !can_pin()
        || !Command::new("perf").arg("--version").output().is_ok_and(|it| it.status.success())
    {
        eprintln!("SKIP the profile: it needs taskset, and perf (Debian: linux-perf)");
        return Ok(());
    }
    let bodies = bodies(accounts, ALL_ACCOUNTS / accounts.max(1))?;
    let servers = [Server::in_memory()?, Server::durable()?];
    let mut profiles = Vec::new();
    for server in &servers {
        profiles.push(profile(server, &bodies)?);
    }
    let title = format!(
        "Where the time of a page goes over HTTP, {accounts} accounts, one core: µs of CPU, by samples of perf"
    );
    let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    let mut table = Table::new("profile", title, &[&["part"], &names[..]].concat());
    for part in PARTS.iter().map(|(part, _)| *part).chain([REST]) {
        let cell = |profile: &Profile| format!("{:.0}", profile.micros(part));
        table.row([part.to_owned()].into_iter().chain(profiles.iter().map(cell)));
    }
    let all = |profile: &Profile| format!("{:.0}", profile.micros_a_page);
    table.row(["all".to_owned()].into_iter().chain(profiles.iter().map(all)));
    table.finish()
}

struct Profile {
    /// CPU time of the process, divided by the pages.
    micros_a_page: f64,
    samples: BTreeMap<&'static str, u32>,
}

impl Profile {
    fn micros(&self, part: &str) -> f64 {
        let of_part = self.samples.get(part).copied().unwrap_or(0);
        let all: u32 = self.samples.values().sum();
        self.micros_a_page * f64::from(of_part) / f64::from(all.max(1))
    }
}

fn profile(server: &Server, bodies: &[Vec<u8>]) -> Result<Profile> {
    let folder = Scratch::new("profile")?;
    let data = folder.path().join("perf.data");
    let started = started(server, true)?;
    let process = started.process.0.id().to_string();
    let mut perf = Command::new("perf");
    perf.args(["record", "--freq", "997", "-g", "--pid", &process, "--output"]).arg(&data);
    let mut perf = Running(perf.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let cpu = || usage_of(started.process.0.id()).map(|it| it.cpu).ok_or("/proc is not mounted");
    let before = cpu()?;
    started.load(bodies)?;
    let spent = cpu()? - before;
    // perf writes its data when it is interrupted.
    let interrupt = ["-INT", &perf.0.id().to_string()].map(str::to_owned);
    Command::new("kill").args(interrupt).status()?;
    perf.0.wait()?;
    let mut script = Command::new("perf");
    script.args(["script", "-F", "ip,sym,dso", "--input"]).arg(&data).stderr(Stdio::null());
    let script = script.output()?;
    if !script.status.success() {
        return Err("perf script failed".into());
    }
    let script = String::from_utf8_lossy(&script.stdout);
    let mut samples = BTreeMap::new();
    for sample in script.split("\n\n").filter(|it| !it.trim().is_empty()) {
        *samples.entry(part_of(sample)).or_default() += 1;
    }
    if samples.is_empty() {
        return Err("perf has no samples; may it look at other processes?".into());
    }
    Ok(Profile { micros_a_page: spent.as_secs_f64() * 1e6 / bodies.len() as f64, samples })
}

fn part_of(sample: &str) -> &'static str {
    let is = |(_, words): &&(&str, &[&str])| words.iter().any(|word| sample.contains(word));
    PARTS.iter().find(is).map_or(REST, |(part, _)| part)
}
